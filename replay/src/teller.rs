//! Tells what committed entries say, one after another: those of a journal, and those that a live master
//! applies.

use statemachine::{Batch, State};

use crate::facts::{self, Facts};
use crate::line::Line;
use crate::moment;
use crate::names::Names;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its position.
    pub index: u64,
    /// Its Raft term.
    pub term: u64,
    /// Whether it is known to be committed.
    pub committed: bool,
}

/// Knows the ids that entries up to some place have given out.
#[derive(Clone, Debug)]
pub struct Teller(Names);

impl Teller {
    /// For what comes right after this state.
    pub fn after(state: &State) -> Self {
        Self(Names::of(state))
    }

    pub(crate) fn knowing(names: Names) -> Self {
        Self(names)
    }

    /// The events of the next batch, a line each.
    pub fn tell(&mut self, place: Place, batch: &Batch) -> Vec<Line> {
        let time = moment::text(batch.at);
        let mut lines = Vec::new();
        for record in &batch.records {
            for event in &record.events {
                lines.push(Line {
                    time: Some(time.clone()),
                    cause: Some(record.cause.clone()),
                    principal: record.principal.as_ref().map(ToString::to_string),
                    facts: facts::of(event, &self.0),
                    ..Line::at(place, event.name())
                });
                self.0.learn(event);
            }
        }
        lines
    }
}

impl Line {
    /// A line that says no more than its name.
    pub(crate) fn at(place: Place, event: &str) -> Self {
        Self {
            index: place.index,
            term: place.term,
            committed: place.committed,
            time: None,
            cause: None,
            principal: None,
            event: event.to_owned(),
            facts: Facts::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::story;

    #[test]
    fn who_begins_later_says_the_same() {
        let (mut state, mut all) = (State::default(), Teller::after(&State::default()));
        for (batch, index) in story().iter().zip(1..) {
            let place = Place { index, term: 1, committed: true };
            let expected = all.tell(place, batch);
            assert_eq!(Teller::after(&state).tell(place, batch), expected);
            assert!(expected.iter().all(|line| line.index == index), "{expected:?}");
            batch.apply(&mut state);
        }
    }
}
