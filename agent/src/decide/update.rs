//! An executor says how a task of its is.

use protocol::v1;
use protocol::v1::executor::{self, event};

use super::Turn;
use crate::checkpoint::state::{ExecutorKey, TaskKey};

impl Turn<'_> {
    /// Stores an executor's update once and acknowledges it each time (semantics 192). What comes
    /// after a task's end is acknowledged and dropped (semantics 193).
    pub(super) fn executor_update(&mut self, key: &ExecutorKey, mut status: v1::TaskStatus) {
        let task = TaskKey {
            framework_id: key.framework_id.clone(),
            task_id: status.task_id.value.clone(),
        };
        let uuid = status.uuid.clone().unwrap_or_default();
        let known = self.state.tasks.get(&task);
        let live = self.live.executors.get(key);
        let has_ended = live.is_some_and(|live| live.had(&task.task_id));
        let is_news =
            known.map_or(!has_ended, |known| !known.is_terminal() && !known.has_update(&uuid));
        if is_news {
            status.agent_id = Some(self.state.agent_id().into());
            status.executor_id = Some(key.executor_id.as_str().into());
            status.timestamp = status.timestamp.or(Some(self.clock));
            let executor = self.state.executors.get(key);
            let ours = executor.map(|executor| self.container_status(&executor.container_id));
            status.container_status = merge(status.container_status, ours);
            self.store(&key.framework_id, status);
        }
        let live = self.live.executors.get(key);
        let Some(stream) = live.and_then(|live| live.stream.clone()) else { return };
        let acknowledged = event::Acknowledged { task_id: task.task_id.into(), uuid };
        self.tell(
            key,
            &stream,
            executor::Event {
                r#type: Some(event::Type::Acknowledged.into()),
                acknowledged: Some(acknowledged),
                ..Default::default()
            },
        );
    }
}

/// What the executor says of its container counts; the agent fills in the rest (semantics 199).
fn merge(
    said: Option<v1::ContainerStatus>,
    ours: Option<v1::ContainerStatus>,
) -> Option<v1::ContainerStatus> {
    let (Some(mut said), Some(ours)) = (said.clone(), ours.clone()) else { return said.or(ours) };
    said.container_id = said.container_id.or(ours.container_id);
    said.executor_pid = said.executor_pid.or(ours.executor_pid);
    if said.network_infos.is_empty() {
        said.network_infos = ours.network_infos;
    }
    Some(said)
}
