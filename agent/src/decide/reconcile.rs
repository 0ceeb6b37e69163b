//! The master believes that tasks run here which the agent did not name.

use protocol::agents::Reconcile;
use protocol::v1;
use protocol::v1::task_status::Reason;

use super::Turn;
use super::status::News;
use crate::checkpoint::state::TaskKey;

impl Turn<'_> {
    /// Each task that the agent does not have is reported so, until the framework acknowledges it
    /// (semantics 226).
    pub(super) fn reconcile(&mut self, reconcile: Reconcile) {
        let state = if reconcile.partition_aware {
            v1::TaskState::TaskDropped
        } else {
            v1::TaskState::TaskLost
        };
        for task in reconcile.tasks {
            let framework_id = reconcile.framework_id.clone();
            let key = TaskKey { framework_id, task_id: task.task_id.value };
            if !self.state.tasks.contains_key(&key) {
                let text = "Reconciliation: task unknown to the agent";
                let executor_id = task.executor_id.map(|id| id.value);
                let news = News::of_agent(state, Reason::Reconciliation, text);
                self.report(&key, executor_id.as_deref(), news);
            }
        }
    }
}
