//! The one trait between the journal and what is folded from it.

use std::io::{self, Read, Write};

use bytes::Bytes;

/// What the journal feeds with committed entries. Entries of the journal's own (elections,
/// membership) never reach it.
pub trait Machine: Send + 'static {
    /// Folds one committed entry. Called once per entry in order of `index`, on a thread of the
    /// journal's own.
    ///
    /// # Errors
    /// When the entry cannot be understood (a kind of a newer version): the replica stops applying
    /// and reports the text; it never skips an entry.
    fn apply(&mut self, entry: &Committed) -> Result<(), ApplyError>;

    /// The state as of the last applied entry, cheap to take; it is written elsewhere and later.
    fn snapshot(&self) -> Box<dyn SnapshotSource>;

    /// Replaces the state with one that [`SnapshotSource::write`] wrote, on this or another replica.
    ///
    /// # Errors
    /// When the bytes are no such state; the replica then refuses the snapshot.
    fn restore(&mut self, from: &mut dyn Read) -> Result<(), ApplyError>;
}

/// A state frozen at one index, ready to be written out.
pub trait SnapshotSource: Send + 'static {
    /// Writes the state; the journal frames and checksums it.
    ///
    /// # Errors
    /// Only those of `to`.
    fn write(&self, to: &mut dyn Write) -> io::Result<()>;
}

/// One committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Position in the journal, from 1, without gaps that the machine could notice: entries of the
    /// journal's own take positions too.
    pub index: u64,
    /// Raft term in which it was proposed.
    pub term: u64,
    /// What was proposed, opaque to the journal.
    pub payload: Bytes,
}

/// Why an entry or a snapshot could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ApplyError(pub String);
