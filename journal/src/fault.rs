//! Why the journal stopped, told where it happened: openraft's own report names only the symptom.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by all parts of one journal; the first report stays.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<Reason>>>);

/// Why the journal stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The tail could not be written: perhaps the disk is full. May pass.
    Tail {
        text: String,
        /// Whether the file is as it was before the write that failed: there was no room for it.
        /// Otherwise what the file holds may not be what is on disk.
        whole: bool,
    },
    /// The machine did not understand an entry or a snapshot. Stays until another version runs.
    Machine(String),
    /// openraft gave up for another reason. Stays until the journal is opened anew.
    Raft(String),
}

impl Fault {
    pub(crate) fn report_tail(&self, error: &io::Error) {
        let no_room = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
        let (text, whole) =
            (format!("cannot write the journal: {error}"), no_room.contains(&error.kind()));
        self.report(Reason::Tail { text, whole });
    }

    pub(crate) fn report_machine(&self, index: u64, error: &dyn fmt::Display) {
        self.report(Reason::Machine(format!("cannot apply entry {index}: {error}")));
    }

    pub(crate) fn report_raft(&self, error: &dyn fmt::Display) {
        self.report(Reason::Raft(format!("the journal cannot go on: {error}")));
    }

    pub(crate) fn get(&self) -> Option<Reason> {
        self.lock().clone()
    }

    /// Why the tail must not be written to, if it must not.
    pub(crate) fn tail(&self) -> Option<String> {
        match &*self.lock() {
            Some(Reason::Tail { text, .. }) => Some(text.clone()),
            _ => None,
        }
    }

    /// The file is open anew.
    pub(crate) fn clear(&self) {
        self.lock().take();
    }

    fn report(&self, reason: Reason) {
        let mut first = self.lock();
        if first.is_none() {
            tracing::error!(%reason, "the journal stopped");
            *first = Some(reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Reason>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Tail { text, .. } | Self::Machine(text) | Self::Raft(text)) = self;
        f.write_str(text)
    }
}
