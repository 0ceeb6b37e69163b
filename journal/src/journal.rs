//! The journal as its users see it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use futures::{StreamExt, stream};
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::error::{OpenError, Report};
use crate::fault::Fault;
use crate::folded::FoldedThread;
use crate::gate::Gate;
use crate::heard::Heard;
use crate::identity::{self, Identity};
use crate::leadership::{Leadership, Told};
use crate::lease::Lease;
use crate::machine::Machine;
use crate::member::Member;
use crate::membership::{self, ChangeError};
use crate::network::{Answer, Network, Silent, SnapshotAnswer, to_bytes};
use crate::propose::{Done, Outcome, Proposals};
use crate::run::{Core, Run};
use crate::snapshot::Snapshots;
use crate::status::{MemberStatus, Status};
use crate::store::{Disk, RealDisk, Tail, WeakLog};
use crate::supervise::supervise;
use crate::transport::{Frames, Transport};
use crate::upkeep;

/// An open journal. Clones share it; [`shutdown`](Self::shutdown) ends it for all.
#[derive(Clone)]
pub struct Journal {
    core: Arc<Core>,
    current: watch::Receiver<Option<Run>>,
    leadership: watch::Receiver<Leadership>,
    lease: Lease,
    proposals: Proposals,
    closing: Arc<Closing>,
}

/// What is let go of when the journal is shut down.
struct Closing {
    signal: watch::Sender<bool>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

/// Name of the file whose lock says that a directory is in use.
const LOCK: &str = "lock";

impl Journal {
    /// Opens the journal in `config.dir`: restores the newest good snapshot into `machine` and
    /// applies the committed entries after it. It answers peers from now on, through the `handle_`
    /// methods. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the directory is in use, foreign, of another format, damaged, of another node, or has
    /// lost its tail.
    pub async fn open(
        config: Config,
        machine: Box<dyn Machine>,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, OpenError> {
        Self::open_on(config, machine, transport, Arc::new(RealDisk)).await
    }

    /// The same with the tail on a disk that may fail on purpose.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_on(
        config: Config,
        machine: Box<dyn Machine>,
        transport: Arc<dyn Transport>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let raft_config = Arc::new(config.to_raft()?);
        let identity = Identity::load_or_create(&config.dir)?;
        let lock = lock(&config.dir)?;
        if identity.node != 0 && identity.node != config.node {
            let (dir, found, expected) = (config.dir, identity.node, config.node);
            return Err(OpenError::OtherNode { dir, found, expected });
        }
        if identity.node == 0 {
            Tail::make(&config.dir, &*disk)?;
        }
        let identity = Arc::new(RwLock::new(identity));
        let folded = FoldedThread::spawn(machine).map_err(OpenError::io(&config.dir))?;
        let core = Arc::new(Core {
            snapshots: Snapshots::open(&config.dir)?,
            network: Network {
                transport,
                identity: identity.clone(),
                silent: Silent::default(),
                log: WeakLog::default(),
            },
            config,
            raft_config,
            disk,
            identity,
            folded,
            applied: Arc::new(watch::Sender::new(0)),
            fault: Fault::default(),
            gate: Gate::new(),
            heard: Heard::default(),
        });
        let run = core.start(core.open_store().await?).await?;
        Ok(Self::supervised(core, run, lock))
    }

    fn supervised(core: Arc<Core>, run: Run, lock: File) -> Self {
        let (current_sender, current) = watch::channel(Some(run));
        let (leadership_sender, leadership) = watch::channel(Leadership::Electing);
        let lease = Lease::new();
        let (signal, closing) = watch::channel(false);
        let supervisor = tokio::spawn(supervise(
            core.clone(),
            current_sender,
            Told {
                leadership: Arc::new(leadership_sender),
                lease: lease.clone(),
                heard: core.heard.clone(),
            },
            closing,
        ));
        let closing = Closing {
            signal,
            supervisor: Mutex::new(Some(supervisor)),
            lock: Mutex::new(Some(lock)),
        };
        let proposals = Proposals::start(current.clone(), core.gate.clone());
        Self { core, current, leadership, lease, proposals, closing: Arc::new(closing) }
    }

    /// Forms the quorum with these founding members, this node among them, and waits until that is
    /// committed. Each founder calls it with the same members and the same `cluster_id`. Once the
    /// quorum is formed it does nothing.
    ///
    /// # Errors
    /// When the members make no sense, the directory belongs to another quorum, or no majority
    /// answers in time.
    pub async fn form(
        &self,
        members: BTreeMap<u64, Member>,
        cluster_id: &str,
    ) -> Result<(), ChangeError> {
        if cluster_id.is_empty() || !members.contains_key(&self.core.config.node) {
            let what = "a quorum needs a name, and the one who forms it";
            return Err(ChangeError::Invalid(what.into()));
        }
        {
            let identity = &self.core.identity;
            let mut identity = identity.write().unwrap_or_else(PoisonError::into_inner);
            let joined = identity.join(self.core.dir(), self.core.config.node, cluster_id);
            joined.map_err(|error| ChangeError::Invalid(error.to_string()))?;
        }
        membership::form(&self.run()?.raft, members).await
    }

    /// Puts a proposal into the queue and returns. Proposals are appended in the order of the calls;
    /// `done` is called exactly once for each, in no particular order and on any thread, so it must
    /// be quick. Only the leader of `term` appends.
    pub fn propose(&self, term: u64, payload: Bytes, done: impl FnOnce(Outcome) + Send + 'static) {
        self.proposals.push(term, payload, Done::new(done));
    }

    /// Who leads, now and from now on.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Whether this node, if it leads, has heard from a quorum lately: to be asked whenever it answers
    /// from what it knows, without a proposal.
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Who leads, as far as it is heard of while the journal does not run.
    pub fn heard(&self) -> Heard {
        self.core.heard.clone()
    }

    /// The index up to which the machine has applied, now and from now on.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.core.applied.subscribe()
    }

    /// This member's identity.
    pub fn identity(&self) -> Identity {
        identity::read(&self.core.identity)
    }

    /// Waits until every write acknowledged before the call is applied here, having asked a quorum
    /// whether this node still leads; gives the index up to which it may read.
    ///
    /// # Errors
    /// [`ChangeError::NotLeader`] when it does not lead.
    pub async fn read_index(&self) -> Result<u64, ChangeError> {
        membership::read_index(&self.run()?.raft).await
    }

    /// Adds a member while the journal serves: it follows until it has caught up, then it votes.
    ///
    /// # Errors
    /// When this node does not lead, or the member cannot be reached in time.
    pub async fn add(&self, node: u64, member: Member) -> Result<(), ChangeError> {
        membership::add(&self.run()?.raft, node, member).await
    }

    /// Removes a member for good; its number and its data directory are not used again.
    ///
    /// # Errors
    /// When this node does not lead, or the member is not there or is the last.
    pub async fn remove(&self, node: u64) -> Result<(), ChangeError> {
        membership::remove(&self.run()?.raft, node).await
    }

    /// Puts a new member into the place of one that is gone.
    ///
    /// # Errors
    /// When this node does not lead, `old` is not there, or the new member cannot be reached.
    pub async fn replace(&self, old: u64, new: u64, member: Member) -> Result<(), ChangeError> {
        membership::replace(&self.run()?.raft, old, new, member).await
    }

    /// Everyone in the quorum, by number, as the log has it; nobody before it is formed.
    ///
    /// # Errors
    /// When the journal is stopped.
    pub async fn members(&self) -> Result<Vec<MemberStatus>, ChangeError> {
        membership::now(&self.run()?.raft).await
    }

    /// Hands leadership to `node`, and returns when it leads.
    ///
    /// # Errors
    /// When this node does not lead, or `node` cannot take over.
    pub async fn transfer(&self, node: u64) -> Result<(), ChangeError> {
        membership::transfer(&self.run()?.raft, node).await
    }

    /// Takes a snapshot of the state as it is now.
    ///
    /// # Errors
    /// When the journal is stopped, or the snapshot cannot be written.
    pub async fn take_snapshot(&self) -> Result<(), ChangeError> {
        let run = self.run()?;
        let failed = |error: std::io::Error| ChangeError::Invalid(error.to_string());
        run.replica.take_snapshot().await.map_err(failed)?;
        upkeep::announce(&run).await.map_err(failed)
    }

    /// Reads the whole history once, and fetches from peers what is damaged in it. Gives the number
    /// of files that were.
    ///
    /// # Errors
    /// When the journal is stopped, or no peer has the entries.
    pub async fn repair(&self) -> Result<usize, ChangeError> {
        let run = self.run()?;
        let mut mended = 0;
        for segment in run.replica.store.history().segments() {
            let read = tokio::task::spawn_blocking(move || segment.verify());
            let read = read.await.map_err(|error| ChangeError::Invalid(error.to_string()))?;
            if let Err(error) = read {
                let done = run.replica.store.mend(error).await;
                done.map_err(|error| ChangeError::Invalid(Report(&error).to_string()))?;
                mended += 1;
            }
        }
        Ok(mended)
    }

    /// Answers one request of a peer's [`Peer::ask`](crate::Peer::ask).
    pub async fn handle_ask(&self, request: Bytes) -> Bytes {
        to_bytes(&match self.run() {
            Ok(run) => run.server.ask(&request).await,
            Err(error) => {
                self.core.heard.ask(&self.identity(), &request);
                Answer::Refused(error.to_string())
            }
        })
    }

    /// Answers a peer's [`Peer::append`](crate::Peer::append), in order.
    pub fn handle_append(&self, mut requests: Frames) -> Frames {
        match self.run() {
            Ok(run) => run.server.append(requests),
            Err(error) => {
                let error = crate::TransportError(error.to_string());
                let (heard, identity) = (self.core.heard.clone(), self.identity());
                let refuse = async move {
                    if let Some(Ok(first)) = requests.next().await {
                        heard.append(&identity, &first);
                    }
                    Err(error)
                };
                stream::once(refuse).boxed()
            }
        }
    }

    /// Takes a peer's [`Peer::snapshot`](crate::Peer::snapshot).
    pub async fn handle_snapshot(&self, frames: Frames) -> Bytes {
        let answer: SnapshotAnswer = match self.run() {
            Ok(run) => run.server.snapshot(frames).await,
            Err(error) => Err(error.to_string()),
        };
        to_bytes(&answer)
    }

    /// How the journal is doing, as this node sees it.
    pub fn status(&self) -> Status {
        let identity = self.identity();
        let mut status = Status {
            node: self.core.config.node,
            cluster_id: identity.cluster_id,
            applied: *self.core.applied.borrow(),
            snapshot: self.core.snapshots.newest().map_or(0, |newest| newest.header.mark.index),
            state: "stopped".into(),
            stopped: self.core.fault.get().map(|reason| reason.to_string()),
            ..Status::default()
        };
        match &*self.current.borrow() {
            Some(run) => fill(&mut status, run),
            None => status.members = self.core.heard.members(),
        }
        status
    }

    /// Ends the journal and lets go of its directory. What was acknowledged is on disk already.
    pub async fn shutdown(&self) {
        self.closing.signal.send_replace(true);
        let supervisor = {
            let mut supervisor = self.closing.supervisor.lock();
            supervisor.as_deref_mut().ok().and_then(Option::take)
        };
        if let Some(supervisor) = supervisor
            && let Err(error) = supervisor.await
        {
            tracing::error!(%error, "the journal did not end cleanly");
        }
        if let Ok(mut lock) = self.closing.lock.lock() {
            lock.take();
        }
    }

    fn run(&self) -> Result<Run, ChangeError> {
        let stopped = || match &*self.leadership.borrow() {
            Leadership::Stopped(reason) => ChangeError::Stopped(reason.clone()),
            _ => ChangeError::Stopped("it starts anew".into()),
        };
        self.current.borrow().clone().ok_or_else(stopped)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("config", &self.core.config).finish_non_exhaustive()
    }
}

fn fill(status: &mut Status, run: &Run) {
    let metrics = run.raft.metrics();
    let metrics = metrics.borrow_watched();
    let store = &run.replica.store;
    let hash = store.mark(status.applied);
    status.hash = hash
        .inspect_err(|error| tracing::error!(%error, "status"))
        .ok()
        .flatten()
        .map(|mark| mark.hash);
    status.term = metrics.current_term;
    status.leader = metrics.current_leader;
    status.first_index = store.first();
    status.last_index = store.last().map_or(0, |last| last.index);
    status.committed = metrics.local_committed.map_or(0, |committed| committed.index);
    status.state = match metrics.state {
        ServerState::Leader => "leader",
        ServerState::Follower => "follower",
        ServerState::Candidate => "candidate",
        ServerState::Learner => "learner",
        ServerState::Shutdown => "stopped",
    }
    .into();
    if let Some(why) = run.server.split.get() {
        status.state = why.into();
    }
    status.members = membership::list(&metrics.membership_config);
    let replication = metrics.replication.as_ref();
    for member in &mut status.members {
        let matched = replication.and_then(|replication| replication.get(&member.node));
        member.matched = matched.map(|matched| matched.as_ref().map_or(0, |at| at.index));
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}
