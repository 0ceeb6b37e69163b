//! One closed segment: written in one transaction under a temporary name, synced, then renamed. A
//! file under the final name is complete and never changes, so a reader may open it beside a live
//! master.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redb::{Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use crate::chain::Hash;
use crate::damage::guard;
use crate::entry::{Entry, EntryError};
use crate::error::{OpenError, ReadError};
use crate::format::{ENTRIES, FORMAT, META, Mark, key};
use crate::identity::rename_durably;
use crate::store::{check_format, read_entries};

/// How many entries are read at a time.
const READ_AHEAD: u64 = 4096;

/// What is known of a segment without reading its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first: u64,
    pub(crate) last: Mark,
    /// The hash its first entry is chained to.
    pub(crate) base: Hash,
    /// When it was closed, since 1970.
    pub(crate) closed_at: Duration,
    pub(crate) bytes: u64,
}

impl Segment {
    /// Reads the marks of the segment at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        guard(path, || Self::open_unguarded(path))
    }

    fn open_unguarded(path: &Path) -> Result<Self, OpenError> {
        let (first, last) = range_in_name(path)
            .ok_or_else(|| OpenError::damaged(path, "its name has no range of indexes"))?;
        let bytes = fs::metadata(path).map_err(OpenError::io(path))?.len();
        let transaction = begin_read(path)?;
        check_format(&transaction, path)?;
        let read = || -> Result<_, redb::Error> {
            let meta = transaction.open_table(META)?;
            let get = |name| -> Result<Vec<u8>, redb::Error> {
                Ok(meta.get(name)?.map(|value| value.value().to_vec()).unwrap_or_default())
            };
            Ok((get(key::BASE)?, get(key::LAST)?, get(key::CLOSED_AT_MS)?))
        };
        let (base, mark, closed_at_ms) = read().map_err(OpenError::redb(path))?;
        let parse = || {
            let closed_at_ms = u64::from_le_bytes(closed_at_ms.as_slice().try_into().ok()?);
            let mark = Mark::decode(&mark).filter(|mark| mark.index == last)?;
            Some(Self {
                path: path.to_path_buf(),
                first,
                last: mark,
                base: Hash(base.as_slice().try_into().ok()?),
                closed_at: Duration::from_millis(closed_at_ms),
                bytes,
            })
        };
        parse().ok_or_else(|| OpenError::damaged(path, "its marks are malformed"))
    }

    /// Writes `entries`, which are chained to `base`, durably.
    pub(crate) fn create(dir: &Path, base: Hash, entries: &[Entry]) -> Result<Self, OpenError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Err(OpenError::damaged(dir, "an empty segment was asked for"));
        };
        let path = dir.join(format!("history-{:020}-{:020}.redb", first.index, last.index));
        let temporary = path.with_extension("tmp");
        remove_if_there(&temporary).map_err(OpenError::io(&temporary))?;
        write(&temporary, base, entries, last).map_err(|error| {
            // a disk that is full needs the room; what cannot be removed now is overwritten later
            let _ = fs::remove_file(&temporary);
            OpenError::redb(&temporary)(error)
        })?;
        File::open(&temporary)
            .and_then(|file| file.sync_all())
            .and_then(|()| rename_durably(&temporary, &path))
            .map_err(OpenError::io(&path))?;
        Self::open(&path)
    }

    pub(crate) fn contains(&self, index: u64) -> bool {
        (self.first..=self.last.index).contains(&index)
    }

    /// Entries of `range` that lie here, checked against the chain from both sides.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        let range = range.start.max(self.first)..range.end.min(self.last.index + 1);
        let read = || read_entries(&begin_read(&self.path)?, &self.path, range.clone());
        let entries = guard(&self.path, read)?;
        let starts = entries.first().is_some_and(|entry| entry.index == range.start);
        let next = entries.last().filter(|_| starts).map_or(range.start, |last| last.index + 1);
        if next < range.end {
            return Err(ReadError::Missing { index: next, path: self.path.clone() });
        }
        self.check_ends(&entries)?;
        Ok(entries)
    }

    /// Reads everything once.
    pub(crate) fn verify(&self) -> Result<(), ReadError> {
        let mut next = self.first;
        while next <= self.last.index {
            let entries = self.read(next..next.saturating_add(READ_AHEAD))?;
            next = entries.last().map_or(u64::MAX, |last| last.index + 1);
        }
        Ok(())
    }

    fn check_ends(&self, entries: &[Entry]) -> Result<(), ReadError> {
        let damaged = |source| ReadError::Entry { path: self.path.clone(), source };
        for entry in entries {
            if entry.index == self.first {
                entry.check(&self.base).map_err(damaged)?;
            }
            if entry.index == self.last.index && entry.hash != self.last.hash {
                return Err(damaged(EntryError::Chain(entry.index)));
            }
        }
        Ok(())
    }
}

/// First and last index, from `history-<first>-<last>.redb`.
pub(crate) fn range_in_name(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?;
    let (first, last) = name.strip_prefix("history-")?.strip_suffix(".redb")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn begin_read(path: &Path) -> Result<ReadTransaction, OpenError> {
    let database = ReadOnlyDatabase::open(path).map_err(OpenError::redb(path))?;
    database.begin_read().map_err(OpenError::redb(path))
}

fn write(path: &Path, base: Hash, entries: &[Entry], last: &Entry) -> Result<(), redb::Error> {
    let database = Database::create(path)?;
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(ENTRIES)?;
        for entry in entries {
            table.insert(entry.index, entry.encode().as_slice())?;
        }
        let mark = Mark { index: last.index, term: last.term, hash: last.hash };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut meta = transaction.open_table(META)?;
        meta.insert(key::FORMAT, FORMAT.to_le_bytes().as_slice())?;
        meta.insert(key::BASE, base.0.as_slice())?;
        meta.insert(key::LAST, mark.encode().as_slice())?;
        meta.insert(key::CLOSED_AT_MS, now_ms.to_le_bytes().as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
