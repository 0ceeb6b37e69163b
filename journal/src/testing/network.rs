//! Peers in one process, with links that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;

use crate::Journal;
use crate::transport::{BoxFuture, Frames, Peer, Transport, TransportError};

/// A network in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork(Arc<Mutex<Links>>);

#[derive(Debug, Default)]
struct Links {
    journals: BTreeMap<u64, Journal>,
    cut: BTreeSet<u64>,
}

impl MemoryNetwork {
    /// The network as `node` sees it.
    pub fn transport(&self, node: u64) -> Arc<dyn Transport> {
        Arc::new(Link { network: self.clone(), node })
    }

    /// Lets `node` answer from now on.
    pub fn connect(&self, node: u64, journal: Journal) {
        self.lock().journals.insert(node, journal);
    }

    /// `node` is gone.
    pub fn disconnect(&self, node: u64) {
        self.lock().journals.remove(&node);
    }

    /// Cuts `node` off from all others.
    pub fn cut(&self, node: u64) {
        self.lock().cut.insert(node);
    }

    /// Undoes every cut.
    pub fn heal(&self) {
        self.lock().cut.clear();
    }

    fn reach(&self, from: u64, to: u64) -> Result<Journal, TransportError> {
        let links = self.lock();
        let cut = links.cut.contains(&from) || links.cut.contains(&to);
        let journal = links.journals.get(&to).filter(|_| !cut).cloned();
        journal.ok_or_else(|| TransportError(format!("node {to} is unreachable")))
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Link {
    network: MemoryNetwork,
    node: u64,
}

impl Transport for Link {
    fn peer(&self, node: u64, _address: &str) -> Box<dyn Peer> {
        Box::new(MemoryPeer { network: self.network.clone(), from: self.node, to: node })
    }
}

#[derive(Clone)]
struct MemoryPeer {
    network: MemoryNetwork,
    from: u64,
    to: u64,
}

impl MemoryPeer {
    fn reach(&self) -> Result<Journal, TransportError> {
        self.network.reach(self.from, self.to)
    }

    /// Frames as long as the link holds.
    fn carry(&self, frames: Frames) -> Frames {
        let link = self.clone();
        Box::pin(frames.map(move |frame| link.reach().and(frame)))
    }
}

impl Peer for MemoryPeer {
    fn ask(&self, request: Bytes) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let answer = self.reach()?.handle_ask(request).await;
            self.reach().map(|_| answer)
        })
    }

    fn append(&self, requests: Frames) -> BoxFuture<'_, Result<Frames, TransportError>> {
        Box::pin(async move {
            let answers = self.reach()?.handle_append(self.carry(requests));
            Ok(self.carry(answers))
        })
    }

    fn snapshot(&self, chunks: Frames) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let answer = self.reach()?.handle_snapshot(self.carry(chunks)).await;
            self.reach().map(|_| answer)
        })
    }
}
