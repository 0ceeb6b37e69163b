//! A replica: the committed state, its snapshots, and what a restart finds of them.

use statemachine::{Batch, Event, State};

use super::Entry;
use crate::bug::Bug;
use crate::invariants::Oracle;

/// Entries between two snapshots.
const SNAPSHOT_EVERY: usize = 40;

/// One replica.
#[derive(Debug, Default)]
pub struct Replica {
    /// What is committed and folded.
    pub state: State,
    /// How many entries that is.
    pub applied: usize,
    snapshot: Option<(usize, Vec<u8>)>,
}

impl Replica {
    /// Folds one more entry, and compares the outcome with that of every other replica.
    pub fn apply(&mut self, entry: &Entry, bug: Option<Bug>, oracle: &mut Oracle) {
        let before = self.state.clone();
        self.applied += 1;
        match Batch::decode(&entry.payload) {
            Ok(batch) => fold(&mut self.state, batch, bug),
            Err(_) if entry.payload.is_empty() => {}
            Err(error) => oracle.fail("an entry decodes", format!("{}: {error}", self.applied)),
        }
        oracle.applied(self.applied, entry, &self.state, bug);
        if self.applied.is_multiple_of(SNAPSHOT_EVERY) {
            let late = bug == Some(Bug::SnapshotWithoutLastBatch);
            let state = if late { &before } else { &self.state };
            self.snapshot = Some((self.applied, state.encode()));
        }
    }

    /// What a process finds when it starts again.
    pub fn restart(&mut self, oracle: &mut Oracle) {
        self.state = State::default();
        self.applied = 0;
        if let Some((applied, bytes)) = &self.snapshot {
            self.applied = *applied;
            match State::decode(bytes) {
                Ok(state) => self.state = state,
                Err(error) => oracle.fail("a snapshot decodes", error.to_string()),
            }
            oracle.restored(self.applied, &self.state);
        }
    }
}

/// The fold of one batch, or what a planted fault makes of it.
pub(crate) fn fold(state: &mut State, mut batch: Batch, bug: Option<Bug>) {
    if bug == Some(Bug::ReplicaSkipsEvents) {
        for record in &mut batch.records {
            record.events.retain(|event| !matches!(event, Event::TaskAcknowledged(_)));
        }
    }
    batch.apply(state);
    forget_deadlines(state, &batch, bug);
}

/// The planted loss of deadlines at a change of leader; alike on every replica.
pub(crate) fn forget_deadlines(state: &mut State, batch: &Batch, bug: Option<Bug>) {
    let events = batch.records.iter().flat_map(|record| &record.events);
    let elected = events.into_iter().any(|event| matches!(event, Event::LeaderElected(_)));
    if elected && bug == Some(Bug::DeadlinesForgotten) {
        state.deadlines.clear();
    }
}
