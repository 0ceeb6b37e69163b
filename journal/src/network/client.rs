//! The sending side: one handle per peer and kind of traffic.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::base::{BoxFuture as RaftFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};

use super::message::{
    Answer, AppendAnswer, Ask, Envelope, SnapshotAnswer, SnapshotStart, decode, encode,
};
use crate::chain::Hash;
use crate::identity::{Identity, read};
use crate::member::Member;
use crate::raft::{TypeConfig, Vote};
use crate::snapshot::SnapshotFile;
use crate::store::WeakLog;
use crate::transport::{Frames, Peer, Transport, TransportError};

type RaftSnapshot = openraft::alias::SnapshotOf<TypeConfig, SnapshotFile>;
type Rpc<T> = Result<T, RPCError<TypeConfig>>;

/// Makes handles on peers for openraft.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) identity: Arc<RwLock<Identity>>,
    /// Who did not answer last.
    pub(crate) silent: Silent,
    /// Our own log, once there is one: what is sent to peers says how it is chained.
    pub(crate) log: WeakLog,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    /// openraft calls this once for each kind of traffic, so that heartbeats never wait behind
    /// entries.
    async fn new_client(&mut self, node: u64, member: &Member) -> Connection {
        self.connect(node, member)
    }
}

impl Network {
    pub(crate) fn connect(&self, node: u64, member: &Member) -> Connection {
        let peer = self.transport.peer(node, &member.address).into();
        let address = Address {
            cluster_id: read(&self.identity).cluster_id.as_str().into(),
            node,
            incarnation: member.incarnation.as_str().into(),
        };
        Connection { peer, address, log: self.log.clone(), silent: self.silent.clone() }
    }
}

/// One peer, for one kind of traffic.
pub(crate) struct Connection {
    peer: Arc<dyn Peer>,
    address: Address,
    log: WeakLog,
    silent: Silent,
}

/// Peers whose last question was not answered; a change is worth a line in the log. openraft makes
/// connections anew all the time, so that it is not theirs to know. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silent(Arc<Mutex<BTreeSet<u64>>>);

impl Silent {
    /// Takes note of an answer, or of none; says whether that is another than the last.
    fn changes(&self, node: u64, answered: bool) -> bool {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answered { silent.remove(&node) } else { silent.insert(node) }
    }
}

#[derive(Clone)]
struct Address {
    cluster_id: Arc<str>,
    node: u64,
    incarnation: Arc<str>,
}

impl Address {
    fn seal(&self, body: Vec<u8>, hash: Option<Hash>) -> Result<Bytes, TransportError> {
        encode(&Envelope {
            cluster_id: self.cluster_id.to_string(),
            node: self.node,
            incarnation: self.incarnation.to_string(),
            hash: hash.map(|hash| hash.0.to_vec()),
            body,
        })
    }
}

impl Connection {
    pub(crate) async fn ask(&self, ask: &Ask, limit: Duration) -> Result<Answer, TransportError> {
        let hash = match ask {
            Ask::Append(request) => self.log.hash_after(request),
            _ => None,
        };
        let request = self.address.seal(encode(ask)?.into(), hash)?;
        let answer = tokio::time::timeout(limit, self.peer.ask(request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(TransportError(format!("no answer in {limit:?}"))));
        self.note(&answer);
        decode(&answer?)
    }

    fn note(&self, answer: &Result<Bytes, TransportError>) {
        let node = self.address.node;
        if !self.silent.changes(node, answer.is_ok()) {
            return;
        }
        if let Err(error) = answer {
            tracing::warn!(node, %error, "a peer is out of reach");
        } else {
            tracing::info!(node, "a peer answers again");
        }
    }

    async fn call(&self, ask: Ask, option: &RPCOption) -> Rpc<Answer> {
        self.ask(&ask, option.hard_ttl()).await.map_err(|error| rpc(&error))
    }

    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: &SnapshotFile,
    ) -> Result<SnapshotResponse<TypeConfig>, TransportError> {
        let start = self.address.seal(encode(&SnapshotStart { vote })?.into(), None)?;
        let first = futures::stream::iter([Ok(start)]);
        let frames: Frames = Box::pin(first.chain(super::receive::chunks(snapshot)));
        let answer = self.peer.snapshot(frames).await?;
        decode::<SnapshotAnswer>(&answer)?.map_err(TransportError)
    }
}

impl RaftNetworkV2<TypeConfig> for Connection {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<TypeConfig>> {
        match self.call(Ask::Append(request), &option).await? {
            Answer::Append(response) => Ok(response),
            other => Err(unexpected(other)),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> RaftFuture<'s, Rpc<BoxStream<'s, Rpc<StreamAppendResult<TypeConfig>>>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let (address, log) = (self.address.clone(), self.log.clone());
        Box::pin(async move {
            // openraft sits out its backoff when the first request is polled for: connecting before
            // that would try a peer that is down without any pause
            let mut input = input.peekable();
            Pin::new(&mut input).peek().await;
            let requests: Frames = Box::pin(input.map(move |request| {
                address.seal(encode(&request)?.into(), log.hash_after(&request))
            }));
            let answers = self.peer.append(requests).await.map_err(|error| rpc(&error))?;
            let answers: BoxStream<'s, _> = Box::pin(answers.map(|answer| {
                let answer = answer.and_then(|answer| decode::<AppendAnswer>(&answer));
                answer
                    .map_err(|error| rpc(&error))?
                    .map_err(|refused| rpc(&TransportError(refused)))
            }));
            Ok(answers)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        match self.call(Ask::Vote(request), &option).await? {
            Answer::Vote(response) => Ok(response),
            other => Err(unexpected(other)),
        }
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<VoteResponse<TypeConfig>> {
        match self.call(Ask::PreVote(request), &option).await? {
            Answer::Vote(response) => Ok(response),
            other => Err(unexpected(other)),
        }
    }

    /// openraft gives this no time-out of its own: a peer that dies mid-way would hang replication
    /// to it for ever.
    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: RaftSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sending = self.send_snapshot(vote, &snapshot.snapshot);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = tokio::time::timeout(option.hard_ttl(), sending) => match sent {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
                Err(_) => {
                    let error = io::Error::from(io::ErrorKind::TimedOut);
                    Err(StreamingError::Network(NetworkError::new(&error)))
                }
            },
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Rpc<TransferLeaderResponse<TypeConfig>> {
        match self.call(Ask::Transfer(request), &option).await? {
            Answer::Transfer(response) => Ok(response),
            other => Err(unexpected(other)),
        }
    }
}

fn rpc(error: &TransportError) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::new(error))
}

fn unexpected(answer: Answer) -> RPCError<TypeConfig> {
    rpc(&TransportError(match answer {
        Answer::Refused(why) => why,
        _ => "the answer is of another kind than the question".into(),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::{FutureExt, stream};

    use super::*;
    use crate::transport::BoxFuture;

    /// A peer that is down, and counts how often it was tried.
    #[derive(Clone, Default)]
    struct Down(Arc<AtomicUsize>);

    impl Down {
        fn refuse<T: Send>(&self) -> BoxFuture<'_, Result<T, TransportError>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Err(TransportError("down".into())) })
        }
    }

    impl Transport for Down {
        fn peer(&self, _node: u64, _address: &str) -> Box<dyn Peer> {
            Box::new(self.clone())
        }
    }

    impl Peer for Down {
        fn ask(&self, _request: Bytes) -> BoxFuture<'_, Result<Bytes, TransportError>> {
            self.refuse()
        }
        fn append(&self, _requests: Frames) -> BoxFuture<'_, Result<Frames, TransportError>> {
            self.refuse()
        }
        fn snapshot(&self, _chunks: Frames) -> BoxFuture<'_, Result<Bytes, TransportError>> {
            self.refuse()
        }
    }

    #[test]
    fn only_a_change_of_a_peer_is_told() {
        let silent = Silent::default();
        let told: Vec<bool> = [(2, true), (2, false), (3, false), (2, false), (2, true), (2, true)]
            .into_iter()
            .map(|(node, answered)| silent.clone().changes(node, answered))
            .collect();
        assert_eq!(told, [false, true, true, false, true, false]);
    }

    #[test]
    fn a_peer_is_not_tried_while_openraft_backs_off() {
        let down = Down::default();
        let (cluster_id, incarnation) = ("c".into(), "i".into());
        let identity = Identity { format: crate::FORMAT, node: 1, cluster_id, incarnation };
        let identity = Arc::new(RwLock::new(identity));
        let log = WeakLog::default();
        let (transport, silent) = (Arc::new(down.clone()), Silent::default());
        let network = Network { transport, identity, silent, log };
        let mut connection = network.connect(2, &Member::default());
        // openraft holds the first request back until the backoff is over
        let requests = stream::pending::<AppendEntriesRequest<TypeConfig>>();
        let option = RPCOption::new(Duration::from_secs(1));
        let answers = connection.stream_append(requests, option).now_or_never();
        assert!(answers.is_none(), "it waits for the request");
        assert_eq!(down.0.load(Ordering::Relaxed), 0);
    }
}
