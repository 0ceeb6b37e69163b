//! What clients are told, cut down to what the model predicts.

use statemachine::{
    AgentId, Directive, Effect, FrameworkId, FrameworkMessage, Session, State, TaskState, UpdateId,
};

use crate::pile::Pile;

/// Who is told something, and over which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Listener {
    Framework(FrameworkId, Session),
    Agent(AgentId, Session),
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    Offers(Vec<u64>),
    Rescinded(u64),
    /// A framework is asked to give back what it has on an agent.
    Asked(AgentId, i64),
    AskedNoMore(AgentId),
    Updated {
        task: String,
        state: TaskState,
        reason: Option<i32>,
        update: Option<UpdateId>,
    },
    Failed(AgentId, Option<String>),
    Error,
    Closed,
    Launch(FrameworkId, Vec<String>),
    Kill(FrameworkId, String),
    Acknowledge(String, UpdateId),
    ShutdownFramework(String),
    ShutdownExecutor(FrameworkId, String),
    Leave,
    Total(Pile),
    Missing(FrameworkId, Vec<String>),
}

/// The real messages, in the model's words; those that it says nothing about are left out. `before` is
/// the state before they were sent, which knows whose an inverse offer was.
pub(crate) fn read(effects: &[Effect], before: &State) -> Vec<(Listener, Said)> {
    let mut said = Vec::new();
    for effect in effects {
        match effect {
            Effect::Framework { to, session, message } => {
                let listener = Listener::Framework(*to, *session);
                said.extend(heard(message, before).into_iter().map(|it| (listener, it)));
            }
            Effect::Agent { to, session, directive } => {
                let listener = Listener::Agent(*to, *session);
                said.extend(directed(directive).map(|it| (listener, it)));
            }
            Effect::Operators(_) => {}
        }
    }
    said.sort();
    said
}

fn heard(message: &FrameworkMessage, before: &State) -> Vec<Said> {
    vec![match message {
        FrameworkMessage::Offers(offers) => Said::Offers(offers.iter().map(|it| it.id.0).collect()),
        FrameworkMessage::Rescinded(offer) => Said::Rescinded(offer.0),
        FrameworkMessage::Updated(update) => Said::Updated {
            task: update.task.to_string(),
            state: update.status.state,
            reason: update.status.reason.map(|reason| reason.0),
            update: update.status.update,
        },
        FrameworkMessage::Failed { agent, executor } => {
            Said::Failed(*agent, executor.as_ref().map(|(id, _)| id.to_string()))
        }
        FrameworkMessage::Failure(_) => Said::Error,
        FrameworkMessage::Closed => Said::Closed,
        FrameworkMessage::InverseOffers(offers) => {
            let asked = |it: &statemachine::maintenance::InverseOffer| {
                Said::Asked(it.agent, it.unavailability.start_ns)
            };
            return offers.iter().map(asked).collect();
        }
        FrameworkMessage::InverseRescinded(offer) => {
            let (agent, _) = before.maintenance.offers[offer];
            Said::AskedNoMore(agent)
        }
        FrameworkMessage::OperationUpdated(_) | FrameworkMessage::Message { .. } => {
            return Vec::new();
        }
    }]
}

fn directed(directive: &Directive) -> Option<Said> {
    Some(match directive {
        Directive::Launch(task, _) => {
            Said::Launch(task.key.framework, vec![task.key.task.to_string()])
        }
        Directive::LaunchGroup(tasks, _) => {
            let ids = tasks.iter().map(|task| task.key.task.to_string()).collect();
            Said::Launch(tasks[0].key.framework, ids)
        }
        Directive::Kill { framework, task, .. } => Said::Kill(*framework, task.to_string()),
        Directive::Acknowledge { task, update, .. } => Said::Acknowledge(task.to_string(), *update),
        Directive::ShutdownFramework { framework, .. } => {
            Said::ShutdownFramework(framework.to_string())
        }
        Directive::ShutdownExecutor { framework, executor, .. } => {
            Said::ShutdownExecutor(*framework, executor.to_string())
        }
        Directive::Leave { .. } => Said::Leave,
        Directive::Resources { total, .. } => Said::Total(Pile::of(total)),
        Directive::Reconcile { framework, tasks } => {
            let ids = tasks.iter().map(|(task, _)| task.to_string()).collect();
            Said::Missing(*framework, ids)
        }
        Directive::FrameworkChanged(_) | Directive::Message { .. } => return None,
    })
}
