//! The streams that are open: schedulers', agents' and operators'. Sessions name them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use protocol::agents::ToAgent;
use protocol::media::ContentType;
use statemachine::{AgentId, FrameworkId, Session, agent, framework};

use crate::leader::Inbox;
use crate::outbox::{Drain, Outbox, outbox};

/// All open streams. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    open: Arc<Mutex<Open>>,
    opened: Arc<AtomicU32>,
    inbox: Inbox,
}

#[derive(Debug, Default)]
struct Open {
    schedulers: HashMap<Session, Scheduler>,
    agents: HashMap<Session, Agent>,
    operators: BTreeMap<Session, Operator>,
}

/// A scheduler's stream.
#[derive(Debug)]
struct Scheduler {
    stream_id: String,
    content_type: ContentType,
    outbox: Outbox<Bytes>,
    /// Whose it is, once it has subscribed.
    framework: Option<FrameworkId>,
}

/// An agent's stream.
#[derive(Debug)]
struct Agent {
    outbox: Outbox<ToAgent>,
    /// Whose it is, once it is registered.
    agent: Option<AgentId>,
}

/// An operator's stream.
#[derive(Debug)]
struct Operator {
    content_type: ContentType,
    outbox: Outbox<Bytes>,
    /// Set once it is known from which state its events go on.
    is_listening: bool,
}

/// The client's side of a new stream. Dropped with the connection, and the stream ends.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    pub(crate) session: Session,
    pub(crate) drain: Drain<T>,
    streams: Streams,
}

impl<T> Drop for Opened<T> {
    fn drop(&mut self) {
        self.streams.end(self.session);
    }
}

impl Streams {
    pub(crate) fn new(inbox: Inbox) -> Self {
        Self { open: Arc::default(), opened: Arc::default(), inbox }
    }

    /// Opens a scheduler's stream to the leader of `term`, under an id that later calls must name
    /// (semantics 49).
    pub(crate) fn open_scheduler(
        &self,
        term: u64,
        content_type: ContentType,
    ) -> (String, Opened<Bytes>) {
        let stream_id = uuid::Uuid::new_v4().to_string();
        let (outbox, opened) = self.opened(term);
        let scheduler =
            Scheduler { stream_id: stream_id.clone(), content_type, outbox, framework: None };
        self.lock().schedulers.insert(opened.session, scheduler);
        (stream_id, opened)
    }

    /// Opens an agent's stream to the leader of `term`.
    pub(crate) fn open_agent(&self, term: u64) -> Opened<ToAgent> {
        let (outbox, opened) = self.opened(term);
        self.lock().agents.insert(opened.session, Agent { outbox, agent: None });
        opened
    }

    /// Opens an operator's stream. Of more than `max` the oldest ends (semantics 300).
    pub(crate) fn open_operator(
        &self,
        term: u64,
        content_type: ContentType,
        max: usize,
    ) -> Opened<Bytes> {
        let (outbox, opened) = self.opened(term);
        let mut open = self.lock();
        open.operators
            .insert(opened.session, Operator { content_type, outbox, is_listening: false });
        while open.operators.len() > max {
            open.operators.pop_first();
        }
        drop(open);
        opened
    }

    /// Says whose a scheduler's stream is. False if it has ended already.
    pub(crate) fn subscribed(&self, session: Session, framework: FrameworkId) -> bool {
        let mut open = self.lock();
        let Some(scheduler) = open.schedulers.get_mut(&session) else { return false };
        scheduler.framework = Some(framework);
        true
    }

    /// Says whose an agent's stream is. False if it has ended already.
    pub(crate) fn registered(&self, session: Session, agent: AgentId) -> bool {
        let mut open = self.lock();
        let Some(stream) = open.agents.get_mut(&session) else { return false };
        stream.agent = Some(agent);
        true
    }

    /// Whose an agent's stream is; none if it is not registered yet, or has ended.
    pub(crate) fn agent(&self, session: Session) -> Option<AgentId> {
        self.lock().agents.get(&session)?.agent
    }

    /// Whether an agent's stream has not ended.
    pub(crate) fn is_open(&self, session: Session) -> bool {
        self.lock().agents.contains_key(&session)
    }

    /// Whose a scheduler's stream is; none if it is not subscribed yet, or has ended.
    pub(crate) fn framework(&self, session: Session) -> Option<FrameworkId> {
        self.lock().schedulers.get(&session)?.framework
    }

    /// The id that calls of this scheduler must name; none if its stream has ended.
    pub(crate) fn stream_id(&self, session: Session) -> Option<String> {
        self.lock().schedulers.get(&session).map(|scheduler| scheduler.stream_id.clone())
    }

    /// Sends a record to a scheduler, written for it by `write`; says whose stream it is, if that is
    /// known.
    pub(crate) fn tell(
        &self,
        session: Session,
        write: impl FnOnce(ContentType) -> Bytes,
    ) -> Option<FrameworkId> {
        let open = self.lock();
        let scheduler = open.schedulers.get(&session)?;
        let framework = scheduler.framework;
        let record = write(scheduler.content_type);
        let stuck = scheduler.outbox.push(record.len(), record).is_err();
        drop(open);
        if stuck {
            tracing::warn!(%session, "a scheduler does not take its events; its stream is closed");
            self.end(session);
        }
        framework
    }

    /// Sends a message to an agent.
    pub(crate) fn direct(&self, session: Session, message: ToAgent) {
        let open = self.lock();
        let Some(agent) = open.agents.get(&session) else { return };
        let bytes = prost::Message::encoded_len(&message);
        let stuck = agent.outbox.push(bytes, message).is_err();
        drop(open);
        if stuck {
            tracing::warn!(%session, "an agent does not take its directives; its stream is closed");
            self.end(session);
        }
    }

    /// Whether anybody would hear a [`broadcast`](Self::broadcast).
    pub(crate) fn has_operators(&self) -> bool {
        !self.lock().operators.is_empty()
    }

    /// How many operators listen.
    pub(crate) fn operators(&self) -> usize {
        self.lock().operators.len()
    }

    /// From now on an operator hears every [`broadcast`](Self::broadcast).
    pub(crate) fn listen(&self, session: Session) {
        if let Some(operator) = self.lock().operators.get_mut(&session) {
            operator.is_listening = true;
        }
    }

    /// Sends a record to every operator that listens; those that do not take it are dropped.
    pub(crate) fn broadcast(&self, mut write: impl FnMut(ContentType) -> Bytes) {
        let mut written: [Option<Bytes>; 2] = [None, None];
        self.lock().operators.retain(|_, operator| {
            if !operator.is_listening {
                return true;
            }
            let slot = usize::from(operator.content_type == ContentType::Protobuf);
            let record = written[slot].get_or_insert_with(|| write(operator.content_type)).clone();
            operator.outbox.push(record.len(), record).is_ok()
        });
    }

    /// Ends a stream, whoever's it is: what waits in it is still sent, and if it was a subscribed
    /// scheduler's or a registered agent's, the leader is told.
    pub(crate) fn end(&self, session: Session) {
        self.end_because(session, agent::Cause::Closed);
    }

    /// Like [`end`](Self::end); `cause` is what the leader is told of an agent.
    pub(crate) fn end_because(&self, session: Session, cause: agent::Cause) {
        let mut open = self.lock();
        let framework = open.schedulers.remove(&session).and_then(|it| it.framework);
        let agent = open.agents.remove(&session).and_then(|it| it.agent);
        open.operators.remove(&session);
        drop(open);
        if let Some(framework) = framework {
            self.inbox.ended(term(session), framework::Disconnect { framework, session });
        }
        if let Some(agent) = agent {
            self.inbox.ended(term(session), agent::Disconnect { agent, session, cause });
        }
    }

    /// Ends all streams: this master does not lead any more.
    pub(crate) fn end_all(&self) {
        *self.lock() = Open::default();
    }

    fn opened<T>(&self, term: u64) -> (Outbox<T>, Opened<T>) {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let session = Session(term << 32 | u64::from(number));
        let (outbox, drain) = outbox();
        (outbox, Opened { session, drain, streams: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The term in which a session began: sessions of different leaders never meet.
fn term(session: Session) -> u64 {
    session.0 >> 32
}
