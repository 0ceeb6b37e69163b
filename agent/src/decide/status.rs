//! Status updates: made, stored, sent one at a time per task.

use protocol::agents::{Update, from_agent};
use protocol::v1;
use protocol::v1::task_status::{Reason, Source};
use uuid::Uuid;

use super::Turn;
use super::live::{Timer, UPDATE_RETRY_FIRST};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{Executor, ExecutorKey, Task, TaskKey};
use crate::checkpoint::wire::Wire;
use crate::containerizer::container_id;

/// An update that the agent itself has to say.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) state: v1::TaskState,
    pub(super) source: Source,
    pub(super) reason: Option<Reason>,
    pub(super) message: Option<String>,
    /// What there was too much of.
    pub(super) limitation: Option<v1::TaskResourceLimitation>,
}

impl News {
    /// Of a command task, whose executor exists in name only.
    pub(super) fn of_command(state: v1::TaskState) -> Self {
        Self { state, source: Source::Executor, reason: None, message: None, limitation: None }
    }

    pub(super) fn of_agent(state: v1::TaskState, reason: Reason, message: &str) -> Self {
        let (reason, message) = (Some(reason), Some(message.to_owned()));
        Self { state, source: Source::Agent, reason, message, limitation: None }
    }
}

impl Turn<'_> {
    /// Tells the framework news about a task.
    pub(super) fn report(&mut self, task: &TaskKey, executor_id: Option<&str>, news: News) {
        let mut status = v1::TaskStatus {
            task_id: task.task_id.as_str().into(),
            state: news.state.into(),
            message: news.message,
            limitation: news.limitation,
            reason: news.reason.map(Into::into),
            executor_id: executor_id.map(Into::into),
            uuid: Some(Uuid::new_v4().as_bytes().to_vec()),
            timestamp: Some(self.clock),
            ..Default::default()
        };
        status.source = Some(news.source.into());
        status.agent_id = Some(self.state.agent_id().into());
        if news.source == Source::Executor
            && let Some(executor_id) = executor_id
        {
            let key = ExecutorKey {
                framework_id: task.framework_id.clone(),
                executor_id: executor_id.to_owned(),
            };
            let executor = self.state.executors.get(&key);
            let container_id = executor.and_then(|executor| executor.container_of(&task.task_id));
            status.container_status = container_id.map(|id| self.container_status(id));
            if let Some(live) = container_id.and_then(|id| self.live.containers.get(id)) {
                status.healthy = live.checked.healthy;
                status.check_status.clone_from(&live.checked.check_status);
            }
        }
        self.store(&task.framework_id, status);
    }

    /// What every status of a running container says about it (semantics 199).
    pub(super) fn container_status(&self, container_id: &str) -> v1::ContainerStatus {
        let process = self.live.containers.get(container_id).and_then(|live| live.process);
        let address = v1::network_info::IpAddress {
            protocol: Some(v1::network_info::Protocol::IPv4.into()),
            ip_address: Some(self.settings.ip.clone()),
        };
        let network = v1::NetworkInfo { ip_addresses: vec![address], ..Default::default() };
        v1::ContainerStatus {
            container_id: Some(container_id::on_wire(container_id)),
            network_infos: vec![network],
            cgroup_info: None,
            executor_pid: process.map(|process| process.pid as u32),
        }
    }

    /// Stores an update; it goes out at once if none of this task waits before it.
    pub(super) fn store(&mut self, framework_id: &str, status: v1::TaskStatus) {
        let key = TaskKey {
            framework_id: framework_id.to_owned(),
            task_id: status.task_id.value.clone(),
        };
        let was_terminal = self.state.tasks.get(&key).is_some_and(Task::is_terminal);
        let state = status.state();
        self.live.counts.valid_status_updates += 1;
        let framework_id = framework_id.to_owned();
        self.record(Event::UpdateStored { framework_id, status: Wire(status) });
        if state.is_terminal() && !was_terminal {
            self.task_is_over(&key);
            *self.live.counts.ended.entry(state).or_default() += 1;
        }
        let waiting = self.state.tasks.get(&key).map_or(0, |task| task.unacknowledged.len());
        if waiting == 1 {
            self.live.retries.insert(key.clone(), UPDATE_RETRY_FIRST);
            self.send_oldest(&key);
        }
    }

    /// An executor needs no more for a task that is over.
    fn task_is_over(&mut self, key: &TaskKey) {
        let task = self.state.tasks.get(key);
        let Some(executor_id) = task.and_then(|task| task.executor_id.clone()) else { return };
        let executor = ExecutorKey { framework_id: key.framework_id.clone(), executor_id };
        if self.state.executors.get(&executor).is_some_and(Executor::is_custom) {
            self.live.resized.insert(executor);
        }
    }

    /// Sends a task's oldest unacknowledged update, and sets the timer of its next try.
    pub(super) fn send_oldest(&mut self, key: &TaskKey) {
        let Some(task) = self.state.tasks.get(key) else { return };
        let Some(status) = task.unacknowledged.front() else { return };
        let update = Update {
            framework_id: key.framework_id.clone(),
            status: Some(status.0.clone()),
            latest_state: task.state().into(),
        };
        let uuid = status.uuid.clone().unwrap_or_default();
        let pause = self.live.retries.get(key).copied().unwrap_or(UPDATE_RETRY_FIRST);
        self.live.timers.set(self.now + pause, Timer::Retry { task: key.clone(), uuid });
        self.send(from_agent::Message::Update(update));
    }
}
