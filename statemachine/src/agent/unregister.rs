//! An agent leaves for good.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::depart::{Farewell, end_tasks};
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect, OperatorMessage};
use crate::event::Fold;
use crate::id::{AgentId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Reason, TaskState};
use crate::time::Time;

/// The agent says good-bye over its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Unregister {
    /// Who.
    pub agent: AgentId,
    /// The stream it said so on.
    pub session: Session,
}

/// An agent left: its id is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUnregistered {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// Whether another has taken its place.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
}

/// Mesos says the same to every framework (semantics 230).
pub(super) const LEFT: Farewell = Farewell {
    aware: (TaskState::Lost, Reason::AGENT_REMOVED),
    unaware: (TaskState::Lost, Reason::AGENT_REMOVED),
    message: "Agent has left the cluster",
};

/// The same for agents on machines that go out of service.
const DOWN: Farewell = Farewell { message: "Agent's machine is down for maintenance", ..LEFT };

impl Decide for Unregister {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let agent = draft.state().agents.get(&self.agent).cloned();
        let name = || -> Arc<str> { draft.state().agent_text(self.agent).into() };
        let agent = agent.ok_or_else(|| Rejection::AgentUnknown(name()))?;
        if agent.session() != Some(self.session) {
            return Err(Rejection::AgentNotConnected(name()));
        }
        end_tasks(draft, self.agent, &LEFT);
        draft.record(AgentUnregistered { id: self.agent, replaced: false });
        Ok(Reply::Done)
    }
}

/// Ends an agent whose machine goes out of service (semantics 244).
pub(crate) fn send_away(draft: &mut Draft<'_>, id: AgentId) {
    end_tasks(draft, id, &DOWN);
    let name = draft.state().agent_text(id);
    let reason = format!("the machine of agent {name} is down for maintenance").into();
    draft.direct(id, Directive::Leave { reason });
    draft.record(AgentUnregistered { id, replaced: false });
}

impl Fold for AgentUnregistered {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        if self.replaced {
            state.agent_counts.replaced += 1;
        } else {
            state.agent_counts.unregistered += 1;
        }
        state.dismiss(self.id, effects);
        effects.push(Effect::Operators(OperatorMessage::AgentRemoved(self.id)));
    }
}
