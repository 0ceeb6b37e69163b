//! An agent has been away for too long: what runs there is out of reach.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::draft::Draft;
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::AgentId;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::TaskUpdated;
use crate::time::Time;

/// An agent is unreachable. What becomes of its tasks follows as events of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUnreachable {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
}

/// Gives an agent up until it returns. Frameworks that can tell hear `TASK_UNREACHABLE`, others `TASK_LOST`; both
/// may hear of the task again when the agent returns (semantics 221).
pub(crate) fn lose(draft: &mut Draft<'_>, id: AgentId) {
    let Some(agent) = draft.state().agents.get(&id).cloned() else {
        return;
    };
    let now = draft.context().now;
    draft.record(AgentUnreachable { id });
    for key in &agent.tasks {
        let Some(task) = draft.state().tasks.get(key) else {
            continue;
        };
        if task.state.is_terminal() {
            continue;
        }
        let aware = draft.state().is_partition_aware(key.framework);
        let told = if aware { TaskState::Unreachable } else { TaskState::Lost };
        let mut status =
            Status::by_master(told, Reason::AGENT_REMOVED, "Agent is unreachable", now);
        status.unreachable_at = Some(now);
        draft.record(TaskUpdated {
            key: key.clone(),
            status: Arc::new(status),
            latest: TaskState::Unreachable,
        });
    }
}

impl Fold for AgentUnreachable {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        state.rescind_agent(self.id, effects);
        state.connect_agent(self.id, Connection::Disconnected { until: Time(u64::MAX) });
        state.suspend_executors(self.id);
        state.alter_agent(self.id, |agent| agent.unreachable_since = Some(at));
        state.book.filters.clear_agent(self.id);
        state.tell_all(&FrameworkMessage::Failed { agent: self.id, executor: None }, effects);
    }
}
