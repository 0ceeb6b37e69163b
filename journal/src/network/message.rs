//! What replicas say to one another. Every message is addressed to one member of one quorum, so
//! that none is taken by a stranger that got the member's address, or by a member that lost its
//! directory and with it its promises.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::raft::{TypeConfig, Vote};
use crate::{Identity, TransportError};

/// No message is longer than this; transports must carry so much in one piece. A single proposal
/// must be smaller by some kilobytes.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// A message and whom it is for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) cluster_id: String,
    pub(crate) node: u64,
    pub(crate) incarnation: String,
    /// With an append: the sender's hash chain at the last entry of it.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<Vec<u8>>,
    #[serde(with = "serde_bytes")]
    pub(crate) body: Vec<u8>,
}

/// Requests with one answer.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ask {
    Vote(VoteRequest<TypeConfig>),
    PreVote(VoteRequest<TypeConfig>),
    Append(AppendEntriesRequest<TypeConfig>),
    Transfer(TransferLeaderRequest<TypeConfig>),
    /// Encoded entries from `start` to before `end`, as many as fit into a frame.
    Entries {
        start: u64,
        end: u64,
    },
}

/// Answers to [`Ask`].
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer {
    Vote(VoteResponse<TypeConfig>),
    Append(AppendEntriesResponse<TypeConfig>),
    Transfer(TransferLeaderResponse<TypeConfig>),
    Entries(Vec<(u64, serde_bytes::ByteBuf)>),
    /// Nothing was done; the text says why.
    Refused(String),
}

/// One answer in a stream of appends.
pub(crate) type AppendAnswer = Result<StreamAppendResult<TypeConfig>, String>;

/// First frame of a snapshot; the file follows in chunks.
#[derive(Serialize, Deserialize)]
pub(crate) struct SnapshotStart {
    pub(crate) vote: Vote,
}

/// Answer to a snapshot.
pub(crate) type SnapshotAnswer = Result<SnapshotResponse<TypeConfig>, String>;

pub(crate) fn encode(message: &impl Serialize) -> Result<Bytes, TransportError> {
    rmp_serde::to_vec_named(message).map(Bytes::from).map_err(|error| malformed(&error))
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TransportError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(TransportError("the message is too long".into()));
    }
    rmp_serde::from_slice(bytes).map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::fmt::Display) -> TransportError {
    TransportError(format!("malformed message: {error}"))
}

impl Envelope {
    /// The message, if it is for the member `identity` says we are.
    pub(crate) fn open(self, identity: &Identity) -> Result<Self, TransportError> {
        let refuse = |what: String| Err(TransportError(what));
        if self.cluster_id != identity.cluster_id {
            return refuse(format!("this master is of quorum {:?}", identity.cluster_id));
        }
        if self.node != identity.node {
            return refuse(format!("this is node {}, not node {}", identity.node, self.node));
        }
        if self.incarnation != identity.incarnation {
            return refuse(format!(
                "node {} joined with another data directory: replace it",
                self.node
            ));
        }
        Ok(self)
    }
}

/// A message to the member with this identity.
#[cfg(test)]
pub(crate) fn seal(to: &Identity, body: Vec<u8>) -> Result<Bytes, TransportError> {
    seal_append(to, None, body)
}

/// The same with what an append says of the chain.
#[cfg(test)]
pub(crate) fn seal_append(
    to: &Identity,
    hash: Option<Vec<u8>>,
    body: Vec<u8>,
) -> Result<Bytes, TransportError> {
    let (cluster_id, incarnation) = (to.cluster_id.clone(), to.incarnation.clone());
    encode(&Envelope { cluster_id, node: to.node, incarnation, hash, body })
}

/// What a first message from a leader tells a master that has no place in a quorum yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The place it is given.
    pub node: u64,
    /// The quorum it joins.
    pub cluster_id: String,
}

/// Reads from any request of a peer's which place it gives to the master with this identity. A
/// master that waits to be added to a quorum takes it with [`Identity::join`], and opens its
/// journal then. `None` when the request is meant for somebody else.
pub fn invitation(identity: &Identity, request: &[u8]) -> Option<Invitation> {
    let envelope: Envelope = decode(request).ok()?;
    let ours = envelope.incarnation == identity.incarnation && envelope.node != 0;
    ours.then_some(Invitation { node: envelope.node, cluster_id: envelope.cluster_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(node: u64, cluster_id: &str) -> Identity {
        let (cluster_id, incarnation) = (cluster_id.to_string(), "made today".to_string());
        Identity { format: crate::FORMAT, node, cluster_id, incarnation }
    }

    fn envelope(cluster_id: &str, node: u64, incarnation: &str) -> Envelope {
        let (cluster_id, incarnation) = (cluster_id.to_string(), incarnation.to_string());
        Envelope { cluster_id, node, incarnation, hash: None, body: b"body".to_vec() }
    }

    #[test]
    fn only_the_one_it_is_for_opens_an_envelope() {
        let check = |envelope: Envelope, expected: Result<(), &str>| {
            let opened = envelope.open(&identity(2, "ours")).map(|envelope| envelope.body);
            let opened = opened.map_err(|error| error.to_string());
            match expected {
                Ok(()) => assert_eq!(opened, Ok(b"body".to_vec())),
                Err(expected) => assert!(opened.expect_err("refused").contains(expected)),
            }
        };
        check(envelope("ours", 2, "made today"), Ok(()));
        check(envelope("theirs", 2, "made today"), Err("this master is of quorum"));
        check(envelope("", 2, "made today"), Err("this master is of quorum"));
        check(envelope("ours", 3, "made today"), Err("this is node 2, not node 3"));
        check(envelope("ours", 2, "lost"), Err("joined with another data directory"));
    }

    #[test]
    fn a_blank_master_learns_its_place_from_what_is_sent_to_it() {
        let blank = identity(0, "");
        let invited = |envelope: &Envelope| invitation(&blank, &encode(envelope).expect("encoded"));
        let place = Invitation { node: 4, cluster_id: "ours".into() };
        assert_eq!(invited(&envelope("ours", 4, "made today")), Some(place));
        assert_eq!(invited(&envelope("ours", 4, "lost")), None, "meant for its predecessor");
        assert_eq!(invited(&envelope("ours", 0, "made today")), None);
        assert_eq!(invitation(&blank, b"\xc1 nonsense"), None);
    }
}
