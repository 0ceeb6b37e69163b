//! Why an operation of the journal as a whole failed. Smaller operations have their errors beside
//! them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::entry::EntryError;

/// Why a journal, or one of its files, could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings contradict each other.
    #[error("invalid journal settings: {0}")]
    Settings(String),
    /// The directory or a file in it cannot be read or written.
    #[error("cannot use {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has this directory open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// A directory that holds something, but no journal.
    #[error("{0} is not empty and holds no journal")]
    Foreign(PathBuf),
    /// A directory without a journal.
    #[error("{0} holds no journal")]
    Missing(PathBuf),
    /// The directory of a member, without the file that keeps its promises.
    #[error(
        "{0} has lost tail.redb, with the newest entries and the votes of this member: with what is \
         left it could vote what is committed away. Replace this member by one with an empty directory"
    )]
    TailLost(PathBuf),
    /// A file of another format than this version reads.
    #[error("{path} has journal format {found}; this version reads format {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it says it has.
        found: u32,
        /// The format this version reads.
        expected: u32,
    },
    /// A file whose content contradicts itself.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The directory belongs to another member than the one asked for.
    #[error("{dir} belongs to node {found}, not to node {expected}")]
    OtherNode {
        /// The data directory.
        dir: PathBuf,
        /// The node it belongs to.
        found: u64,
        /// The node asked for.
        expected: u64,
    },
    /// openraft would not start.
    #[error("cannot start the journal in {dir}: {what}")]
    Raft {
        /// The data directory.
        dir: PathBuf,
        /// What openraft said.
        what: String,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::Io { path, source }
    }

    pub(crate) fn redb<E: Into<redb::Error>>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        |error| match error.into() {
            redb::Error::Io(error) if no_database(&error) => {
                Self::damaged(&path, error.to_string())
            }
            redb::Error::Io(source) => Self::Io { path, source },
            redb::Error::DatabaseAlreadyOpen => Self::InUse(path),
            other => Self::Damaged { path, what: other.to_string() },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), what: what.into() }
    }
}

/// Whether redb could read the file, and it is no database.
fn no_database(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    // a file that was cut off makes redb read beyond its end, which it calls invalid input
    error.raw_os_error().is_none()
        && matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Why entries could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A damaged entry.
    #[error("cannot read {path}")]
    Entry {
        /// The file it lies in.
        path: PathBuf,
        /// Which entry, and what is wrong.
        #[source]
        source: EntryError,
    },
    /// An entry that should be there is not.
    #[error("entry {index} is missing from {path}")]
    Missing {
        /// The entry.
        index: u64,
        /// The file it should lie in.
        path: PathBuf,
    },
    /// The history begins later than the entry asked for.
    #[error("entry {index} is gone: the history begins at {first}")]
    Purged {
        /// The entry asked for.
        index: u64,
        /// Where the history begins.
        first: u64,
    },
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] OpenError),
}

impl ReadError {
    /// The damaged file, if a file is to blame.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Entry { path, .. }
            | Self::Missing { path, .. }
            | Self::File(OpenError::Damaged { path, .. }) => Some(path),
            Self::Purged { .. } | Self::File(_) => None,
        }
    }
}

/// Prints an error with its sources, for a text that can hold no source.
pub(crate) struct Report<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        Self::other(error)
    }
}
