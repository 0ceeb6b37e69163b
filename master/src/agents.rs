//! The agents' service: each holds one stream to the leader.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use protocol::agents::agents_server::Agents;
use protocol::agents::{
    ExecutorExited, ExecutorMessage, FrameworkStopped, FromAgent, Hello, NotLeader, Ping, Refused,
    ToAgent, Update, from_agent, to_agent,
};
use protocol::v1;
use statemachine::{
    AgentId, Command, EventNumber, Session, TaskState, agent, framework, operation, task,
};
use tonic::{Request, Response, Status, Streaming};

use crate::convert;
use crate::leader::{SubmitError, Ticket};
use crate::master::Master;
use crate::standing::Standing;
use crate::streams::Opened;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct AgentsService(pub(crate) Arc<Master>);

type ToAgents = Pin<Box<dyn Stream<Item = Result<ToAgent, Status>> + Send>>;

#[tonic::async_trait]
impl Agents for AgentsService {
    type SessionStream = ToAgents;

    async fn session(
        &self,
        request: Request<Streaming<FromAgent>>,
    ) -> Result<Response<ToAgents>, Status> {
        let mut incoming = request.into_inner();
        let first = tokio::time::timeout(self.0.config.agent_ping_timeout, incoming.message());
        let first = first.await.map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let Some(from_agent::Message::Hello(hello)) = first.and_then(|first| first.message) else {
            return Err(Status::invalid_argument("the first message must be a hello"));
        };
        let term = match self.0.stand.now() {
            Standing::Leading(term) => term,
            standing => return Ok(answer(not_leader(&self.0, standing))),
        };
        match begin(&self.0, term, hello).await {
            Ok(opened) => {
                let session = opened.session;
                tokio::spawn(listen(self.0.clone(), (session, term), incoming));
                Ok(Response::new(Box::pin(drain(opened))))
            }
            Err(last) => Ok(answer(last)),
        }
    }
}

/// A stream of one message.
fn answer(message: to_agent::Message) -> Response<ToAgents> {
    let message = ToAgent { message: Some(message) };
    Response::new(Box::pin(futures::stream::iter([Ok(message)])))
}

fn not_leader(master: &Master, standing: Standing) -> to_agent::Message {
    let leader = match standing {
        Standing::Following(address) => address,
        _ => String::new(),
    };
    to_agent::Message::NotLeader(NotLeader { leader, masters: master.addresses() })
}

/// What waits for the agent, until its stream ends.
fn drain(opened: Opened<ToAgent>) -> impl Stream<Item = Result<ToAgent, Status>> + Send {
    futures::stream::unfold(opened, |mut opened| async move {
        let message = opened.drain.next().await?;
        Some((Ok(message), opened))
    })
}

/// Asks for the agent to be registered; the answer comes over its stream.
async fn begin(
    master: &Master,
    term: u64,
    hello: Hello,
) -> Result<Opened<ToAgent>, to_agent::Message> {
    let bytes = prost::Message::encoded_len(&hello);
    let is_new = hello.agent_id.is_empty();
    master.counters.count_either(is_new, ["messages_register_slave", "messages_reregister_slave"]);
    let opened = master.streams.open_agent(term);
    let register =
        convert::agent::read(&master.committed.state(), &master.config, &hello, opened.session)
            .map_err(|error| {
                tracing::warn!(agent = %hello.agent_id, %error, "an agent is refused");
                to_agent::Message::Refused(Refused { reason: error.to_string(), shutdown: false })
            })?;
    let ticket = Ticket::Agent(opened.session);
    let submitted = master.inbox.submit(term, (register.into(), bytes), None, ticket).await;
    // a stream that was opened after leadership had gone would wait for ever
    match (submitted, master.stand.now()) {
        (Ok(()), Standing::Leading(current)) if current == term => Ok(opened),
        (_, standing) => Err(not_leader(master, standing)),
    }
}

/// Takes what the agent says, and pings it, until it hangs up or misses too many pings.
async fn listen(
    master: Arc<Master>,
    (session, term): (Session, u64),
    mut incoming: Streaming<FromAgent>,
) {
    let mut pings = tokio::time::interval(master.config.agent_ping_timeout);
    pings.tick().await;
    let mut missed = 0;
    let cause = loop {
        tokio::select! {
            next = incoming.message() => match next {
                Ok(Some(FromAgent { message: Some(message) })) => {
                    missed = 0;
                    if take(&master, (session, term), message).await.is_err() {
                        break agent::Cause::Closed;
                    }
                }
                Ok(Some(FromAgent { message: None })) => {}
                Ok(None) | Err(_) => break agent::Cause::Closed,
            },
            _ = pings.tick() => {
                missed += 1;
                if missed > master.config.max_agent_ping_timeouts {
                    tracing::warn!(%session, missed, "an agent does not answer its pings");
                    break agent::Cause::Silent;
                }
                let ping = to_agent::Message::Ping(Ping {});
                master.streams.direct(session, ToAgent { message: Some(ping) });
            }
        }
    };
    master.streams.end_because(session, cause);
}

/// The agent's stream is of no use any more.
struct Ended;

async fn take(
    master: &Master,
    (session, term): (Session, u64),
    message: from_agent::Message,
) -> Result<(), Ended> {
    if matches!(message, from_agent::Message::Pong(_)) {
        return Ok(());
    }
    let Some(agent) = master.streams.agent(session) else {
        // it speaks before it is welcome, or its stream has ended meanwhile
        master.counters.count("dropped_messages");
        return if master.streams.is_open(session) { Ok(()) } else { Err(Ended) };
    };
    let ticket = match message {
        from_agent::Message::Unregister(_) => Ticket::Leaver(session),
        _ => Ticket::Nobody,
    };
    let Some((command, bytes)) = command(master, (agent, session), message) else {
        return Ok(());
    };
    let submitted = master.inbox.submit(term, (command, bytes), None, ticket).await;
    submitted.map_err(|SubmitError| Ended)
}

/// The command that a message comes to; none for those that ask for nothing.
fn command(
    master: &Master,
    (agent, session): (AgentId, Session),
    message: from_agent::Message,
) -> Option<(Command, usize)> {
    match message {
        from_agent::Message::Update(update) => self::update(master, (agent, session), update),
        from_agent::Message::ExecutorExited(ExecutorExited {
            framework_id,
            executor_id,
            status,
        }) => {
            master.counters.count("messages_exited_executor");
            let (framework, executor) = (framework_id.into(), executor_id.into());
            let exited = task::ExecutorExited { agent, session, framework, executor, status };
            Some((exited.into(), 0))
        }
        from_agent::Message::ExecutorMessage(ExecutorMessage {
            framework_id,
            executor_id,
            data,
        }) => {
            master.counters.count("messages_executor_to_framework");
            let state = master.committed.state();
            let names =
                ["valid_executor_to_framework_messages", "invalid_executor_to_framework_messages"];
            let is_known = state.framework_by_wire_id(&framework_id).is_some();
            master.counters.count_either(is_known, names);
            let (framework, executor) = (framework_id.into(), executor_id.into());
            let bytes = data.len();
            let message = task::MessageFramework { agent, session, framework, executor, data };
            Some((message.into(), bytes))
        }
        from_agent::Message::FrameworkStopped(FrameworkStopped { framework_id }) => {
            let framework = framework_id.into();
            Some((framework::Stopped { agent, session, framework }.into(), 0))
        }
        from_agent::Message::Oversubscribed(oversubscribed) => {
            master.counters.count("messages_update_slave");
            oversubscribe((agent, session), &oversubscribed.resources)
        }
        from_agent::Message::Unregister(_) => {
            master.counters.count("messages_unregister_slave");
            Some((agent::Unregister { agent, session }.into(), 0))
        }
        from_agent::Message::Confirm(confirm) => {
            master.counters.count("messages_operation_status_update");
            master.counters.count("valid_operation_status_updates");
            let directive = EventNumber(confirm.index);
            master.confirmed.note(agent, directive);
            Some((operation::Confirm { agent, session, directive }.into(), 0))
        }
        // a second hello means nothing
        from_agent::Message::Hello(_)
        | from_agent::Message::Pong(_)
        | from_agent::Message::ReconcileTask(_) => None,
    }
}

fn oversubscribe(
    (agent, session): (AgentId, Session),
    resources: &[v1::Resource],
) -> Option<(Command, usize)> {
    match convert::resources::read(resources) {
        Ok(estimate) => {
            Some((agent::Oversubscribe { agent, session, estimate }.into(), resources.len()))
        }
        Err(error) => {
            tracing::warn!(%agent, %error, "an estimate of revocable resources makes no sense");
            None
        }
    }
}

fn update(
    master: &Master,
    (agent, session): (AgentId, Session),
    update: Update,
) -> Option<(Command, usize)> {
    let status = update.status.unwrap_or_default();
    let bytes = prost::Message::encoded_len(&status);
    let latest = TaskState::from_number(update.latest_state);
    let (task, executor) = (status.task_id.value.clone(), status.executor_id.clone());
    let read = convert::status::read(status);
    master.counters.count("messages_status_update");
    master.counters.count_either(read.is_ok(), ["valid_status_updates", "invalid_status_updates"]);
    match read {
        Ok(status) => {
            let command = task::Update {
                agent,
                session,
                framework: update.framework_id.into(),
                task: task.into(),
                executor: executor.map(|executor| executor.value.into()),
                latest: latest.unwrap_or(status.state),
                status: Arc::new(status),
            };
            Some((command.into(), bytes))
        }
        Err(error) => {
            tracing::warn!(%task, %error, "an update makes no sense");
            None
        }
    }
}
