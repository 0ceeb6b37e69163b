//! The framework has heard an update: the next one of that task may go.

use protocol::agents::Acknowledge;

use super::Turn;
use super::live::UPDATE_RETRY_FIRST;
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{ExecutorKey, TaskKey};

impl Turn<'_> {
    /// An acknowledgement of anything but the oldest update is late or false, and changes nothing.
    pub(super) fn acknowledge(&mut self, acknowledge: Acknowledge) {
        let Acknowledge { framework_id, task_id, uuid } = acknowledge;
        let key = TaskKey { framework_id, task_id };
        let oldest = self.state.tasks.get(&key).and_then(|task| task.unacknowledged.front());
        let is_end = oldest.is_some_and(|status| status.state().is_terminal());
        if oldest.and_then(|status| status.uuid.as_deref()) != Some(uuid.as_ref()) {
            return;
        }
        let executor_id = self.state.tasks.get(&key).and_then(|task| task.executor_id.clone());
        let TaskKey { framework_id, task_id } = key.clone();
        self.record(Event::UpdateAcknowledged { framework_id, task_id });
        if self.state.tasks.contains_key(&key) {
            self.live.retries.insert(key.clone(), UPDATE_RETRY_FIRST);
            self.send_oldest(&key);
        } else {
            self.live.retries.remove(&key);
            let TaskKey { framework_id, task_id } = key;
            let executor = executor_id.map(|executor_id| ExecutorKey { framework_id, executor_id });
            let Some(executor) = executor else { return };
            if let Some(live) = self.live.executors.get_mut(&executor).filter(|_| is_end) {
                live.forget(&task_id);
            }
            self.task_forgotten(&executor);
        }
    }
}
