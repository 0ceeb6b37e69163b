//! What must hold, checked after every event: one file each. The oracle sees what no process sees:
//! the committed history as the first replica folded it, and what really happened at agents and
//! schedulers.

pub mod accounted;
mod agreement;
mod deadlines;
pub mod filters;
mod forward;
pub mod launches;
mod limits;
pub mod streams;
mod turns;
pub mod updates;

use statemachine::{Batch, Event, State, Time};

use crate::bug::Bug;
use crate::cluster::Entry;

pub use statemachine::invariants::Violation;

/// One committed event, with the state before and after it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// When it was decided.
    pub at: Time,
    /// The command that it came of.
    pub cause: &'a str,
    /// What happened.
    pub event: &'a Event,
    /// Before.
    pub before: &'a State,
    /// After.
    pub after: &'a State,
}

/// All invariants, and the first that broke.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Set once one is broken; the run ends then.
    pub violation: Option<Violation>,
    /// How many events were checked.
    pub events: u64,
    /// Schedulers' tasks and what is known of them.
    pub accounted: accounted::Accounted,
    /// Starts of containers.
    pub launches: launches::Launches,
    /// Streams that are over.
    pub streams: streams::Streams,
    /// Updates and their acknowledgements.
    pub updates: updates::Updates,
    /// What schedulers refused.
    pub filters: filters::Filters,
    turns: turns::Turns,
    agreement: agreement::Agreement,
    deadlines: deadlines::Deadlines,
}

impl Oracle {
    /// The committed state, as the first replica folded it.
    pub fn state(&self) -> &State {
        self.agreement.state()
    }

    /// Something is wrong; only the first counts.
    pub fn fail(&mut self, invariant: &'static str, text: String) {
        self.violation.get_or_insert(Violation { invariant, text });
    }

    /// Takes the finding of an invariant.
    pub fn judge(&mut self, finding: Result<(), Violation>) {
        if let Err(violation) = finding {
            self.violation.get_or_insert(violation);
        }
    }

    /// A leader has proposed an entry, and believes that it leads to `working`.
    pub fn proposed(&mut self, index: usize, term: u64, working: State) {
        self.agreement.proposed(index, term, working);
    }

    /// Something was sent that rests on everything up to `index`, the entry there being of `term`.
    pub fn released(&mut self, index: usize, term: Option<u64>) {
        let finding = self.agreement.released(index, term);
        self.judge(finding);
    }

    /// A replica has folded entry `index`.
    pub fn applied(&mut self, index: usize, entry: &Entry, state: &State, bug: Option<Bug>) {
        if index > self.agreement.length() {
            self.first_applied(entry, bug);
        }
        let finding = self.agreement.applied(index, entry, state);
        self.judge(finding);
    }

    /// A replica has started from a snapshot.
    pub fn restored(&mut self, index: usize, state: &State) {
        let finding = self.agreement.restored(index, state);
        self.judge(finding);
    }

    /// Time has passed under a leader that decides undisturbed.
    pub fn waited(&mut self, now: Time) {
        let finding = self.deadlines.overdue(now);
        self.judge(finding);
    }

    fn first_applied(&mut self, entry: &Entry, bug: Option<Bug>) {
        let batch = Batch::decode(&entry.payload).ok();
        if let Some(batch) = &batch {
            self.check(batch);
        }
        self.agreement.extend(entry, batch, bug);
    }

    fn check(&mut self, batch: &Batch) {
        let mut after = self.agreement.state().clone();
        if batch.at < after.cluster.now {
            let text = format!("{} after {}", batch.at, after.cluster.now);
            self.fail("time in the journal never runs backwards", text);
        }
        for record in &batch.records {
            let before = after.clone();
            for event in &record.events {
                let before = after.clone();
                statemachine::apply(&mut after, batch.at, event, &mut Vec::new());
                let (at, cause) = (batch.at, record.cause.as_str());
                self.event(&Fact { at, cause, event, before: &before, after: &after });
            }
            self.judge(limits::decided(&record.cause, &before, &after));
        }
    }

    fn event(&mut self, fact: &Fact<'_>) {
        self.events += 1;
        self.judge(
            statemachine::invariants::check(fact.after).into_iter().next().map_or(Ok(()), Err),
        );
        self.judge(forward::event(fact));
        let finding = self.deadlines.event(fact);
        self.judge(finding);
        let finding = self.streams.event(fact);
        self.judge(finding);
        let finding = self.filters.event(fact);
        self.judge(finding);
        let finding = self.turns.event(fact);
        self.judge(finding);
        let finding = self.accounted.event(fact);
        self.judge(finding);
    }
}

/// A violation unless `holds`.
fn demand(
    holds: bool,
    invariant: &'static str,
    text: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, text: text() }) }
}
