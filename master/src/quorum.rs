//! The masters' service for one another, and for the quorum commands.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use journal::{
    ChangeError, FORMAT, Frames, Identity, Invitation, Journal, Leadership, Member, TransportError,
};
use protocol::quorum::quorum_server::Quorum;
use protocol::quorum::{
    self, ChangeReply, ChangeRequest, Frame, IdentifyRequest, QuorumStatus, ShowRequest,
    change_request,
};
use protocol::rpc;
use protocol::tls::Tls;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

/// What a master is before its journal is open, and after.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// It waits for its place in a quorum.
    Waiting(Identity),
    /// It has been given one.
    Invited(Identity, Invitation),
    /// It has one.
    Open(Box<Journal>),
}

/// The service. It answers from the first moment on, since forming a quorum needs it.
#[derive(Clone, Debug)]
pub(crate) struct QuorumService {
    pub(crate) address: String,
    pub(crate) place: watch::Sender<Place>,
    pub(crate) tls: Option<Tls>,
    /// Whether a leader's first message may give this master its place.
    pub(crate) may_join: bool,
}

type FrameStream = Pin<Box<dyn Stream<Item = Result<Frame, Status>> + Send>>;

impl QuorumService {
    fn journal(&self) -> Result<Journal, Status> {
        match &*self.place.borrow() {
            Place::Open(journal) => Ok((**journal).clone()),
            Place::Waiting(_) | Place::Invited(..) => {
                Err(Status::unavailable("this master has no place in a quorum yet"))
            }
        }
    }

    /// Takes the place that a leader's message gives to this master.
    fn consider(&self, request: &Bytes) {
        if !self.may_join {
            return;
        }
        self.place.send_if_modified(|place| {
            let Place::Waiting(identity) = place else { return false };
            let Some(invitation) = journal::invitation(identity, request) else { return false };
            *place = Place::Invited(identity.clone(), invitation);
            true
        });
    }

    fn identity(&self) -> quorum::Identity {
        let (identity, is_blank) = match &*self.place.borrow() {
            Place::Waiting(identity) | Place::Invited(identity, _) => (identity.clone(), true),
            Place::Open(journal) => (journal.identity(), journal.status().last_index == 0),
        };
        quorum::Identity {
            cluster_id: identity.cluster_id,
            node_id: identity.node,
            incarnation: identity.incarnation,
            address: self.address.clone(),
            blank: is_blank,
            format: FORMAT,
        }
    }
}

#[tonic::async_trait]
impl Quorum for QuorumService {
    type AppendStream = FrameStream;

    async fn identify(
        &self,
        _: Request<IdentifyRequest>,
    ) -> Result<Response<quorum::Identity>, Status> {
        Ok(Response::new(self.identity()))
    }

    async fn ask(&self, request: Request<Frame>) -> Result<Response<Frame>, Status> {
        let request = request.into_inner().body;
        self.consider(&request);
        let body = self.journal()?.handle_ask(request).await;
        Ok(Response::new(Frame { body }))
    }

    async fn append(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<FrameStream>, Status> {
        let mut incoming = request.into_inner();
        let Ok(journal) = self.journal() else {
            if let Some(first) = incoming.message().await? {
                self.consider(&first.body);
            }
            return Err(Status::unavailable("this master has no place in a quorum yet"));
        };
        let answers = journal.handle_append(frames(incoming));
        let answers = answers.map(|answer| match answer {
            Ok(body) => Ok(Frame { body }),
            Err(error) => Err(Status::internal(error.to_string())),
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Frame>, Status> {
        let body = self.journal()?.handle_snapshot(frames(request.into_inner())).await;
        Ok(Response::new(Frame { body }))
    }

    async fn change(
        &self,
        request: Request<ChangeRequest>,
    ) -> Result<Response<ChangeReply>, Status> {
        let journal = self.journal()?;
        change(&journal, self.tls.as_ref(), request.into_inner()).await?;
        let status = Some(show(&journal));
        Ok(Response::new(ChangeReply { status }))
    }

    async fn show(&self, _: Request<ShowRequest>) -> Result<Response<QuorumStatus>, Status> {
        match &*self.place.borrow() {
            Place::Open(journal) => Ok(Response::new(show(journal))),
            Place::Waiting(_) | Place::Invited(..) => {
                let state = "waiting for a place in a quorum".to_owned();
                Ok(Response::new(QuorumStatus { state, ..QuorumStatus::default() }))
            }
        }
    }
}

fn frames(incoming: Streaming<Frame>) -> Frames {
    let body = |frame: Result<Frame, Status>| match frame {
        Ok(frame) => Ok(frame.body),
        Err(status) => Err(TransportError(status.to_string())),
    };
    incoming.map(body).boxed()
}

async fn change(
    journal: &Journal,
    tls: Option<&Tls>,
    request: ChangeRequest,
) -> Result<(), Status> {
    use change_request::Kind;
    let node = request.node_id;
    let changed = match request.kind() {
        Kind::Add => {
            let (next, member) = newcomer(journal, tls, &request.address).await?;
            journal.add(next, member).await
        }
        Kind::Replace => {
            let (next, member) = newcomer(journal, tls, &request.address).await?;
            journal.replace(node, next, member).await
        }
        Kind::Remove => journal.remove(node).await,
        Kind::Transfer => journal.transfer(node).await,
    };
    changed.map_err(|error| match error {
        ChangeError::NotLeader(_) => Status::failed_precondition(error.to_string()),
        ChangeError::Invalid(_) => Status::invalid_argument(error.to_string()),
        ChangeError::Stopped(_) => Status::unavailable(error.to_string()),
        ChangeError::TooLate(..) => Status::deadline_exceeded(error.to_string()),
    })
}

/// The next free number, and who is to have it: a master that waits at `address` with `--join`.
async fn newcomer(
    journal: &Journal,
    tls: Option<&Tls>,
    address: &str,
) -> Result<(u64, Member), Status> {
    let channel =
        rpc::channel(address, tls).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let identity = rpc::quorum_client(channel).identify(IdentifyRequest {}).await;
    let identity = identity
        .map_err(|error| {
            let what = format!("no master answers at {address}: {}", error.message());
            Status::unavailable(what)
        })?
        .into_inner();
    let ours = journal.identity().cluster_id;
    if !identity.cluster_id.is_empty() && identity.cluster_id != ours {
        let what = format!("the master at {address} belongs to quorum {}", identity.cluster_id);
        return Err(Status::failed_precondition(what));
    }
    let members = journal.status().members;
    // a master that was added halfway keeps the number it was given
    let known = members.iter().find(|member| member.incarnation == identity.incarnation);
    let highest = members.iter().map(|member| member.node).max().unwrap_or(0);
    let next = known.map_or(highest + 1, |known| known.node);
    Ok((next, Member { address: address.to_owned(), incarnation: identity.incarnation }))
}

/// Who leads, 0 when nobody does: as clients are told, not as openraft remembers it. A leader that no
/// majority answers leads nobody.
fn leader(journal: &Journal, own: u64) -> u64 {
    match &*journal.leadership().borrow() {
        Leadership::Leader { .. } if journal.lease().holds() => own,
        Leadership::Follower { leader: (node, _) } => *node,
        _ => journal.heard().leader().map_or(0, |(node, _)| node),
    }
}

fn show(journal: &Journal) -> QuorumStatus {
    let status = journal.status();
    QuorumStatus {
        cluster_id: status.cluster_id,
        term: status.term,
        leader: leader(journal, status.node),
        last_index: status.last_index,
        committed_index: status.committed,
        applied_index: status.applied,
        members: status
            .members
            .into_iter()
            .map(|member| quorum::Member {
                node_id: member.node,
                address: member.address,
                voter: member.voter,
                matched_index: member.matched.unwrap_or(0),
                incarnation: member.incarnation,
            })
            .collect(),
        node_id: status.node,
        first_index: status.first_index,
        state: status.stopped.unwrap_or(status.state),
    }
}
