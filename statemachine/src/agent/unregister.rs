//! An agent leaves for good.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Effect, FrameworkMessage, OperatorMessage};
use crate::event::Fold;
use crate::id::{AgentId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::TaskUpdated;
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
}

impl Decide for Unregister {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let agent = draft.state().agents.get(&self.agent).cloned();
        let name = || -> Arc<str> { draft.state().agent_text(self.agent).into() };
        let agent = agent.ok_or_else(|| Rejection::AgentUnknown(name()))?;
        if agent.session() != Some(self.session) {
            return Err(Rejection::AgentNotConnected(name()));
        }
        for key in &agent.tasks {
            let over = draft.state().tasks.get(key).is_none_or(|task| task.state.is_terminal());
            if over {
                super::unreachable::tell_end(draft, key);
                continue;
            }
            let status = Status::by_master(
                TaskState::Lost,
                Reason::AGENT_REMOVED,
                "Agent has left the cluster",
                draft.context().now,
            );
            let status = Arc::new(status);
            draft.record(TaskUpdated { key: key.clone(), status, latest: TaskState::Lost });
        }
        draft.record(AgentUnregistered { id: self.agent });
        Ok(Reply::Done)
    }
}

impl Fold for AgentUnregistered {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        state.rescind_agent(self.id, effects);
        let executors: Vec<_> =
            state.executors_on(self.id).map(|executor| executor.key.clone()).collect();
        for key in executors {
            state.end_executor(&key);
        }
        // ended tasks stay in the books until their framework has acknowledged the end
        state.forget_agent(self.id);
        state.book.filters.clear_agent(self.id);
        state.tell_all(&FrameworkMessage::Failed { agent: self.id, executor: None }, effects);
        effects.push(Effect::Operators(OperatorMessage::AgentRemoved(self.id)));
    }
}
