//! Nothing that was acknowledged is lost, and all replicas are one (Raft 5.2 to 5.4: state machine
//! safety; gaps 1): whatever a replica folds at an index, every other folds there too, with the same
//! digest; nothing leaves a master before it is committed; and the state that a leader decided on is
//! the one that the journal leads to.

use std::collections::BTreeMap;

use statemachine::{Batch, State};

use super::{Violation, demand};
use crate::bug::Bug;
use crate::cluster::{Entry, forget_deadlines};

/// The committed history.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    entries: Vec<Entry>,
    digests: Vec<[u8; 32]>,
    state: State,
    proposed: BTreeMap<(usize, u64), State>,
}

impl Agreement {
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn length(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn proposed(&mut self, index: usize, term: u64, working: State) {
        self.proposed.insert((index, term), working);
    }

    /// A replica is the first to fold this entry: it is history now.
    pub(super) fn extend(&mut self, entry: &Entry, batch: Option<Batch>, bug: Option<Bug>) {
        if let Some(batch) = batch {
            batch.apply(&mut self.state);
            forget_deadlines(&mut self.state, &batch, bug);
        }
        self.entries.push(entry.clone());
        self.digests.push(self.state.digest());
    }

    pub(super) fn released(&self, index: usize, term: Option<u64>) -> Result<(), Violation> {
        let committed = index.checked_sub(1).and_then(|at| self.entries.get(at));
        let held = index == 0 || term.is_some() && committed.map(|entry| entry.term) == term;
        demand(held, "nothing leaves a master before it is committed", || {
            format!("entry {index} of term {term:?}; {} are committed", self.entries.len())
        })
    }

    pub(super) fn applied(
        &mut self,
        index: usize,
        entry: &Entry,
        state: &State,
    ) -> Result<(), Violation> {
        let known = &self.entries[index - 1];
        demand(known == entry, "committed entries are never lost or replaced", || {
            format!("entry {index} was of term {} and is of term {}", known.term, entry.term)
        })?;
        let digest = state.digest();
        demand(self.digests[index - 1] == digest, "replicas are equal at an index", || {
            format!("digests differ at entry {index}")
        })?;
        let Some(working) = self.proposed.remove(&(index, entry.term)) else { return Ok(()) };
        demand(working.digest() == digest, "the fold of a batch is its leader's own state", || {
            format!("the leader of term {} decided entry {index} on another state", entry.term)
        })
    }

    pub(super) fn restored(&self, index: usize, state: &State) -> Result<(), Violation> {
        demand(self.digests[index - 1] == state.digest(), "a snapshot is the state", || {
            format!("the snapshot at entry {index} differs from the fold")
        })
    }
}
