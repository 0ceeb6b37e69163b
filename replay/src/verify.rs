//! Whether a journal is sound: its chain, its snapshots, and what folding it leads to.

use std::collections::VecDeque;

use ::journal::{Entry, Hash, Kind};
use serde::Serialize;
use statemachine::{Batch, State, apply, invariants};

use crate::base::Base;
use crate::hex;
use crate::journal::{Journal, JournalError};

/// Checking all invariants costs as much as the state is large, so it is done again only once this share of
/// its things may have changed: one event for so many things.
const THINGS_PER_EVENT: usize = 16;

/// A journal without a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sound {
    /// First entry that is still there.
    pub first: u64,
    /// Last entry.
    pub last: u64,
    /// Up to here entries are known to be committed.
    pub committed: u64,
    /// Events folded.
    pub events: u64,
    /// Snapshots whose state is the one that the events lead to.
    pub snapshots_compared: u64,
    /// Snapshots that are whole, and older than what is left of the history.
    pub snapshots_unreached: u64,
    /// The chain up to the last entry.
    pub hash: String,
    /// Fingerprint of the state after the last entry; equal on every master at the same entry.
    pub digest: String,
}

/// Something that is wrong with what is written, although every byte of it is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Found {
    /// The state breaks an invariant.
    #[error("after entry {index} the state breaks an invariant: {violations}")]
    Violation {
        /// The entry that breaks it.
        index: u64,
        /// Which, and how.
        violations: String,
    },
    /// Time runs backwards.
    #[error("entry {index} was decided earlier than the one before it")]
    Backwards {
        /// The entry.
        index: u64,
    },
    /// A snapshot is not what the events lead to.
    #[error("the snapshot at {index} is another state than the one that the events lead to")]
    OtherState {
        /// Its last entry.
        index: u64,
    },
}

/// Why a journal is not known to be sound.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It cannot be read, because of damage or for another reason.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It is wrong.
    #[error(transparent)]
    Found(#[from] Found),
    /// What is left of the history begins later than every snapshot, so nothing can be folded.
    #[error("the history begins at {first} and no snapshot is left to fold it from")]
    NoBase {
        /// Its first entry.
        first: u64,
    },
}

impl VerifyError {
    /// Whether the journal is damaged or wrong, rather than absent or not to be read by us.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_damage(),
            Self::Found(_) | Self::NoBase { .. } => true,
        }
    }
}

/// Reads and folds everything that is there.
///
/// # Errors
/// The first fault, by index and file.
pub fn verify(journal: &Journal) -> Result<Sound, VerifyError> {
    let verified = journal.reader.verify().map_err(JournalError::from)?;
    let bounds = journal.reader.bounds();
    let mut bases: VecDeque<Base> = journal.bases()?.into();
    let snapshots = bases.len() as u64;
    let start = start(journal, &mut bases, bounds.first)?;
    let mut fold = Fold::from(start);
    let mut compared = 0;
    for entry in journal.reader.entries(fold.next..) {
        let entry = entry.map_err(JournalError::from)?;
        fold.take(&entry)?;
        if bases.front().is_some_and(|base| base.index == entry.index)
            && let Some(base) = bases.pop_front()
        {
            compare(&fold.state, &base)?;
            compared += 1;
        }
    }
    fold.check()?;
    Ok(Sound {
        first: bounds.first,
        last: fold.next.saturating_sub(1),
        committed: bounds.committed.unwrap_or(0),
        events: fold.events,
        snapshots_compared: compared,
        snapshots_unreached: snapshots - compared,
        hash: Hash::to_string(&verified.hash),
        digest: hex::text(&fold.state.digest()),
    })
}

/// The state before the oldest entry that can be folded; leaves the snapshots after it.
fn start(
    journal: &Journal,
    bases: &mut VecDeque<Base>,
    first: u64,
) -> Result<(State, u64), VerifyError> {
    if journal.is_whole() {
        return Ok((State::default(), first));
    }
    while let Some(Base { index, state }) = bases.pop_front() {
        if index + 1 >= first {
            return Ok((state, index + 1));
        }
    }
    Err(VerifyError::NoBase { first })
}

struct Fold {
    state: State,
    next: u64,
    events: u64,
    /// State and entry at the last check, to find the entry that broke something since.
    checked: State,
    unchecked: Vec<(u64, Batch)>,
    unchecked_events: usize,
}

impl From<(State, u64)> for Fold {
    fn from((state, next): (State, u64)) -> Self {
        Self {
            checked: state.clone(),
            state,
            next,
            events: 0,
            unchecked: Vec::new(),
            unchecked_events: 0,
        }
    }
}

impl Fold {
    fn take(&mut self, entry: &Entry) -> Result<(), VerifyError> {
        let index = entry.index;
        self.next = index + 1;
        if entry.kind != Kind::Normal {
            return Ok(());
        }
        let batch = Batch::decode(&entry.payload)
            .map_err(|source| JournalError::Batch { index, source })?;
        // A new leader finds out how far the journal goes with a batch in which nothing is decided.
        if batch.records.is_empty() {
            return Ok(());
        }
        if batch.at < self.state.cluster.now {
            return Err(Found::Backwards { index }.into());
        }
        let events = fold(&mut self.state, &batch);
        self.events += events as u64;
        self.unchecked_events += events;
        self.unchecked.push((index, batch));
        if self.unchecked_events * THINGS_PER_EVENT >= size(&self.state) {
            self.check()?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Found> {
        if !invariants::check(&self.state).is_empty() {
            return Err(self.find());
        }
        self.checked = self.state.clone();
        self.unchecked.clear();
        self.unchecked_events = 0;
        Ok(())
    }

    /// Goes the way from the last check again, entry by entry.
    fn find(&mut self) -> Found {
        let mut state = self.checked.clone();
        for (index, batch) in &self.unchecked {
            fold(&mut state, batch);
            let violations = invariants::check(&state);
            if !violations.is_empty() {
                let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
                return Found::Violation { index: *index, violations: violations.join("; ") };
            }
        }
        // Nothing was folded since: the state that all began with is broken itself.
        let violations = invariants::check(&self.state);
        let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
        Found::Violation { index: self.next.saturating_sub(1), violations: violations.join("; ") }
    }
}

/// Says how many events there were.
fn fold(state: &mut State, batch: &Batch) -> usize {
    let mut effects = Vec::new();
    let mut events = 0;
    for event in batch.records.iter().flat_map(|record| &record.events) {
        apply(state, batch.at, event, &mut effects);
        effects.clear();
        events += 1;
    }
    events
}

fn size(state: &State) -> usize {
    state.agents.len() + state.frameworks.len() + state.tasks.len() + state.offers.len()
}

fn compare(state: &State, base: &Base) -> Result<(), Found> {
    if state.digest() == base.state.digest() {
        Ok(())
    } else {
        Err(Found::OtherState { index: base.index })
    }
}

#[cfg(test)]
mod tests {
    use statemachine::Time;

    use super::*;
    use crate::testing::{Step, story, written};

    fn check(steps: Vec<Step>) -> Result<Sound, VerifyError> {
        let dir = written(steps);
        verify(&Journal::open(dir.path()).expect("a journal"))
    }

    fn steps(batches: Vec<Batch>) -> Vec<Step> {
        batches.into_iter().map(Step::Batch).collect()
    }

    #[test]
    fn what_a_master_wrote_is_sound() {
        let batches = story();
        let mut state = State::default();
        for batch in &batches {
            batch.apply(&mut state);
        }
        let events = batches.len() as u64;
        let mut steps = steps(batches);
        steps.insert(5, Step::Snapshot);
        let sound = check(steps).expect("a sound journal");
        assert_eq!((sound.events, sound.snapshots_compared), (events, 1));
        assert_eq!(sound.digest, hex::text(&state.digest()));
    }

    #[test]
    fn an_event_that_breaks_an_invariant_is_found_by_its_index() {
        let mut batches = story();
        // The resources of the agent that registered last come back while they are in use.
        let again = agent_again(&batches);
        batches.push(again);
        let error = check(steps(batches)).expect_err("an agent twice").to_string();
        assert!(error.contains("breaks an invariant"), "{error}");
    }

    #[test]
    fn time_that_runs_backwards_is_found() {
        let mut batches = story();
        if let Some(last) = batches.last_mut() {
            last.at = Time(1);
        }
        let error = check(steps(batches)).expect_err("an earlier batch");
        assert!(matches!(error, VerifyError::Found(Found::Backwards { .. })), "{error}");
        assert!(error.is_damage());
    }

    #[test]
    fn a_journal_that_lost_its_tail_is_damaged() {
        let dir = written(steps(story()));
        std::fs::remove_file(dir.path().join("tail.redb")).expect("removed");
        let error = Journal::open(dir.path()).expect_err("half a journal");
        assert!(error.is_damage(), "{error}");
    }

    /// The registration of a story once more, over its own agent.
    fn agent_again(batches: &[Batch]) -> Batch {
        let registers = |batch: &&Batch| batch.records[0].events[0].name() == "AgentRegistered";
        batches.iter().find(registers).expect("the story has an agent").clone()
    }
}
