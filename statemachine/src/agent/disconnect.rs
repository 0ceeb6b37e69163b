//! An agent's stream ends.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::connection::Connection;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{AgentId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// The stream named by `session` has ended, or the agent no longer answers on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Disconnect {
    /// Whose stream.
    pub agent: AgentId,
    /// Which; news of any but the current one means nothing.
    pub session: Session,
}

/// An agent is away: its offers are over, its tasks run on, and it is unreachable at `until` unless
/// it comes back (semantics 223).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDisconnected {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// When it counts as unreachable.
    #[serde(rename = "u")]
    pub until: Time,
}

impl Decide for Disconnect {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(agent) = state.agents.get(&self.agent) else {
            return Err(Rejection::AgentUnknown(state.agent_text(self.agent).into()));
        };
        if agent.session() == Some(self.session) {
            let until =
                draft.context().now.after_ms(draft.context().settings.agent_reregister_timeout_ms);
            draft.record(AgentDisconnected { id: self.agent, until });
        }
        Ok(Reply::Done)
    }
}

impl Fold for AgentDisconnected {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        state.connect_agent(self.id, Connection::Disconnected { until: self.until });
        state.rescind_agent(self.id, effects);
    }
}
