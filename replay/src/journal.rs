//! The journal that is looked into.

use std::path::{Path, PathBuf};

use ::journal::{OpenError, ReadError, Reader};
use statemachine::DecodeError;

/// Where a master keeps its journal, below its work directory.
const BELOW_WORK_DIR: &str = "journal";
/// A file that every journal has.
const MARK: &str = "identity";

/// A journal, opened for reading.
#[derive(Debug)]
pub struct Journal {
    pub(crate) reader: Reader,
    dir: PathBuf,
}

/// Why a journal cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read on.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry is whole, and holds no batch that this version can read.
    #[error("entry {index} holds no batch of events")]
    Batch { index: u64, source: DecodeError },
    /// A snapshot cannot be read.
    #[error("reading the snapshot at {index}")]
    Snapshot { index: u64, source: std::io::Error },
    /// A snapshot is whole, and holds no state that this version can read.
    #[error("the snapshot at {index} holds no state")]
    State { index: u64, source: DecodeError },
}

impl Journal {
    /// Opens the journal in `dir`: a master's work directory, the journal in it, or a copy of either.
    ///
    /// # Errors
    /// When there is none, or it is of another format, or damaged.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let below = dir.join(BELOW_WORK_DIR);
        let is_below = !dir.join(MARK).exists() && below.join(MARK).exists();
        let dir = if is_below { below } else { dir.to_owned() };
        let reader = Reader::open(&dir)?;
        Ok(Self { reader, dir })
    }

    /// Index of its last entry, if it has one.
    pub fn last(&self) -> Option<u64> {
        self.reader.bounds().last
    }

    /// Index of the first entry that it still has.
    pub fn first(&self) -> u64 {
        self.reader.bounds().first
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl JournalError {
    /// Whether the journal is there and damaged, rather than absent, of another version, or not to be
    /// read by us.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Open(error) | Self::Read(ReadError::File(error)) => {
                matches!(error, OpenError::Damaged { .. } | OpenError::TailLost(_))
            }
            Self::Read(ReadError::Entry { .. } | ReadError::Missing { .. }) => true,
            Self::Batch { source, .. } | Self::State { source, .. } => {
                matches!(source, DecodeError::Malformed(_))
            }
            // Snapshots are checked against their checksums before they are given out.
            Self::Snapshot { .. } | Self::Read(ReadError::Purged { .. }) => false,
        }
    }
}
