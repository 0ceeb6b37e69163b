//! The one file that changes while the journal runs: the newest entries, the vote, and how far the
//! journal is committed and purged.

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend,
    WriteTransaction,
};

use crate::damage::guard;
use crate::entry::Entry;
use crate::error::{OpenError, ReadError};
use crate::format::{ENTRIES, FORMAT, META, Mark, decode_log_id, key};
use crate::identity::rename_durably;
use crate::raft::{LogId, Vote};

/// Name of the file in the data directory.
pub(crate) const TAIL: &str = "tail.redb";
/// Whoever copies the tail of a live master holds the lock of this file meanwhile.
pub(crate) const READERS: &str = "readers";
/// redb's own page cache; the entries that matter are in [`Cache`](super::cache::Cache).
const PAGE_CACHE_BYTES: usize = 16 << 20;

/// Where the tail lies: a real disk, or one that fails on purpose.
pub trait Disk: Send + Sync + 'static {
    /// Opens the database at `path`, making it when it does not exist.
    ///
    /// # Errors
    /// Those of redb.
    fn open(&self, path: &Path) -> Result<Database, DatabaseError>;
}

/// The file system.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        Database::builder().set_cache_size(PAGE_CACHE_BYTES).create(path)
    }
}

/// The open tail.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    database: Arc<Closing>,
}

/// Closes the database when it is dropped. That writes, and may panic when the file is damaged,
/// which is no reason to end whoever happens to be the last to hold it.
#[derive(Debug)]
struct Closing(Option<Database>);

impl Closing {
    fn get(&self) -> Result<&Database, redb::Error> {
        self.0.as_ref().ok_or(redb::Error::DatabaseClosed)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let database = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            tracing::error!("the tail of the journal could not be closed: it is damaged");
        }
    }
}

/// What the tail says about the journal when it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct TailState {
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<Mark>,
    /// First entry in the file, and mark of the last.
    pub(crate) entries: Option<(u64, Mark)>,
}

/// What a master's operator can do about a tail that cannot be read.
const REMEDY: &str = "It keeps the newest entries and the votes of this member: put back a copy made after this member \
                      was stopped, or replace this member by one with an empty directory";

impl Tail {
    /// Opens the tail in `dir`. It must be there: a member that goes on without the tail it had has
    /// forgotten what it acknowledged and whom it voted for, and what was committed gets lost.
    pub(crate) fn open(dir: &Path, disk: &dyn Disk) -> Result<(Self, TailState), OpenError> {
        let path = dir.join(TAIL);
        if !path.try_exists().map_err(OpenError::io(&path))? {
            return Err(OpenError::TailLost(dir.to_path_buf()));
        }
        guard(&path, || Self::opened(&path, disk.open(&path))).map_err(|error| match error {
            OpenError::Damaged { path, what } => {
                let what = format!("{what}. {REMEDY}");
                OpenError::Damaged { path, what }
            }
            error => error,
        })
    }

    /// Makes the tail in the directory of a member that has promised nothing yet, unless it is there.
    /// It appears under its name only when it is complete.
    pub(crate) fn make(dir: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
        let path = dir.join(TAIL);
        if path.try_exists().map_err(OpenError::io(&path))? {
            return Ok(());
        }
        create(&path, disk)
    }

    /// Opens a copy of a tail in memory; `path` is where it was copied from.
    pub(crate) fn open_copy(path: &Path, bytes: &[u8]) -> Result<(Self, TailState), OpenError> {
        let backend = InMemoryBackend::new();
        let copied = backend.set_len(bytes.len() as u64).and_then(|()| backend.write(0, bytes));
        copied.map_err(OpenError::io(path))?;
        let open = || Self::opened(path, Database::builder().create_with_backend(backend));
        guard(path, open)
    }

    fn opened(
        path: &Path,
        database: Result<Database, DatabaseError>,
    ) -> Result<(Self, TailState), OpenError> {
        let database = database.map_err(OpenError::redb(path))?;
        let path = path.to_path_buf();
        let tail = Self { path, database: Arc::new(Closing(Some(database))) };
        let state = tail.state()?;
        Ok((tail, state))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        Ok(self.database.get()?.begin_write()?)
    }

    fn begin_read(&self) -> Result<ReadTransaction, OpenError> {
        let begin = || -> Result<_, redb::Error> { Ok(self.database.get()?.begin_read()?) };
        begin().map_err(OpenError::redb(&self.path))
    }

    /// Entries of `range`, checked against the chain. Stops at the first that is not there.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        guard(&self.path, || {
            let transaction = self.begin_read()?;
            read_entries(&transaction, &self.path, range)
        })
    }

    /// Writes one entry anew, durably.
    pub(crate) fn replace(&self, entry: &Entry) -> Result<(), OpenError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.begin_write()?;
            transaction.open_table(ENTRIES)?.insert(entry.index, entry.encode().as_slice())?;
            transaction.commit()?;
            Ok(())
        };
        write().map_err(OpenError::redb(&self.path))
    }

    fn state(&self) -> Result<TailState, OpenError> {
        let transaction = self.begin_read()?;
        read_state(&transaction, &self.path)
    }
}

fn create(path: &Path, disk: &dyn Disk) -> Result<(), OpenError> {
    let temporary = path.with_extension("tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(OpenError::io(&temporary)(error));
        }
        _ => {}
    }
    let database = disk.open(&temporary).map_err(OpenError::redb(&temporary))?;
    let write = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        transaction.open_table(ENTRIES)?;
        transaction.open_table(META)?.insert(key::FORMAT, FORMAT.to_le_bytes().as_slice())?;
        transaction.commit()?;
        Ok(())
    };
    write().map_err(OpenError::redb(&temporary))?;
    drop(database);
    rename_durably(&temporary, path).map_err(OpenError::io(path))
}

/// Reads the marks of a tail; also used on a copy of a live one.
pub(crate) fn read_state(
    transaction: &ReadTransaction,
    path: &Path,
) -> Result<TailState, OpenError> {
    check_format(transaction, path)?;
    let redb = |error: redb::Error| OpenError::redb(path)(error);
    let read = || -> Result<_, redb::Error> {
        let meta = transaction.open_table(META)?;
        let get = |name| -> Result<Option<Vec<u8>>, redb::Error> {
            Ok(meta.get(name)?.map(|value| value.value().to_vec()))
        };
        let entries = transaction.open_table(ENTRIES)?;
        let ends = match (entries.first()?, entries.last()?) {
            (Some((first, _)), Some((last, record))) => {
                Some((first.value(), last.value(), record.value().to_vec()))
            }
            _ => None,
        };
        Ok((get(key::VOTE)?, get(key::COMMITTED)?, get(key::PURGED)?, ends))
    };
    let (vote, committed, purged, ends) = read().map_err(redb)?;
    let damaged = |what: &str| OpenError::damaged(path, what);
    let vote = vote.map(|bytes| rmp_serde::from_slice(&bytes)).transpose();
    let entries = match ends {
        None => None,
        Some((first, index, record)) => {
            let last = Entry::decode(index, &record)
                .map_err(|e| OpenError::damaged(path, e.to_string()))?;
            Some((first, Mark { index, term: last.term, hash: last.hash }))
        }
    };
    Ok(TailState {
        vote: vote.map_err(|_| damaged("its vote is malformed"))?,
        committed: committed
            .map(|bytes| decode_log_id(&bytes).ok_or_else(|| damaged("malformed commit mark")))
            .transpose()?,
        purged: purged
            .map(|bytes| Mark::decode(&bytes).ok_or_else(|| damaged("malformed purge mark")))
            .transpose()?,
        entries,
    })
}

/// Refuses a file of another format by name.
pub(crate) fn check_format(transaction: &ReadTransaction, path: &Path) -> Result<(), OpenError> {
    let read = || -> Result<Option<Vec<u8>>, redb::Error> {
        let meta = transaction.open_table(META)?;
        Ok(meta.get(key::FORMAT)?.map(|value| value.value().to_vec()))
    };
    let format = read().map_err(OpenError::redb(path))?;
    match format.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes) {
        Some(FORMAT) => Ok(()),
        Some(found) => Err(OpenError::Format { path: path.to_path_buf(), found, expected: FORMAT }),
        None => Err(OpenError::damaged(path, "it has no format number")),
    }
}

/// Entries of `range` from any file with an entries table, checked against one another and against
/// the entry before, when that lies in the same file.
pub(crate) fn read_entries(
    transaction: &ReadTransaction,
    path: &Path,
    range: Range<u64>,
) -> Result<Vec<Entry>, ReadError> {
    let damaged = |source| ReadError::Entry { path: path.to_path_buf(), source };
    let redb = |error: redb::StorageError| ReadError::File(OpenError::redb(path)(error));
    let table = transaction.open_table(ENTRIES).map_err(|error| OpenError::redb(path)(error))?;
    let mut previous: Option<Entry> = None;
    let mut entries = Vec::new();
    for item in table.range(range.start.saturating_sub(1)..range.end).map_err(redb)? {
        let (index, record) = item.map_err(redb)?;
        let entry = Entry::decode(index.value(), record.value()).map_err(damaged)?;
        if let Some(previous) = &previous {
            if previous.index + 1 != entry.index {
                let (index, path) = (previous.index + 1, path.to_path_buf());
                return Err(ReadError::Missing { index, path });
            }
            entry.check(&previous.hash).map_err(damaged)?;
        }
        if entry.index >= range.start {
            entries.push(entry.clone());
        }
        previous = Some(entry);
    }
    Ok(entries)
}
