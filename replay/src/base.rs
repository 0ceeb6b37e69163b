//! States that the journal's snapshots hold: where folding can start.

use std::io::{self, Read};

use journal::Snapshot;
use statemachine::State;

use crate::journal::{Journal, JournalError};

/// Before the state a master writes the index of the last entry that was folded into it, which may be
/// one before the snapshot's own: not every entry is a batch.
const INDEX_BYTES: usize = 8;

/// A state, and the entry that it includes last.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) index: u64,
    pub(crate) state: State,
}

impl Journal {
    /// The newest snapshot up to `index`.
    pub(crate) fn base(&self, index: u64) -> Result<Option<Base>, JournalError> {
        self.reader.snapshot(index)?.map(decode).transpose()
    }

    /// Every snapshot, oldest first.
    pub(crate) fn bases(&self) -> Result<Vec<Base>, JournalError> {
        let mut bases = Vec::new();
        let mut before = Some(u64::MAX);
        while let Some(at_most) = before {
            let Some(base) = self.base(at_most)? else { break };
            before = base.index.checked_sub(1);
            bases.push(base);
        }
        bases.reverse();
        Ok(bases)
    }

    /// Whether everything from the very first decision on is still there.
    pub(crate) fn is_whole(&self) -> bool {
        self.reader.bounds().first <= 1
    }
}

fn decode(mut snapshot: Snapshot) -> Result<Base, JournalError> {
    let index = snapshot.index;
    let mut bytes = Vec::new();
    let read = snapshot.content.read_to_end(&mut bytes);
    read.map_err(|source| JournalError::Snapshot { index, source })?;
    let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "it is too short");
    let state = bytes.get(INDEX_BYTES..).ok_or_else(short);
    let state = state.map_err(|source| JournalError::Snapshot { index, source })?;
    let state = State::decode(state).map_err(|source| JournalError::State { index, source })?;
    Ok(Base { index, state })
}
