//! What becomes of tasks whose agent does not come back, whatever took it away.

use std::sync::Arc;

use crate::draft::Draft;
use crate::effect::{Effect, FrameworkMessage};
use crate::id::{AgentId, TaskKey};
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::TaskUpdated;

/// How frameworks are told that their tasks are over.
pub(crate) struct Farewell {
    /// To those that tell lost tasks apart.
    pub(crate) aware: (TaskState, Reason),
    /// To the others.
    pub(crate) unaware: (TaskState, Reason),
    /// In words.
    pub(crate) message: &'static str,
}

/// Ends every task of an agent in the books, unreachable ones too, and tells their frameworks.
pub(crate) fn end_tasks(draft: &mut Draft<'_>, id: AgentId, farewell: &Farewell) {
    let Some(agent) = draft.state().agents.get(&id).cloned() else {
        return;
    };
    for key in &agent.tasks {
        let over = draft.state().tasks.get(key).is_none_or(|task| task.state.is_terminal());
        if over {
            tell_end(draft, key);
        } else {
            end_task(draft, key, farewell);
        }
    }
}

/// Ends a task and tells its framework.
pub(super) fn end_task(draft: &mut Draft<'_>, key: &TaskKey, farewell: &Farewell) {
    let aware = draft.state().is_partition_aware(key.framework);
    let (told, reason) = if aware { farewell.aware } else { farewell.unaware };
    let status = Status::by_master(told, reason, farewell.message, draft.context().now);
    draft.record(TaskUpdated { key: key.clone(), status: Arc::new(status), latest: told });
}

/// A task had ended, but its agent is away before its framework has heard so (earlier updates were
/// acknowledged first): the master, which knows, says it in the agent's place.
pub(super) fn tell_end(draft: &mut Draft<'_>, key: &TaskKey) {
    let Some(task) = draft.state().tasks.get(key) else {
        return;
    };
    if !task.state.is_terminal() || task.is_end_told() {
        return;
    }
    let latest = task.state;
    let message = "Task had ended before its agent was lost";
    let now = draft.context().now;
    let status = Arc::new(Status::by_master(latest, Reason::AGENT_REMOVED, message, now));
    draft.record(TaskUpdated { key: key.clone(), status, latest });
}

impl State {
    /// Takes an agent, its executors and its offers out of the cluster for good. Ended tasks stay in
    /// the books until their framework has acknowledged the end.
    pub(crate) fn dismiss(&mut self, agent: AgentId, effects: &mut Vec<Effect>) {
        self.rescind_agent(agent, effects);
        self.withdraw_inverse(agent, effects);
        let executors: Vec<_> =
            self.executors_on(agent).map(|executor| executor.key.clone()).collect();
        for key in executors {
            self.end_executor(&key);
        }
        self.drop_lingering(agent);
        self.lose_operations(agent, effects);
        self.forget_agent(agent);
        self.book.filters.clear_agent(agent);
        self.tell_all(&FrameworkMessage::Failed { agent, executor: None }, effects);
    }
}
