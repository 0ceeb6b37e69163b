//! One run of openraft over the files of a journal. A journal that recovers from a full disk ends
//! one run and starts another; the machine lives on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use crate::config::Config;
use crate::error::{OpenError, Report};
use crate::fault::Fault;
use crate::folded::FoldedThread;
use crate::gate::Gate;
use crate::heard::Heard;
use crate::history::range_in_name;
use crate::identity::Identity;
use crate::mend::Mender;
use crate::network::{Network, Server, Split};
use crate::raft::Raft;
use crate::replica::Replica;
use crate::snapshot::Snapshots;
use crate::store::{Disk, LogStore};

/// What all runs of one journal share.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) raft_config: Arc<openraft::Config>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) network: Network,
    pub(crate) identity: Arc<RwLock<Identity>>,
    pub(crate) folded: FoldedThread,
    pub(crate) applied: Arc<watch::Sender<u64>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) fault: Fault,
    pub(crate) gate: Gate,
    pub(crate) heard: Heard,
}

/// One run.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) raft: Raft,
    pub(crate) replica: Replica,
    pub(crate) server: Server,
}

impl Core {
    pub(crate) fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// Opens the log. Damaged entries are fetched from peers first.
    pub(crate) async fn open_store(&self) -> Result<LogStore, OpenError> {
        let mut seen = BTreeSet::new();
        loop {
            let (fault, mender) = (self.fault.clone(), self.mender());
            let cache_bytes = self.config.cache_bytes;
            let (dir, disk, gate) = (self.dir(), &*self.disk, self.gate.clone());
            let opened = LogStore::open(dir, cache_bytes, disk, fault, gate, Some(mender.clone()));
            match opened {
                Err(OpenError::Damaged { path, what }) if seen.insert(path.clone()) => {
                    tracing::error!(path = %path.display(), what, "the journal is damaged");
                    if range_in_name(&path).is_some() {
                        mender.segment(&path).await?;
                    } else {
                        mender.tail(&*self.disk).await?;
                    }
                }
                opened => return opened,
            }
        }
    }

    fn mender(&self) -> Mender {
        let (dir, network) = (self.config.dir.clone(), self.network.clone());
        Mender { dir, node: self.config.node, network }
    }

    /// Starts openraft on an open log: the newest snapshot is restored and the entries after it are
    /// applied, unless the machine is that far already.
    pub(crate) async fn start(&self, store: LogStore) -> Result<Run, OpenError> {
        let replica = Replica {
            folded: self.folded.clone(),
            applied: self.applied.clone(),
            snapshots: self.snapshots.clone(),
            store: store.clone(),
            fault: self.fault.clone(),
        };
        let network = Network { log: store.downgrade(), ..self.network.clone() };
        let config = self.raft_config.clone();
        let raft = Raft::new(self.config.node, config, network, store, replica.clone()).await;
        let raft = raft.map_err(|error| {
            let reported = self.fault.get().map(|reason| reason.to_string());
            let what = reported.unwrap_or_else(|| Report(&error).to_string());
            OpenError::Raft { dir: self.config.dir.clone(), what }
        })?;
        let identity = self.identity.clone();
        let server = Server {
            raft: raft.clone(),
            replica: replica.clone(),
            identity,
            split: Split::default(),
            heard: self.heard.clone(),
        };
        Ok(Run { raft, replica, server })
    }
}
