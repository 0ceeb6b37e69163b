//! openraft's state machine: hands committed entries to the [`Machine`](crate::Machine) on a thread
//! of its own, and keeps the position and the membership beside it.

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};
use tokio::sync::watch;

use crate::error::Report;
use crate::fault::Fault;
use crate::folded::{Folded, FoldedThread};
use crate::machine::{ApplyError, Committed, SnapshotSource};
use crate::raft::{Applied, LogId, RaftEntry, SnapshotMeta, StoredMembership, TypeConfig, term_of};
use crate::snapshot::{Header, SnapshotFile, Snapshots};
use crate::store::LogStore;

/// How many entries go to the machine's thread at a time.
const MAX_APPLY_ENTRIES: usize = 256;

pub(crate) type Snapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotFile>;

/// The machine, and what openraft wants to know about it. Its thread outlives one run of openraft,
/// so that the state need not be rebuilt when the journal recovers in place.
#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) folded: FoldedThread,
    pub(crate) applied: Arc<watch::Sender<u64>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) store: LogStore,
    pub(crate) fault: Fault,
}

impl Replica {
    /// Writes a snapshot of the state as it is now, unless the newest one is as new. openraft is
    /// not asked to do it, since it would stop for good when the disk is full.
    pub(crate) async fn take_snapshot(&self) -> io::Result<()> {
        let building = self.snapshots.building.acquire().await;
        let _one = building.map_err(io::Error::other)?;
        let (source, applied, membership) = self.folded.run(freeze).await?;
        let Some(applied) = applied else {
            return Ok(());
        };
        let newest = self.snapshots.newest();
        if newest.is_some_and(|newest| newest.header.mark.index >= applied.index) {
            return Ok(());
        }
        let mark = self.store.mark(applied.index)?.ok_or_else(|| {
            io::Error::other(format!("the hash at entry {} is not known", applied.index))
        })?;
        let snapshots = self.snapshots.clone();
        let header = Header { mark, membership };
        let write = move || snapshots.write(&header, &*source);
        let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??;
        // a snapshot that is newer than the log on this disk would tear a hole into the history
        self.store.flush().await?;
        let snapshots = self.snapshots.clone();
        let keep = tokio::task::spawn_blocking(move || snapshots.keep(written));
        keep.await.map_err(io::Error::other)?.map(drop)
    }

    async fn apply_some(&self, entries: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        let answer = |(entry, responder): EntryResponder<TypeConfig>| {
            let blank = matches!(entry.payload, EntryPayload::Blank);
            (entry, responder.map(|responder| (responder, Applied { blank })))
        };
        let (entries, answers): (Vec<_>, Vec<_>) = entries.into_iter().map(answer).unzip();
        let apply = move |folded: &mut Folded| {
            let result = entries.into_iter().try_for_each(|entry| apply(folded, entry));
            (folded.applied, result)
        };
        let (applied, result) = self.folded.run(apply).await.inspect_err(|error| {
            self.fault.report_machine(*self.applied.borrow() + 1, error);
        })?;
        self.applied.send_replace(applied.map_or(0, |applied| applied.index));
        result.map_err(|(index, error)| {
            self.fault.report_machine(index, &error);
            io::Error::other(error)
        })?;
        for (responder, applied) in answers.into_iter().flatten() {
            responder.send(applied);
        }
        Ok(())
    }
}

type Frozen = (Box<dyn SnapshotSource>, Option<LogId>, StoredMembership);

fn freeze(folded: &mut Folded) -> Frozen {
    (folded.machine.snapshot(), folded.applied, folded.membership.clone())
}

fn apply(folded: &mut Folded, entry: RaftEntry) -> Result<(), (u64, ApplyError)> {
    let log_id = entry.log_id;
    match entry.payload {
        EntryPayload::Blank => {}
        EntryPayload::Normal(payload) => {
            let (index, term) = (log_id.index, term_of(&log_id));
            let committed = Committed { index, term, payload: payload.bytes };
            folded.machine.apply(&committed).map_err(|error| (index, error))?;
        }
        EntryPayload::Membership(membership) => {
            folded.membership = StoredMembership::new(Some(log_id), membership);
        }
    }
    folded.applied = Some(log_id);
    Ok(())
}

fn restore(folded: &mut Folded, snapshot: &SnapshotFile) -> Result<(), ApplyError> {
    let mut content = snapshot.content().map_err(|error| ApplyError(error.to_string()))?;
    folded.machine.restore(&mut content)?;
    folded.applied = Some(snapshot.header.mark.log_id());
    folded.membership = snapshot.header.membership.clone();
    Ok(())
}

impl RaftStateMachine<TypeConfig> for Replica {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Announce;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.folded.run(|folded| (folded.applied, folded.membership.clone())).await
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let mut chunks = entries.ready_chunks(MAX_APPLY_ENTRIES);
        while let Some(chunk) = chunks.next().await {
            self.apply_some(chunk.into_iter().collect::<io::Result<_>>()?).await?;
        }
        Ok(())
    }

    /// Forced, when openraft found entries purged and no snapshot: then building fails, and the
    /// journal is not opened on half a state.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Announce> {
        let newest = self.snapshots.newest();
        (force || newest.is_some()).then_some(Announce(newest))
    }

    async fn get_snapshot_builder(&mut self) -> Announce {
        Announce(self.snapshots.newest())
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        snapshot: SnapshotFile,
    ) -> io::Result<()> {
        let index = snapshot.header.mark.index;
        self.store.remember(snapshot.header.mark);
        let restoring = snapshot.clone();
        let restored = self.folded.run(move |folded| restore(folded, &restoring)).await?;
        restored.map_err(|error| {
            self.fault.report_machine(index, &Report(&error));
            io::Error::other(error)
        })?;
        let snapshots = self.snapshots.clone();
        let keep = tokio::task::spawn_blocking(move || snapshots.keep(snapshot));
        keep.await.map_err(io::Error::other)??;
        self.applied.send_replace(index);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        Ok(self.snapshots.newest().map(announce))
    }
}

/// Tells openraft of the newest snapshot, which is written already.
pub(crate) struct Announce(pub(crate) Option<SnapshotFile>);

impl RaftSnapshotBuilder<TypeConfig> for Announce {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let missing = "the oldest entries are gone, and no good snapshot holds what they did";
        self.0.clone().map(announce).ok_or_else(|| io::Error::other(missing))
    }
}

fn announce(file: SnapshotFile) -> Snapshot {
    Snapshot { meta: file.header.meta(), snapshot: file }
}
