//! Reading the log: from memory as far as it is there, else from disk, where damage is mended first.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::time::Duration;

use openraft::OptionalSend;
use openraft::storage::RaftLogReader;

use super::log::LogStore;
use crate::entry::Entry;
use crate::error::{ReadError, Report};
use crate::history::range_in_name;
use crate::raft::{RaftEntry, TypeConfig, Vote};

/// The most bytes of entries in one append to a peer; an entry larger than this travels alone.
const MAX_FRAME_BYTES: usize = 2 << 20;
/// How long a follower waits whose entries cannot be read, until they are tried again.
const READ_RETRY: Duration = Duration::from_secs(2);
/// How many entries are read from disk at a time.
const READ_AHEAD: u64 = 1024;

/// Entries on their way out.
struct Taken {
    entries: Vec<RaftEntry>,
    /// How many more bytes are wanted.
    room: usize,
    /// Index of the next.
    next: u64,
}

impl Taken {
    /// Takes the next entry, if there is room.
    fn push(&mut self, entry: RaftEntry, bytes: usize) {
        if self.room > 0 && entry.log_id.index == self.next {
            self.room = self.room.saturating_sub(bytes.max(1));
            self.next += 1;
            self.entries.push(entry);
        }
    }
}

impl LogStore {
    /// Entries of `range` from disk, checked; as many as lie together, at most [`READ_AHEAD`].
    /// Either none, or the first of the range among them.
    pub(crate) fn read_disk(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        let range = range.start..range.end.min(range.start.saturating_add(READ_AHEAD));
        let found = self.0.history.read(range.clone())?;
        if !found.is_empty() {
            return Ok(found);
        }
        let found = self.0.tail.read(range.clone())?;
        if found.first().is_some_and(|entry| entry.index == range.start) {
            return Ok(found);
        }
        // it may have moved from the tail into the history between the two looks
        self.0.history.read(range)
    }

    /// Entries of `range`, at most about `max_bytes` of them but at least one if there is one.
    async fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<RaftEntry>> {
        let next = range.start.max(self.first());
        let mut taken = Taken { entries: Vec::new(), room: max_bytes, next };
        while taken.room > 0 && taken.next < range.end {
            let before = taken.next;
            self.take_cached(&mut taken, range.end);
            if taken.room > 0 && taken.next < range.end {
                for entry in self.read_disk_blocking(taken.next..range.end).await? {
                    let bytes = entry.payload.len();
                    taken.push(entry.to_raft().map_err(io::Error::other)?, bytes);
                }
            }
            if taken.next == before {
                self.expect_none(before)?;
                break;
            }
        }
        Ok(taken.entries)
    }

    fn take_cached(&self, taken: &mut Taken, end: u64) {
        let state = self.state();
        for (entry, bytes) in state.cache.range(taken.next..end) {
            taken.push(entry.clone(), bytes);
            if taken.room == 0 {
                break;
            }
        }
    }

    /// An error when there should be an entry at `index`.
    fn expect_none(&self, index: u64) -> Result<(), ReadError> {
        let state = self.state();
        let first = state.purged.map_or(0, |mark| mark.index + 1);
        if state.last.is_some_and(|last| (first..=last.index).contains(&index)) {
            let path = self.0.tail.path().to_path_buf();
            return Err(ReadError::Missing { index, path });
        }
        Ok(())
    }

    /// Entries of `range` as [`read_disk`](Self::read_disk), on a thread that may block. A damaged
    /// segment is mended first.
    async fn read_disk_blocking(&self, range: Range<u64>) -> io::Result<Vec<Entry>> {
        let durable_end = self.state().durable_end;
        let range = range.start..range.end.min(durable_end);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        match self.read_on_thread(range.clone()).await? {
            Ok(entries) => Ok(entries),
            Err(error) => {
                self.mend(error).await?;
                Ok(self.read_on_thread(range).await??)
            }
        }
    }

    async fn read_on_thread(&self, range: Range<u64>) -> io::Result<Result<Vec<Entry>, ReadError>> {
        let store = self.clone();
        let read = tokio::task::spawn_blocking(move || store.read_disk(range));
        read.await.map_err(io::Error::other)
    }

    /// Mends the segment that could not be read, if it was a segment.
    pub(crate) async fn mend(&self, error: ReadError) -> Result<(), ReadError> {
        let damaged = error.path().filter(|path| range_in_name(path).is_some());
        let (Some(path), Some(mender)) = (damaged, &self.0.mender) else { return Err(error) };
        tracing::error!(error = %Report(&error), "a segment is damaged");
        self.0.history.replace(&mender.segment(path).await?);
        Ok(())
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<RaftEntry>> {
        self.read(to_range(&range), usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> io::Result<Vec<RaftEntry>> {
        // openraft would stop the leader for good because one follower needs what is damaged here
        loop {
            match self.read(start..end, MAX_FRAME_BYTES).await {
                Err(error) if self.0.mender.is_some() => {
                    tracing::error!(%error, start, "cannot read entries for a follower");
                    tokio::time::sleep(READ_RETRY).await;
                }
                result => return result,
            }
        }
    }

    async fn entries_stream<R>(
        &mut self,
        range: R,
    ) -> impl futures::Stream<Item = io::Result<RaftEntry>> + OptionalSend
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        entries_stream(self.clone(), to_range(&range))
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.state().vote)
    }
}

/// Reads a bounded number of bytes at a time, however long the range is.
fn entries_stream(
    store: LogStore,
    range: Range<u64>,
) -> impl futures::Stream<Item = io::Result<RaftEntry>> {
    use futures::stream::{self, StreamExt, TryStreamExt};
    let chunks = stream::try_unfold(range, move |range| {
        let store = store.clone();
        async move {
            if range.is_empty() {
                return Ok::<_, io::Error>(None);
            }
            let entries = store.read(range.clone(), MAX_FRAME_BYTES).await?;
            let Some(last) = entries.last() else {
                return Ok(None);
            };
            let rest = last.log_id.index + 1..range.end;
            Ok(Some((stream::iter(entries).map(Ok), rest)))
        }
    });
    chunks.try_flatten()
}

fn to_range(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end.max(start)
}
