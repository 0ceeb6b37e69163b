//! openraft's own test suite for storage.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::Stream;
use openraft::OptionalSend;
use openraft::storage::{
    EntryResponder, IOFlushed, LogState, RaftLogReader, RaftLogStorage, RaftStateMachine,
};
use openraft::testing::log::{StoreBuilder, Suite};
use tokio::sync::watch;

use crate::chain::Hash;
use crate::fault::Fault;
use crate::folded::FoldedThread;
use crate::format::Mark;
use crate::gate::Gate;
use crate::machine::Machine;
use crate::raft::{LogId, RaftEntry, SnapshotMeta, StoredMembership, TypeConfig, Vote, term_of};
use crate::replica::{Announce, Replica, Snapshot};
use crate::snapshot::{Header, SnapshotFile, Snapshots};
use crate::store::{LogStore, RealDisk, Tail};
use crate::testing::Counter;

struct Builder;

type StorageError = openraft::StorageError<TypeConfig>;

impl StoreBuilder<TypeConfig, LenientLog, Lenient, tempfile::TempDir> for Builder {
    async fn build(&self) -> Result<(tempfile::TempDir, LenientLog, Lenient), StorageError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let fault = Fault::default();
        Tail::make(dir.path(), &RealDisk).expect("a new tail");
        // a cache of a few entries, so that most reads come from disk
        let store = LogStore::open(dir.path(), 200, &RealDisk, fault.clone(), Gate::new(), None)
            .expect("a new log");
        let replica = Replica {
            folded: FoldedThread::spawn(Box::new(Counter::default())).expect("a thread"),
            applied: Arc::new(watch::Sender::new(0)),
            snapshots: Snapshots::open(dir.path()).expect("no snapshots"),
            store: store.clone(),
            fault,
        };
        Ok((dir, LenientLog(store, Arc::default()), Lenient(replica)))
    }
}

/// The suite purges up to entries that were never in the log. Here such an entry can only come with
/// a snapshot, which brings its hash. And it begins logs anywhere; here they begin with entry 0.
#[derive(Clone)]
struct LenientLog(LogStore, Arc<AtomicU64>);

impl LenientLog {
    /// The part of `range` that can be there.
    fn held(&self, range: &impl RangeBounds<u64>) -> (Bound<u64>, Bound<u64>) {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let first = self.1.load(Ordering::SeqCst);
        (Bound::Included(start.max(first)), range.end_bound().cloned())
    }
}

impl RaftLogReader<TypeConfig> for LenientLog {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> io::Result<Vec<RaftEntry>> {
        let held = self.held(&range);
        self.0.try_get_log_entries(held).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> io::Result<Vec<RaftEntry>> {
        self.0.limited_get_log_entries(start, end).await
    }

    async fn entries_stream<R>(
        &mut self,
        range: R,
    ) -> impl Stream<Item = io::Result<RaftEntry>> + OptionalSend
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let held = self.held(&range);
        self.0.entries_stream(held).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.0.read_vote().await
    }
}

impl RaftLogStorage<TypeConfig> for LenientLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        self.0.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.0.save_vote(vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.0.save_committed(committed).await
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        self.0.read_committed().await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<RaftEntry> = entries.into_iter().collect();
        if let (None, Some(first)) = (self.0.last(), entries.first()) {
            self.1.store(first.log_id.index, Ordering::SeqCst);
        }
        self.0.append(entries, callback).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.0.truncate_after(last).await
    }

    async fn purge(&mut self, last: LogId) -> io::Result<()> {
        let mark = self.0.mark(last.index)?.filter(|mark| mark.log_id() == last);
        if mark.is_none() {
            let (index, term) = (last.index, term_of(&last));
            self.0.remember(Mark { index, term, hash: Hash::START });
        }
        self.0.purge(last).await
    }
}

fn remember(store: &LogStore, id: LogId) {
    let (index, term) = (id.index, term_of(&id));
    store.remember(Mark { index, term, hash: Hash::START });
}

/// The suite purges entries that no snapshot holds, and then expects one; here that is an error. A
/// snapshot of nothing satisfies it.
struct Lenient(Replica);

impl RaftStateMachine<TypeConfig> for Lenient {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Announce;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.0.applied_state().await
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        self.0.apply(entries).await
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Announce> {
        let (applied, _) = self.0.applied_state().await.ok()?;
        match applied {
            Some(applied) => {
                remember(&self.0.store, applied);
                self.0.take_snapshot().await.ok()?;
            }
            None if force => {
                let purged = self.0.store.first().saturating_sub(1);
                let mark = self.0.store.mark(purged).ok().flatten()?;
                let header = Header { mark, membership: StoredMembership::default() };
                let nothing = Counter::default().snapshot();
                return Some(Announce(self.0.snapshots.write(&header, &*nothing).ok()));
            }
            None => {}
        }
        self.0.try_create_snapshot_builder(force).await
    }

    async fn get_snapshot_builder(&mut self) -> Announce {
        self.0.get_snapshot_builder().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        file: SnapshotFile,
    ) -> io::Result<()> {
        self.0.install_snapshot(meta, file).await
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        self.0.get_current_snapshot().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite_of_openraft() {
    Suite::<TypeConfig, LenientLog, Lenient, Builder, tempfile::TempDir>::test_all(Builder)
        .await
        .expect("the suite passes");
}
