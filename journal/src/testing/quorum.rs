//! A quorum in one process, on directories of its own.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Counter, Counts, FailingDisk, MemoryNetwork};
use crate::{Config, Identity, Journal, Leadership, Member, OpenError, Outcome};

/// How long anything may take that should happen soon.
const DEADLINE: Duration = Duration::from_secs(30);

/// Several nodes and the network between them.
#[derive(Debug)]
pub struct Quorum {
    /// Nodes that run.
    pub nodes: BTreeMap<u64, Node>,
    /// Between them.
    pub network: MemoryNetwork,
    dirs: BTreeMap<u64, tempfile::TempDir>,
    change: fn(&mut Config),
}

/// One node.
#[derive(Debug)]
pub struct Node {
    /// Its journal.
    pub journal: Journal,
    /// What its machine has applied.
    pub counts: Counts,
    /// What its tail lies on.
    pub disk: FailingDisk,
}

impl Quorum {
    /// A quorum of `size`, formed and led. `change` may alter each node's settings.
    ///
    /// # Panics
    /// When it does not form.
    pub async fn form(size: u64, change: fn(&mut Config)) -> Self {
        let mut quorum = Self {
            nodes: BTreeMap::new(),
            network: MemoryNetwork::default(),
            dirs: BTreeMap::new(),
            change,
        };
        for node in 1..=size {
            quorum.start(node).await.expect("a new journal opens");
        }
        let members: BTreeMap<_, _> = (1..=size).map(|node| (node, quorum.member(node))).collect();
        let forming = quorum.nodes.values().map(|node| node.journal.form(members.clone(), "test"));
        for formed in futures::future::join_all(forming).await {
            formed.expect("the quorum forms");
        }
        quorum
    }

    /// Starts `node`, on the directory it had if it had one.
    ///
    /// # Panics
    /// When there is no room for a temporary directory.
    pub async fn start(&mut self, node: u64) -> Result<(), OpenError> {
        let dir = self
            .dirs
            .entry(node)
            .or_insert_with(|| tempfile::tempdir().expect("a temporary directory"));
        let mut config = Config::new(dir.path(), node);
        // patient, so that a busy machine does not change leaders in the middle of a test
        config.election_ms = (500, 1000);
        (self.change)(&mut config);
        let counts = Counts::default();
        let machine = Box::new(Counter(counts.clone()));
        let disk = FailingDisk::new(io::ErrorKind::StorageFull);
        let transport = self.network.transport(node);
        let journal = Journal::open_on(config, machine, transport, Arc::new(disk.clone())).await?;
        self.network.connect(node, journal.clone());
        self.nodes.insert(node, Node { journal, counts, disk });
        Ok(())
    }

    /// Starts a node that is to be added.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_joiner(&mut self, node: u64) -> Member {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut identity = Identity::load_or_create(dir.path()).expect("a new identity");
        identity.join(dir.path(), node, "test").expect("a blank directory joins");
        self.dirs.insert(node, dir);
        self.start(node).await.expect("a new journal opens");
        self.member(node)
    }

    /// Stops `node`; its directory stays.
    pub async fn stop(&mut self, node: u64) {
        self.network.disconnect(node);
        if let Some(node) = self.nodes.remove(&node) {
            node.journal.shutdown().await;
        }
    }

    /// The directory of `node`.
    pub fn dir(&self, node: u64) -> &std::path::Path {
        self.dirs[&node].path()
    }

    /// How `node` is known to the others.
    pub fn member(&self, node: u64) -> Member {
        let incarnation = self.nodes[&node].journal.identity().incarnation;
        Member { address: format!("memory:{node}"), incarnation }
    }

    /// The leader and its term, once there is one.
    pub async fn leader(&self) -> (u64, u64) {
        eventually("a leader", || {
            self.nodes.iter().find_map(|(id, node)| match *node.journal.leadership().borrow() {
                Leadership::Leader { term } => Some((*id, term)),
                _ => None,
            })
        })
        .await
    }

    /// Proposes `numbers` to the leader and waits until all of them are committed.
    ///
    /// # Panics
    /// When one of them is not.
    pub async fn commit(&self, numbers: impl IntoIterator<Item = u64>) {
        let (leader, term) = self.leader().await;
        let journal = &self.nodes[&leader].journal;
        let outcomes: Vec<_> =
            numbers.into_iter().map(|number| propose(journal, term, number)).collect();
        for outcome in outcomes {
            let outcome = answered(outcome).await;
            assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
        }
    }

    /// Waits until every running node has applied exactly `numbers`.
    pub async fn agree(&self, numbers: impl IntoIterator<Item = u64>) {
        let expected: Vec<u64> = numbers.into_iter().collect();
        for (id, node) in &self.nodes {
            let what = format!("node {id} to apply {} numbers", expected.len());
            eventually(&what, || (node.counts.numbers() == expected).then_some(())).await;
        }
    }
}

/// Proposes one number, padded so that it has some weight; the answer comes through the channel.
pub fn propose(journal: &Journal, term: u64, number: u64) -> oneshot::Receiver<Outcome> {
    let (sender, receiver) = oneshot::channel();
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(128, 0);
    journal.propose(term, Bytes::from(payload), move |outcome| {
        // a test that stopped listening does not care
        let _ = sender.send(outcome);
    });
    receiver
}

/// Waits for the answer to a proposal.
///
/// # Panics
/// When none comes within a generous deadline.
pub async fn answered(outcome: oneshot::Receiver<Outcome>) -> Outcome {
    let answer = tokio::time::timeout(DEADLINE, outcome).await;
    answer.expect("waited in vain for an answer").expect("proposals are always answered")
}

/// Waits for a condition.
///
/// # Panics
/// When it does not hold within a generous deadline.
pub async fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
