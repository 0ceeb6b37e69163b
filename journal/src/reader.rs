//! Reads a journal from its files: those of a stopped master, a copy of them, or those of a master
//! that runs. Never writes.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::ops::{Bound, Range, RangeBounds};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::chain::Hash;
use crate::entry::{Entry, EntryError};
use crate::error::{OpenError, ReadError};
use crate::format::Mark;
use crate::history::{self, Segment};
use crate::identity::Identity;
use crate::raft::term_of;
use crate::snapshot::{self, SnapshotFile, SnapshotReader};
use crate::store::{READERS, TAIL, Tail, TailState};

/// A journal as its files were when it was opened.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    identity: Identity,
    segments: Vec<Segment>,
    tail: Tail,
    state: TailState,
}

/// What a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Index of the oldest entry that is still there, or of the first to come.
    pub first: u64,
    /// Index of the newest entry, `None` when there is none.
    pub last: Option<u64>,
    /// Entries up to this one are known to be committed; later ones may be overwritten yet.
    pub committed: Option<u64>,
}

/// A state at one index.
#[derive(Debug)]
pub struct Snapshot {
    /// The last entry that is in it.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
    /// The chain up to that entry.
    pub hash: Hash,
    /// What [`SnapshotSource::write`](crate::SnapshotSource::write) wrote, checked while it is read.
    pub content: SnapshotReader,
}

/// What [`Reader::verify`] went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries.
    pub entries: u64,
    /// How many snapshots.
    pub snapshots: u64,
    /// The chain at the newest entry.
    pub hash: Hash,
}

/// How many entries are read at a time.
const READ_AHEAD: u64 = 4096;
/// How often a live tail is copied anew because the copy was torn.
const MAX_COPIES: u32 = 20;
/// How long a reader waits for a pause between two writes of a live master, and in which steps.
const PAUSE_POLLS: u32 = 1000;
const PAUSE_POLL: Duration = Duration::from_millis(1);

impl Reader {
    /// Opens the journal in `dir`.
    ///
    /// # Errors
    /// When there is none, it is of another format, or a file is damaged: the file is named.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let mut tries = 1;
        loop {
            match Self::open_once(dir) {
                Ok(reader) if reader.is_gapless() || tries == MAX_COPIES => return Ok(reader),
                Ok(_) => {}
                Err(OpenError::Io { path, source })
                    if source.kind() == ErrorKind::NotFound
                        && history::range_in_name(&path).is_some()
                        && tries < MAX_COPIES => {}
                Err(error) => return Err(error),
            }
            // a live master let go of its oldest segment meanwhile
            tries += 1;
        }
    }

    fn open_once(dir: &Path) -> Result<Self, OpenError> {
        let identity = Identity::load(dir)?.ok_or_else(|| OpenError::Missing(dir.into()))?;
        // the tail first: what leaves it for the history meanwhile is then seen twice, not never
        let (tail, state) = copy_tail(dir).map_err(|error| match error {
            OpenError::TailLost(_) if identity.node == 0 => OpenError::Missing(dir.into()),
            error => error,
        })?;
        let mut segments = history::find(dir)?;
        segments.retain(|it| state.purged.is_none_or(|purged| it.last.index > purged.index));
        history::check_order(&segments)?;
        Ok(Self { dir: dir.to_path_buf(), identity, segments, tail, state })
    }

    /// Whether the oldest entry that should be there is.
    fn is_gapless(&self) -> bool {
        let tail = self.state.entries.map(|(first, _)| first);
        let oldest = self.segments.first().map(|segment| segment.first).or(tail);
        oldest.is_none_or(|oldest| oldest <= self.bounds().first)
    }

    /// Whose journal it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it holds.
    pub fn bounds(&self) -> Bounds {
        let history = self.segments.last().map(|segment| segment.last.index);
        let tail = self.state.entries.map(|(_, last)| last.index);
        let committed = self.state.committed.map(|id| id.index);
        Bounds {
            first: self.state.purged.map_or(0, |mark| mark.index + 1),
            last: history.max(tail),
            // only committed entries go into the history
            committed: committed.max(history).max(self.state.purged.map(|mark| mark.index)),
        }
    }

    /// The entries of `range` that are there, in order, each checked against the chain. Ends at the
    /// newest entry, or after the first error.
    pub fn entries(&self, range: impl RangeBounds<u64>) -> Entries<'_> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => self.bounds().first,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let end = end.min(self.bounds().last.map_or(0, |last| last + 1));
        Entries { reader: self, next: start, end, read: VecDeque::new(), previous: None }
    }

    /// The newest good snapshot whose index is at most `index`.
    ///
    /// # Errors
    /// When the directory cannot be read; a damaged snapshot is passed over.
    pub fn snapshot(&self, index: u64) -> Result<Option<Snapshot>, OpenError> {
        let named = snapshot::named(&self.dir).map_err(OpenError::io(&self.dir))?;
        for ((at, _), path) in named.into_iter().rev() {
            let opened = (at <= index).then(|| verified(&path));
            if let Some(Ok(file)) = opened {
                let mark = file.header.mark;
                let content = file.content().map_err(OpenError::io(&path))?;
                let Mark { index, term, hash } = mark;
                return Ok(Some(Snapshot { index, term, hash, content }));
            }
        }
        Ok(None)
    }

    /// Reads everything once: each entry against the chain, each snapshot against its checksums and
    /// against the chain at its index.
    ///
    /// # Errors
    /// Names the first damaged entry or file.
    pub fn verify(&self) -> Result<Verified, ReadError> {
        let (mut entries, mut hash, mut term) = (0, self.base(), 0);
        for entry in self.entries(..) {
            let entry = entry?;
            self.verify_term(&entry, term)?;
            (hash, term) = (entry.hash, entry.term);
            entries += 1;
        }
        self.verify_end()?;
        let named = snapshot::named(&self.dir).map_err(OpenError::io(&self.dir))?;
        for (_, path) in &named {
            let damaged = |error: std::io::Error| OpenError::damaged(path, error.to_string());
            self.verify_place(&verified(path).map_err(damaged)?)?;
        }
        Ok(Verified { entries, snapshots: named.len() as u64, hash })
    }

    /// Terms only grow; and an entry that is known to be committed is never replaced by another.
    fn verify_term(&self, entry: &Entry, before: u64) -> Result<(), ReadError> {
        let Entry { index, term, .. } = entry;
        let path = self.path_of(*index);
        if *term < before {
            let what = format!("entry {index} is of term {term}, and the one before of {before}");
            return Err(OpenError::damaged(&path, what).into());
        }
        let committed = self.state.committed.filter(|committed| committed.index == *index);
        match committed.map(|committed| term_of(&committed)) {
            Some(committed) if committed != *term => {
                let what = format!(
                    "entry {index} is of term {term}, and what was committed there of {committed}"
                );
                Err(OpenError::damaged(&path, what).into())
            }
            _ => Ok(()),
        }
    }

    /// All that is known to be committed is there, as entries or in a snapshot that came from a peer
    /// and that the log is not yet purged up to.
    fn verify_end(&self) -> Result<(), ReadError> {
        let Bounds { first, last, committed } = self.bounds();
        let end = last.map_or(first, |last| last + 1);
        let Some(committed) = committed.filter(|committed| *committed >= end) else {
            return Ok(());
        };
        let named = snapshot::named(&self.dir).map_err(OpenError::io(&self.dir))?;
        if named.iter().any(|((index, _), _)| *index >= committed) {
            return Ok(());
        }
        let what = match end.checked_sub(1) {
            Some(last) => format!("it ends at entry {last}, and entry {committed} was committed"),
            None => format!("it holds no entry, and entry {committed} was committed"),
        };
        Err(OpenError::damaged(&self.dir.join(TAIL), what).into())
    }

    fn verify_place(&self, snapshot: &SnapshotFile) -> Result<(), ReadError> {
        let mark = snapshot.header.mark;
        let entry = match self.entries(mark.index..=mark.index).next() {
            None | Some(Err(ReadError::Purged { .. })) => return Ok(()),
            Some(entry) => entry?,
        };
        if entry.hash == mark.hash && entry.term == mark.term {
            return Ok(());
        }
        let what = format!("it does not fit the chain at entry {}", mark.index);
        Err(OpenError::damaged(&snapshot.path, what).into())
    }

    /// What the oldest entry is chained to.
    fn base(&self) -> Hash {
        self.state.purged.map_or(Hash::START, |mark| mark.hash)
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        match self.segments.iter().find(|segment| segment.contains(range.start)) {
            Some(segment) => segment.read(range),
            None => self.tail.read(range),
        }
    }

    fn path_of(&self, index: u64) -> PathBuf {
        let segment = self.segments.iter().find(|segment| segment.contains(index));
        segment.map_or_else(|| self.dir.join(TAIL), |segment| segment.path.clone())
    }
}

/// Iterates over entries; see [`Reader::entries`].
#[derive(Debug)]
pub struct Entries<'a> {
    reader: &'a Reader,
    next: u64,
    end: u64,
    read: VecDeque<Entry>,
    /// Hash of the entry before `next`, once known.
    previous: Option<Hash>,
}

impl Entries<'_> {
    fn read_more(&mut self) -> Result<(), ReadError> {
        let first = self.reader.bounds().first;
        if self.next < first {
            return Err(ReadError::Purged { index: self.next, first });
        }
        let end = self.end.min(self.next.saturating_add(READ_AHEAD));
        let entries = self.reader.read(self.next..end)?;
        let Some(entry) = entries.first().filter(|entry| entry.index == self.next) else {
            return Err(ReadError::Missing {
                index: self.next,
                path: self.reader.path_of(self.next),
            });
        };
        let at_start = (self.next == first).then(|| self.reader.base());
        if let Some(previous) = self.previous.or(at_start) {
            let damaged = |source: EntryError| ReadError::Entry {
                path: self.reader.path_of(self.next),
                source,
            };
            entry.check(&previous).map_err(damaged)?;
        }
        self.previous = entries.last().map(|entry| entry.hash);
        self.next += entries.len() as u64;
        self.read = entries.into();
        Ok(())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty()
            && self.next < self.end
            && let Err(error) = self.read_more()
        {
            self.end = self.next;
            return Some(Err(error));
        }
        self.read.pop_front().map(Ok)
    }
}

fn verified(path: &Path) -> std::io::Result<SnapshotFile> {
    let snapshot = SnapshotFile::open(path)?;
    snapshot.verify().map(|()| snapshot)
}

/// Copies the tail into memory, since a live master holds the file, and opening the file of a dead
/// one would repair it in place.
pub(crate) fn copy_tail(dir: &Path) -> Result<(Tail, TailState), OpenError> {
    let path = dir.join(TAIL);
    let mut copies = 0;
    loop {
        let bytes = {
            let _pause = pause(dir)?;
            match fs::read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(OpenError::TailLost(dir.to_path_buf()));
                }
                read => read.map_err(OpenError::io(&path))?,
            }
        };
        copies += 1;
        match Tail::open_copy(&path, &bytes) {
            Err(OpenError::Damaged { .. }) if copies < MAX_COPIES => thread::sleep(PAUSE_POLL),
            result => return result,
        }
    }
}

/// Holds the lock that a live master takes around each write, so that the copy is not torn. A
/// master waits only so long for it: the copy may be torn all the same, which its checksums tell.
fn pause(dir: &Path) -> Result<Option<File>, OpenError> {
    let path = dir.join(READERS);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io(&path)(error)),
    };
    for _ in 0..PAUSE_POLLS {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE_POLL),
            Err(TryLockError::Error(error)) => return Err(OpenError::io(&path)(error)),
        }
    }
    Ok(Some(file))
}
