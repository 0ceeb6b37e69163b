//! The only place from which the leader speaks: committed answers and effects become messages on
//! open streams.

use std::sync::Arc;

use bytes::Bytes;
use protocol::agents::{self, ToAgent, to_agent};
use protocol::media::ContentType;
use protocol::v1::scheduler::event::Type;
use protocol::v1::scheduler::{Event, call, event};
use protocol::v1::{self, TaskStatus};
use protocol::{json, recordio};
use statemachine::offer::Offer;
use statemachine::task::{Executor, Task};
use statemachine::{
    AgentId, Directive, Effect, FrameworkId, FrameworkMessage, Rejection, Reply, Session, State,
    TaskId, TaskKey, TaskState,
};
use tokio::sync::mpsc;

use crate::convert::kill::kill_policy;
use crate::convert::{framework, maintenance, offer, operation, resources, status, task};
use crate::leader::{Decided, Outgoing, Release, Ticket};
use crate::master::Master;
use crate::views::operator;

/// How often a stream shows that it lives (semantics 56, 297).
pub(crate) const HEARTBEAT_SECONDS: f64 = 15.0;

/// Sends what the leader releases, in order, until the leader's task is gone.
pub(crate) async fn send(master: Arc<Master>, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(next) = outgoing.recv().await {
        match next {
            Outgoing::Release(term, release) => {
                release_all(&master, term, *release);
                master.counters.meter.unsent.fall();
            }
            Outgoing::Lost => master.streams.end_all(),
        }
    }
}

fn release_all(master: &Master, term: u64, release: Release<Ticket>) {
    let mut listeners = Vec::new();
    for Decided { ticket, outcome, effects } in release.decided {
        match ticket {
            Some(Ticket::Operator(session, caller)) => listeners.push((session, caller)),
            Some(ticket) => answer(master, &release.state, term, ticket, outcome),
            None => {}
        }
        for effect in effects {
            dispatch(master, &release.state, effect);
        }
    }
    // the state has all of this release in it: events go on after that
    for (session, caller) in listeners {
        master.streams.listen(session);
        // an operator that hung up does not want to know
        let _ = caller.send(release.state.clone());
    }
}

/// Tells whoever asked.
fn answer(
    master: &Master,
    state: &State,
    term: u64,
    ticket: Ticket,
    outcome: Result<Reply, Rejection>,
) {
    match (ticket, outcome) {
        (Ticket::Nobody | Ticket::Operator(..), _) => {}
        // a caller that hung up does not want to know
        (Ticket::Caller(caller), outcome) => drop(caller.send(outcome)),
        (Ticket::Scheduler(session), Ok(Reply::Subscribed(framework, wire_id))) => {
            master.counters.retain(state);
            subscribed(master, session, framework, &wire_id);
        }
        (Ticket::Scheduler(session), outcome) => {
            let why = outcome.err().map_or_else(String::new, |rejection| rejection.to_string());
            tell(master, session, &error(why));
            master.streams.end(session);
        }
        (Ticket::Agent(session), Ok(Reply::Registered(agent))) => {
            registered(master, state, (session, term), agent);
        }
        (Ticket::Agent(session), outcome) => {
            let shutdown =
                matches!(outcome, Err(Rejection::AgentUnknown(_) | Rejection::AgentDismissed(_)));
            let reason = outcome.err().map_or_else(String::new, |rejection| rejection.to_string());
            let refused = agents::Refused { reason, shutdown };
            direct(master, session, to_agent::Message::Refused(refused));
            master.streams.end(session);
        }
        (Ticket::Leaver(session), outcome) => {
            if outcome.is_ok() {
                let unregistered = agents::Unregistered {};
                direct(master, session, to_agent::Message::Unregistered(unregistered));
            }
            master.streams.end(session);
        }
        (Ticket::Leader(term), Ok(_)) => master.stand.serve(term),
        (Ticket::Leader(_), Err(rejection)) => {
            tracing::error!(%rejection, "this master cannot lead");
        }
    }
}

fn subscribed(master: &Master, session: Session, framework: FrameworkId, wire_id: &str) {
    if !master.streams.subscribed(session, framework) {
        // hung up before it was subscribed
        master.ended(session, statemachine::framework::Disconnect { framework, session });
        return;
    }
    let subscribed = event::Subscribed {
        framework_id: wire_id.into(),
        heartbeat_interval_seconds: Some(HEARTBEAT_SECONDS),
        master_info: Some(master.info()),
    };
    let subscribed = Event { subscribed: Some(subscribed), ..of_type(Type::Subscribed) };
    tell(master, session, &subscribed);
    master.counters.call(framework, call::Type::Subscribe);
    tell_heartbeat(master, session);
}

fn registered(master: &Master, state: &State, (session, term): (Session, u64), agent: AgentId) {
    if !master.streams.registered(session, agent) {
        let cause = statemachine::agent::Cause::Closed;
        master.ended(session, statemachine::agent::Disconnect { agent, session, cause });
        return;
    }
    let welcome = agents::Welcome {
        cluster_id: state.cluster.id.to_string(),
        agent_id: state.agent_text(agent),
        term,
        ping_interval_ms: master.config.agent_ping_timeout.as_millis() as u64,
        ping_timeout_ms: master.config.ping_timeout().as_millis() as u64,
        masters: master.addresses(),
        hostname: master.config.public_hostname(),
    };
    direct(master, session, to_agent::Message::Welcome(welcome));
}

fn dispatch(master: &Master, state: &State, effect: Effect) {
    match effect {
        Effect::Framework { to, session, message } => inform(master, state, (to, session), message),
        Effect::Agent { session, directive, .. } => {
            let is_last = matches!(directive, Directive::Leave { .. });
            direct(master, session, directive_message(state, directive));
            if is_last {
                master.streams.end(session);
            }
        }
        Effect::Operators(message) => {
            if !master.streams.has_operators() {
                return;
            }
            if let Some(event) = operator::event(state, &message) {
                master.streams.broadcast(|content_type| record(content_type, &event));
            }
        }
    }
}

fn inform(
    master: &Master,
    state: &State,
    (framework, session): (FrameworkId, Session),
    message: FrameworkMessage,
) {
    match message {
        FrameworkMessage::Offers(offers) => {
            let event = offers_event(state, framework, &offers);
            tell(master, session, &event);
        }
        FrameworkMessage::Failure(text) => {
            tell(master, session, &error(text.to_string()));
            master.streams.end(session);
        }
        FrameworkMessage::Closed => master.streams.end(session),
        FrameworkMessage::Rescinded(offer) => {
            let rescind = event::Rescind { offer_id: state.offer_text(offer).into() };
            let event = Event { rescind: Some(rescind), ..of_type(Type::Rescind) };
            tell(master, session, &event);
        }
        FrameworkMessage::InverseOffers(offers) => {
            let offers = offers.iter().filter_map(|it| maintenance::inverse_offer(state, it));
            let inverse_offers = Some(event::InverseOffers { inverse_offers: offers.collect() });
            tell(master, session, &Event { inverse_offers, ..of_type(Type::InverseOffers) });
        }
        FrameworkMessage::InverseRescinded(offer) => {
            let inverse_offer_id = state.offer_text(offer).into();
            let rescinded = Some(event::RescindInverseOffer { inverse_offer_id });
            let of_type = of_type(Type::RescindInverseOffer);
            tell(master, session, &Event { rescind_inverse_offer: rescinded, ..of_type });
        }
        FrameworkMessage::Updated(update) => {
            let subject = status::Subject::of_update(&update);
            let status = status::write(state, &subject, &update.status);
            let update = Some(event::Update { status });
            tell(master, session, &Event { update, ..of_type(Type::Update) });
        }
        FrameworkMessage::OperationUpdated(update) => {
            let status = operation::write_status(state, &update);
            let update_operation_status = Some(event::UpdateOperationStatus { status });
            let of_type = of_type(Type::UpdateOperationStatus);
            tell(master, session, &Event { update_operation_status, ..of_type });
        }
        FrameworkMessage::Failed { agent, executor } => {
            let failure = event::Failure {
                agent_id: Some(state.agent_text(agent).into()),
                executor_id: executor.as_ref().map(|(executor, _)| (**executor).into()),
                status: executor.map(|(_, status)| status),
            };
            tell(master, session, &Event { failure: Some(failure), ..of_type(Type::Failure) });
        }
        FrameworkMessage::Message { agent, executor, data } => {
            let message = event::Message {
                agent_id: state.agent_text(agent).into(),
                executor_id: (*executor).into(),
                data: data.to_vec(),
            };
            tell(master, session, &Event { message: Some(message), ..of_type(Type::Message) });
        }
    }
}

fn offers_event(state: &State, framework: FrameworkId, offers: &[Arc<Offer>]) -> Event {
    let capabilities = state
        .frameworks
        .get(&framework)
        .map(|framework| framework.description.capabilities)
        .unwrap_or_default();
    let offers = offers.iter().filter_map(|offer| offer::write(state, offer, capabilities));
    let offers = event::Offers { offers: offers.collect() };
    Event { offers: Some(offers), ..of_type(Type::Offers) }
}

fn directive_message(state: &State, directive: Directive) -> to_agent::Message {
    let wire_id = |framework: FrameworkId| {
        let framework = state.frameworks.get(&framework);
        framework.map_or_else(String::new, |framework| framework.wire_id.to_string())
    };
    match directive {
        Directive::Launch(started, executor) => {
            let framework = state.frameworks.get(&started.key.framework);
            to_agent::Message::Launch(agents::Launch {
                index: started.launched.0,
                framework: framework.map(|it| framework::write(it)),
                task: Some(task::write_info(&started, executor.as_deref())),
                starts_executor: Some(started.starts(executor.as_deref())),
            })
        }
        Directive::LaunchGroup(tasks, executor) => {
            to_agent::Message::LaunchGroup(launch_group(state, &tasks, executor.as_deref()))
        }
        Directive::Kill { framework, task, policy, max_grace_ns } => {
            let framework_id = wire_id(framework);
            let task_id = task.to_string();
            let known = state.tasks.get(&TaskKey { framework, task });
            let kill_policy = kill_policy(known.map(AsRef::as_ref), &policy, max_grace_ns);
            to_agent::Message::Kill(agents::Kill { framework_id, task_id, kill_policy })
        }
        Directive::Leave { reason } => {
            let reason = reason.to_string();
            to_agent::Message::Refused(agents::Refused { reason, shutdown: true })
        }
        Directive::Acknowledge { framework, task, update } => {
            to_agent::Message::Acknowledge(agents::Acknowledge {
                framework_id: framework.to_string(),
                task_id: task.to_string(),
                uuid: Bytes::copy_from_slice(&update.0),
            })
        }
        Directive::Message { framework, executor, data } => {
            to_agent::Message::FrameworkMessage(agents::FrameworkMessage {
                framework_id: wire_id(framework),
                executor_id: executor.to_string(),
                data,
            })
        }
        Directive::ShutdownExecutor { framework, executor, number } => {
            to_agent::Message::ShutdownExecutor(agents::ShutdownExecutor {
                framework_id: wire_id(framework),
                executor_id: executor.to_string(),
                index: number.0,
            })
        }
        Directive::ShutdownFramework { framework, number } => {
            let framework_id = framework.to_string();
            let shutdown = agents::ShutdownFramework { framework_id, index: number.0 };
            to_agent::Message::ShutdownFramework(shutdown)
        }
        Directive::Reconcile { framework, tasks } => {
            to_agent::Message::Reconcile(reconcile(state, framework, &tasks))
        }
        Directive::FrameworkChanged(id) => {
            let framework = state.frameworks.get(&id).map(|it| framework::write(it));
            to_agent::Message::FrameworkInfoChanged(agents::FrameworkInfoChanged { framework })
        }
        Directive::Resources { total, number } => {
            let total = resources::write(&total, None);
            to_agent::Message::Resources(agents::Resources { index: number.0, total })
        }
    }
}

fn launch_group(
    state: &State,
    tasks: &[Arc<Task>],
    executor: Option<&Executor>,
) -> agents::LaunchGroup {
    let Some(first) = tasks.first() else { return agents::LaunchGroup::default() };
    let framework = state.frameworks.get(&first.key.framework);
    agents::LaunchGroup {
        index: first.launched.0,
        framework: framework.map(|it| framework::write(it)),
        executor: task::write_executor_of(first, executor),
        tasks: tasks.iter().map(|task| task::write_grouped(task)).collect(),
        starts_executor: first.starts(executor),
    }
}

fn reconcile(
    state: &State,
    framework: FrameworkId,
    tasks: &[(TaskId, TaskState)],
) -> agents::Reconcile {
    let known = state.frameworks.get(&framework);
    agents::Reconcile {
        framework_id: known.map_or_else(String::new, |known| known.wire_id.to_string()),
        partition_aware: known.is_some_and(|known| known.description.is_partition_aware()),
        tasks: tasks
            .iter()
            .map(|(task, state)| TaskStatus {
                task_id: v1::TaskId::from(&**task),
                state: *state as i32,
                ..TaskStatus::default()
            })
            .collect(),
    }
}

fn of_type(r#type: Type) -> Event {
    Event { r#type: Some(r#type as i32), ..Event::default() }
}

/// An ERROR event.
pub(crate) fn error(message: String) -> Event {
    Event { error: Some(event::Error { message }), ..of_type(Type::Error) }
}

/// A HEARTBEAT for a scheduler, framed.
pub(crate) fn scheduler_heartbeat(content_type: ContentType) -> Bytes {
    record(content_type, &of_type(Type::Heartbeat))
}

/// One record of a stream.
pub(crate) fn record<M>(content_type: ContentType, message: &M) -> Bytes
where
    M: json::JsonMessage + serde::Serialize + prost::Message,
{
    recordio::encode(&content_type.encode(message))
}

fn tell(master: &Master, session: Session, event: &Event) {
    let told = master.streams.tell(session, |content_type| record(content_type, event));
    if let Some(framework) = told {
        master.counters.event(framework, event.r#type.unwrap_or_default());
    }
}

fn tell_heartbeat(master: &Master, session: Session) {
    if let Some(framework) = master.streams.tell(session, scheduler_heartbeat) {
        master.counters.event(framework, Type::Heartbeat as i32);
    }
}

fn direct(master: &Master, session: Session, message: to_agent::Message) {
    master.streams.direct(session, ToAgent { message: Some(message) });
}
