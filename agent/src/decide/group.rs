//! Task groups: launched together, and killed together (semantics 263).

use std::time::Duration;

use protocol::agents::LaunchGroup;
use protocol::v1;

use super::Turn;
use super::launch::{Kind, Order, executor_key, task_key};
use super::live::Timer;
use crate::checkpoint::event::{Event, GroupLaunched, GroupedTask};
use crate::checkpoint::state::{Executor, ExecutorKey, TaskKey};
use crate::checkpoint::wire::Wire;
use crate::containerizer::container_id;

/// Raw wait status of a default executor, which ends when it has nothing left to do.
const DONE: i32 = 0;
/// How long a default executor without containers waits for acknowledgements.
const LINGER: Duration = Duration::from_secs(1);

impl Turn<'_> {
    /// The master wants tasks to run together. A default executor's run at once, each in a container of
    /// its own; a custom one is given them as one.
    pub(super) fn launch_group(&mut self, launch: LaunchGroup) {
        let LaunchGroup { index, framework, executor, tasks, starts_executor } = launch;
        let (Some(framework), Some(executor)) = (framework, executor) else { return };
        let (framework, executor) = (Wire(framework), Wire(executor));
        let key = executor_key(&framework, &executor);
        if !tasks.iter().any(|task| self.was_launched(index, &task_key(&key, task))) {
            let is_default = executor.r#type() == v1::executor_info::Type::Default;
            let order = Order {
                key,
                kind: if is_default { Kind::Default } else { Kind::Custom },
                tasks: tasks.iter().collect(),
                starts_executor: Some(starts_executor),
            };
            match self.refusal(&order) {
                Some(refusal) => self.refuse(index, &framework, &order, refusal),
                None => self.accept_group(index, framework, executor, tasks),
            }
        }
        self.confirm(index);
    }

    fn accept_group(
        &mut self,
        index: u64,
        framework: Wire<v1::FrameworkInfo>,
        executor: Wire<v1::ExecutorInfo>,
        tasks: Vec<v1::TaskInfo>,
    ) {
        let key = executor_key(&framework, &executor);
        let running = self.running(&key).map(|running| running.container_id.clone());
        let is_new = running.is_none();
        let container_id = match running {
            Some(container_id) => container_id,
            None => container_id::new(),
        };
        let is_default = executor.r#type() == v1::executor_info::Type::Default;
        let own = || is_default.then(|| container_id::within(&container_id));
        let grouped = |task| GroupedTask { task: Wire(task), container_id: own() };
        let tasks: Vec<GroupedTask> = tasks.into_iter().map(grouped).collect();
        let task_ids: Vec<String> =
            tasks.iter().map(|grouped| grouped.task.task_id.value.clone()).collect();
        let containers: Vec<String> =
            tasks.iter().filter_map(|grouped| grouped.container_id.clone()).collect();
        let launched =
            GroupLaunched { index, framework, executor, container_id: container_id.clone(), tasks };
        self.record(Event::GroupLaunched(Box::new(launched)));
        self.live.executors.entry(key.clone()).or_default();
        if is_default {
            self.share(&key);
            for container_id in containers {
                self.launch_container(&key, &container_id);
            }
        } else if is_new {
            self.launch_container(&key, &container_id);
        } else {
            self.live.resized.insert(key.clone());
            self.deliver(&key, &task_ids);
        }
    }

    /// A container of a default executor is gone. Its task may take its group with it, and the executor
    /// ends with its last container.
    pub(super) fn task_container_ended(&mut self, key: &ExecutorKey, container_id: &str) {
        let Some(task) = self.state.task_in(key, container_id) else { return };
        let task_id = task.task_id.clone();
        self.record(Event::TaskContainerEnded { executor: key.clone(), task_id });
        self.live.resized.insert(key.clone());
        let state = self.state.tasks.get(&task).map(crate::checkpoint::state::Task::state);
        if state.is_some_and(|state| state != v1::TaskState::TaskFinished) {
            self.doom_group(key, &task);
        }
        self.linger(key);
    }

    /// A default executor without containers ends once its tasks' ends are acknowledged, so that its
    /// framework hears of them first; but it does not wait for long.
    fn linger(&mut self, key: &ExecutorKey) {
        let Some(executor) = self.state.executors.get(key) else { return };
        if executor.is_shut_down || executor.tasks.is_empty() {
            self.end_if_idle(key);
        } else if executor.containers.is_empty() {
            let (executor, container_id) = (key.clone(), executor.container_id.clone());
            self.live.timers.set(self.now + LINGER, Timer::Linger { executor, container_id });
        }
    }

    /// Ends a default executor that has no container.
    pub(super) fn end_if_idle(&mut self, key: &ExecutorKey) {
        let executor = self.state.executors.get(key);
        let is_idle = |executor: &Executor| {
            executor.is_default() && !executor.has_ended && executor.containers.is_empty()
        };
        if executor.is_some_and(is_idle) {
            self.end_executor(key, DONE);
        }
    }

    /// The end of a task was acknowledged: it may have been the last that its executor waited for.
    pub(super) fn task_forgotten(&mut self, key: &ExecutorKey) {
        if self.state.executors.get(key).is_some_and(|executor| executor.tasks.is_empty()) {
            self.end_if_idle(key);
        }
    }

    /// The others of a group are killed. That this is to be is recorded: who failed may be forgotten
    /// before they are dead.
    fn doom_group(&mut self, key: &ExecutorKey, task: &TaskKey) {
        let others: Vec<TaskKey> = self
            .unfinished_of_group(key, task)
            .into_iter()
            .filter(|other| self.state.tasks.get(other).is_some_and(|known| !known.is_doomed))
            .collect();
        let group = self.state.tasks.get(task).and_then(|known| known.group);
        let (Some(group), false) = (group, others.is_empty()) else { return };
        self.record(Event::GroupDoomed { executor: key.clone(), group });
        for other in others {
            self.kill_own(&other, key, None);
        }
    }

    /// The other tasks of a task's group that are not over.
    pub(super) fn unfinished_of_group(&self, key: &ExecutorKey, task: &TaskKey) -> Vec<TaskKey> {
        let group_of = |task: &TaskKey| self.state.tasks.get(task).and_then(|known| known.group);
        let Some(group) = group_of(task) else { return Vec::new() };
        let unfinished = self.unfinished(key).into_iter();
        unfinished.filter(|other| other != task && group_of(other) == Some(group)).collect()
    }
}
