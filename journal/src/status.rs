//! How a journal is doing, for operators and views.

use crate::chain::Hash;

/// How a journal is doing, as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node: u64,
    /// Names the quorum; empty before it is formed.
    pub cluster_id: String,
    /// The newest term it has heard of.
    pub term: u64,
    /// Who leads in it, if known.
    pub leader: Option<u64>,
    /// First index its history holds.
    pub first_index: u64,
    /// Newest entry it holds, committed or not.
    pub last_index: u64,
    /// Up to where it knows entries to be committed.
    pub committed: u64,
    /// Up to where its machine has applied them.
    pub applied: u64,
    /// Hash over everything up to `applied`, equal on all nodes at the same index; `None` before
    /// the first entry.
    pub hash: Option<Hash>,
    /// Index of its newest snapshot, 0 when it has none.
    pub snapshot: u64,
    /// Everyone in the quorum, by number.
    pub members: Vec<MemberStatus>,
    /// leader, follower, candidate, learner or stopped.
    pub state: String,
    /// Why the journal takes no decisions: a full disk, an entry of a newer version.
    pub stopped: Option<String>,
}

/// One member of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its number.
    pub node: u64,
    /// Its address as host:port.
    pub address: String,
    /// The [`incarnation`](crate::Identity::incarnation) of the data directory it joined with.
    pub incarnation: String,
    /// Whether it votes; a learner only follows.
    pub voter: bool,
    /// How far the leader knows it to have the journal; `None` unless this node leads.
    pub matched: Option<u64>,
}
