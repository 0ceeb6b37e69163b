//! openraft's log storage. Appending encodes, caches, queues and returns; the callback comes after
//! the commit.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use tokio::sync::oneshot;

use super::check::check_tail;
use super::follow::WeakLog;
use super::queue::{Done, Operation, Queue};
use super::state::State;
use super::tail::{Disk, READERS, Tail};
use super::writer::Writer;
use crate::chain::Hash;
use crate::entry::Entry;
use crate::error::{OpenError, ReadError, Report};
use crate::fault::Fault;
use crate::format::Mark;
use crate::gate::Gate;
use crate::history::History;
use crate::mend::Mender;
use crate::raft::{LogId, RaftEntry, TypeConfig, Vote};

/// How often, and how many times, it is looked whether the store is closed.
const CLOSE_POLL: Duration = Duration::from_millis(5);
const CLOSE_POLLS: u32 = 1000;

/// A handle on the log; clones share it. The writer ends when the last is gone.
#[derive(Clone)]
pub(crate) struct LogStore(pub(super) Arc<Shared>);

pub(super) struct Shared {
    state: Mutex<State>,
    queue: Arc<Queue>,
    pub(super) tail: Tail,
    pub(super) history: Arc<History>,
    pub(super) mender: Option<Mender>,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
    /// Dropped last, when the files are closed.
    open: Arc<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // the last handle may be one that a callback held, on the writer's own thread
        if let Some(writer) = writer.filter(|it| it.thread().id() != thread::current().id()) {
            // a writer that panicked has dropped its callbacks, which is reported there
            let _ = writer.join();
        }
    }
}

impl LogStore {
    /// Opens the log in `dir` and checks the chain of its tail.
    pub(crate) fn open(
        dir: &Path,
        cache_bytes: usize,
        disk: &dyn Disk,
        fault: Fault,
        gate: Gate,
        mender: Option<Mender>,
    ) -> Result<Self, OpenError> {
        let (tail, tail_state) = Tail::open(dir, disk)?;
        let history = Arc::new(History::open(dir, tail_state.purged)?);
        let tail_bytes = check_tail(&tail, &tail_state, &history).map_err(|error| match error {
            ReadError::File(error) => error,
            error => OpenError::damaged(tail.path(), Report(&error).to_string()),
        })?;
        let mut state = State::new(cache_bytes, &tail_state, history.last(), gate);
        state.tail_bytes = tail_bytes;
        let queue = Arc::new(Queue::default());
        let readers = dir.join(READERS);
        let readers = File::create(&readers).map_err(OpenError::io(&readers))?;
        let writer = Writer { tail: tail.clone(), queue: queue.clone(), fault, readers };
        let writer = thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || writer.run())
            .map_err(OpenError::io(tail.path()))?;
        let (state, writer) = (Mutex::new(state), Mutex::new(Some(writer)));
        Ok(Self(Arc::new(Shared {
            state,
            queue,
            tail,
            history,
            mender,
            writer,
            open: Arc::new(()),
        })))
    }

    pub(crate) fn history(&self) -> &Arc<History> {
        &self.0.history
    }

    /// Waits until everything queued so far is on disk.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.queue_and_wait(Operation::Barrier).await
    }

    /// Drops entries up to `index`, which are in the history, from the tail.
    pub(crate) async fn trim(&self, index: u64) -> io::Result<()> {
        self.queue_and_wait(|done| Operation::Trim(index, done)).await
    }

    /// Bytes of all entries appended since the journal was opened.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.state().appended_bytes
    }

    /// Bytes of the entries in the tail, about.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.state().tail_bytes
    }

    /// So many bytes left the tail for the history.
    pub(crate) fn left_tail(&self, bytes: u64) {
        let mut state = self.state();
        state.tail_bytes = state.tail_bytes.saturating_sub(bytes);
    }

    /// The first index that is not in the history, and the hash it is chained to.
    pub(crate) fn tail_start(&self) -> Option<(Hash, u64)> {
        let before = self.0.history.last().or(self.state().purged);
        let start = before.map_or((Hash::START, 0), |mark| (mark.hash, mark.index + 1));
        self.last().filter(|last| last.index >= start.1).map(|_| start)
    }

    /// Records of the entries that did not reach the disk.
    pub(crate) fn unwritten(&self) -> Vec<(u64, Vec<u8>)> {
        let state = self.state();
        state.cache.records(state.durable_end..u64::MAX)
    }

    /// Appends records that an earlier run could not write. What lies in their place was never
    /// acknowledged either.
    pub(crate) async fn restore(&self, records: Vec<(u64, Vec<u8>)>) -> io::Result<()> {
        let Some((first, _)) = records.first() else { return self.flush().await };
        if let Some(before) = first.checked_sub(1) {
            self.truncate(*first, self.mark(before)?).await?;
        }
        let end = records.last().map_or(0, |(index, _)| index + 1);
        for (index, record) in &records {
            let entry = Entry::decode(*index, record).map_err(io::Error::other)?;
            self.state().append(entry.to_raft().map_err(io::Error::other)?);
        }
        self.queue_and_wait(|done| Operation::Append(records, done)).await?;
        self.state().flushed(end);
        Ok(())
    }

    /// Refuses to drop what was committed. A leader asks for that only when a majority has forgotten
    /// what it promised: whoever still has it must not follow.
    fn keep_committed(&self, from: u64) -> io::Result<()> {
        let Some(committed) = self.committed().filter(|committed| committed.index >= from) else {
            return Ok(());
        };
        // the commit may be that of a snapshot which is about to replace other entries
        let here = self.mark(committed.index)?;
        if here.is_none_or(|mark| mark.log_id() != committed) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the leader has other entries from {from} on, and here entries up to {} are known to be \
             committed: a majority has lost them",
            committed.index
        )))
    }

    async fn truncate(&self, from: u64, last: Option<Mark>) -> io::Result<()> {
        self.state().truncate(from, last);
        self.queue_and_wait(|done| Operation::Truncate(from, done)).await
    }

    /// For [`wait_closed`](Self::wait_closed).
    pub(crate) fn when_closed(&self) -> Weak<()> {
        Arc::downgrade(&self.0.open)
    }

    /// Waits until nobody holds the store any more and its files are closed, so that they can be
    /// opened again. Gives up after a while: opening tells then.
    pub(crate) async fn wait_closed(open: Weak<()>) {
        for _ in 0..CLOSE_POLLS {
            if open.strong_count() == 0 {
                return;
            }
            tokio::time::sleep(CLOSE_POLL).await;
        }
    }

    /// Newest entry, durable or not.
    pub(crate) fn last(&self) -> Option<Mark> {
        self.state().last
    }

    /// A handle that does not keep the files open.
    pub(crate) fn downgrade(&self) -> WeakLog {
        WeakLog::new(&self.0)
    }

    /// What is known to be committed.
    pub(crate) fn committed(&self) -> Option<LogId> {
        self.state().committed
    }

    /// The first index that can be read.
    pub(crate) fn first(&self) -> u64 {
        self.state().purged.map_or(0, |mark| mark.index + 1)
    }

    /// Remembers the chain at a snapshot that is about to be installed.
    pub(crate) fn remember(&self, mark: Mark) {
        self.state().remember(mark);
    }

    /// The chain at `index`, wherever it lies.
    pub(crate) fn mark(&self, index: u64) -> Result<Option<Mark>, ReadError> {
        if let Some(mark) = self.state().mark(index) {
            return Ok(Some(mark));
        }
        let entries = self.read_disk(index..index.saturating_add(1))?;
        Ok(entries.first().map(|entry| Mark {
            index: entry.index,
            term: entry.term,
            hash: entry.hash,
        }))
    }

    async fn queue_and_wait(&self, operation: impl FnOnce(Done) -> Operation) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        let done: Done = Box::new(move |result| {
            // nobody waits any more when the caller was cancelled
            let _ = sender.send(result);
        });
        self.0.queue.push(operation(done));
        receiver.await.map_err(|_| io::Error::other("the journal's writer is gone"))?
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.state();
        Ok(LogState {
            last_purged_log_id: state.purged.map(|mark| mark.log_id()),
            last_log_id: state.last.map(|mark| mark.log_id()),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let record = rmp_serde::to_vec_named(vote).map_err(io::Error::other)?;
        self.queue_and_wait(|done| Operation::Vote(record, done)).await?;
        self.state().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else {
            return Ok(());
        };
        self.state().committed = Some(committed);
        self.0.queue.push(Operation::Committed(committed));
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.committed())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records: Vec<_> = {
            let mut state = self.state();
            entries.into_iter().map(|entry| state.append(entry)).collect()
        };
        let end = records.last().map_or(0, |(index, _)| index + 1);
        let shared = Arc::downgrade(&self.0);
        let done: Done = Box::new(move |result| {
            if result.is_ok()
                && let Some(shared) = shared.upgrade()
            {
                LogStore(shared).state().flushed(end);
            }
            callback.io_completed(result);
        });
        self.0.queue.push(Operation::Append(records, done));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let from = last.map_or(0, |last| last.index + 1);
        if self.last().is_none_or(|newest| newest.index < from) {
            return Ok(());
        }
        self.keep_committed(from)?;
        let mark = match last {
            Some(last) => self.mark(last.index)?,
            None => None,
        };
        self.truncate(from, mark).await
    }

    async fn purge(&mut self, last: LogId) -> io::Result<()> {
        // a snapshot's mark comes first: the log may hold another entry at its index
        let known = self.state().known(last.index);
        let mark = match known.filter(|mark| mark.log_id() == last) {
            Some(mark) => Some(mark),
            None => self.mark(last.index)?.filter(|mark| mark.log_id() == last),
        };
        let mark = mark.ok_or_else(|| {
            io::Error::other(format!("cannot purge up to {last}: its hash is not known"))
        })?;
        self.queue_and_wait(|done| Operation::Purge(mark, done)).await?;
        self.state().purge(mark);
        self.0.history.purge(mark.index).map_err(io::Error::other)
    }
}
