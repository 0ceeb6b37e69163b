//! Events as operators hear them (semantics U).

use protocol::v1::master::Event;
use protocol::v1::master::event::{
    AgentAdded, AgentRemoved, FrameworkAdded, FrameworkRemoved, FrameworkUpdated, TaskAdded,
    TaskUpdated, Type,
};
use statemachine::framework::Framework;
use statemachine::{FrameworkId, OperatorMessage, State};

use super::response;
use crate::convert::{framework, status, task};

/// The event for a message; none if what it is about is gone already, of which another event tells.
pub(crate) fn event(state: &State, message: &OperatorMessage) -> Option<Event> {
    Some(match message {
        OperatorMessage::TaskAdded(added) => {
            let framework = state.frameworks.get(&added.key.framework)?;
            let task = task::write(state, framework, added);
            Event { task_added: Some(TaskAdded { task }), ..of_type(Type::TaskAdded) }
        }
        OperatorMessage::TaskUpdated(updated, said) => {
            let framework = framework_of(state, updated.key.framework)?;
            let subject = status::Subject::of_task(updated);
            let updated = TaskUpdated {
                framework_id: (*framework.wire_id).into(),
                status: status::write(state, &subject, said),
                state: updated.state as i32,
            };
            Event { task_updated: Some(updated), ..of_type(Type::TaskUpdated) }
        }
        OperatorMessage::FrameworkAdded(id) => {
            let framework = response::framework_alone(known(state, *id)?);
            let added = Some(FrameworkAdded { framework });
            Event { framework_added: added, ..of_type(Type::FrameworkAdded) }
        }
        OperatorMessage::FrameworkUpdated(id) => {
            let framework = response::framework_alone(known(state, *id)?);
            let updated = Some(FrameworkUpdated { framework });
            Event { framework_updated: updated, ..of_type(Type::FrameworkUpdated) }
        }
        OperatorMessage::FrameworkRemoved(removed) => {
            let framework_info = framework::write(removed);
            let removed = Some(FrameworkRemoved { framework_info });
            Event { framework_removed: removed, ..of_type(Type::FrameworkRemoved) }
        }
        OperatorMessage::AgentAdded(id) => {
            let mut agent = response::agent(state, state.agents.get(id)?);
            // events are of v1 alone, which has no such field
            agent.agent_info.checkpoint = None;
            Event { agent_added: Some(AgentAdded { agent }), ..of_type(Type::AgentAdded) }
        }
        OperatorMessage::AgentRemoved(id) => {
            let removed = Some(AgentRemoved { agent_id: state.agent_text(*id).into() });
            Event { agent_removed: removed, ..of_type(Type::AgentRemoved) }
        }
    })
}

fn known(state: &State, id: FrameworkId) -> Option<&Framework> {
    state.frameworks.get(&id).map(AsRef::as_ref)
}

/// Whose a task is or was: what ends with its framework is told once that is over.
fn framework_of(state: &State, id: FrameworkId) -> Option<&Framework> {
    let over = || state.completed_frameworks.iter().rev().map(|it| &*it.framework);
    known(state, id).or_else(|| over().find(|framework| framework.id == id))
}

/// An event that says no more than its type.
pub(crate) fn of_type(r#type: Type) -> Event {
    Event { r#type: Some(r#type as i32), ..Event::default() }
}
