//! What waits to be decided.

use std::sync::Arc;

use statemachine::{Command, Principal, Rejection, Reply, Session, State};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Requests that may wait to be decided; more of them wait outside, and give up after a while.
pub(crate) const INBOX_REQUESTS_MAX: usize = 16_384;

/// Who hears the answer.
#[derive(Debug)]
pub(crate) enum Ticket {
    /// Nobody.
    Nobody,
    /// The one who waits at the other end.
    Caller(oneshot::Sender<Result<Reply, Rejection>>),
    /// A scheduler's stream.
    Scheduler(Session),
    /// An agent's stream.
    Agent(Session),
    /// The stream of an agent that leaves: it ends with the answer.
    Leaver(Session),
    /// An operator's stream: who answers takes the state from which its events go on.
    Operator(Session, oneshot::Sender<State>),
    /// The leader itself: from now on it serves in this term.
    Leader(u64),
}

/// One request on its way to be decided.
#[derive(Debug)]
pub(crate) struct Request {
    /// Term in which it was made; a leader of another one drops it.
    pub(crate) term: u64,
    pub(crate) command: Command,
    pub(crate) principal: Option<Principal>,
    pub(crate) ticket: Ticket,
    /// About how large its events will be.
    pub(crate) bytes: usize,
    /// Room in the inbox; the ends of streams need none, since there are no more than streams.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The way into the inbox.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    sender: mpsc::UnboundedSender<Request>,
    room: Arc<Semaphore>,
}

/// The leader is not there to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leadership was lost before the request was decided")]
pub(crate) struct SubmitError;

/// An inbox and the end that the leader reads.
pub(crate) fn inbox() -> (Inbox, mpsc::UnboundedReceiver<Request>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Inbox { sender, room: Arc::new(Semaphore::new(INBOX_REQUESTS_MAX)) }, receiver)
}

impl Inbox {
    /// Puts a request in, as soon as there is room.
    pub(crate) async fn submit(
        &self,
        term: u64,
        (command, bytes): (Command, usize),
        principal: Option<Principal>,
        ticket: Ticket,
    ) -> Result<(), SubmitError> {
        let permit = self.room.clone().acquire_owned().await.map_err(|_| SubmitError)?;
        let request = Request { term, command, principal, ticket, bytes, _permit: Some(permit) };
        self.sender.send(request).map_err(|_| SubmitError)
    }

    /// How many requests wait to be decided.
    pub(crate) fn waiting(&self) -> usize {
        INBOX_REQUESTS_MAX.saturating_sub(self.room.available_permits())
    }

    /// Puts a request in, and waits until what came of it is committed.
    pub(crate) async fn ask(
        &self,
        term: u64,
        command: (Command, usize),
        principal: Option<Principal>,
    ) -> Result<Result<Reply, Rejection>, SubmitError> {
        let (sender, receiver) = oneshot::channel();
        self.submit(term, command, principal, Ticket::Caller(sender)).await?;
        receiver.await.map_err(|_| SubmitError)
    }

    /// Says that a stream has ended.
    pub(crate) fn ended(&self, term: u64, command: impl Into<Command>) {
        let request = Request {
            term,
            command: command.into(),
            principal: None,
            ticket: Ticket::Nobody,
            bytes: 0,
            _permit: None,
        };
        // a leader that is gone has no use for it
        let _ = self.sender.send(request);
    }
}
