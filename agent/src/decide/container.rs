//! Containers begin, fail to, and end.

use std::path::PathBuf;
use std::time::Duration;

use protocol::agents::{ExecutorExited, from_agent};
use protocol::v1;

use super::ended::{command_ended, executor_ended, not_launched, overstepped};
use super::live::{LiveContainer, Timer, Verdict};
use super::status::News;
use super::{Effect, Turn};
use crate::checkpoint::apply::framework_id;
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{Executor, ExecutorKey, Task, TaskKey};
use crate::containerizer::environment::{self, Facts};
use crate::containerizer::{Container, LaunchError, Parent, in_words, sandbox};
use crate::shim::process::Process;
use crate::shim::spec::Exit;

/// Grace of a kill for which nobody named one (semantics 262).
pub(super) const DEFAULT_KILL_GRACE: Duration = Duration::from_secs(3);
/// Raw wait status of an executor of which nobody knows how it ended.
pub(super) const UNKNOWN_STATUS: i32 = -1;

impl Turn<'_> {
    /// Has one of an executor's containers made.
    pub(super) fn launch_container(&mut self, key: &ExecutorKey, container_id: &str) {
        if let Some(container) = self.container(key, container_id) {
            self.live.containers.insert(container.id.clone(), LiveContainer::default());
            self.effect(Effect::Launch(key.clone(), Box::new(container)));
        }
    }

    pub(super) fn container(&self, key: &ExecutorKey, container_id: &str) -> Option<Container> {
        let executor = self.state.executors.get(key)?;
        let framework = self.state.frameworks.get(&key.framework_id)?;
        let task_key = self.state.task_in(key, container_id);
        let task = match &task_key {
            Some(task) => Some(self.state.tasks.get(task)?.info.as_deref()?),
            None => self.first_task(key, executor),
        };
        let (command, info) = match task.filter(|_| executor.is_default()) {
            Some(task) => (task.command.clone(), task.container.clone()),
            None => (executor.info.command.clone(), executor.info.container.clone()),
        };
        let command = command.unwrap_or_default();
        let (sandbox, parent) = self.place(key, container_id)?;
        let share = self.state.share_in(key, container_id);
        let resources = &share.resources;
        let role =
            resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.clone());
        let environment = environment::variables(&Facts {
            framework,
            executor_id: &key.executor_id,
            task_id: task_key.as_ref().map(|task| task.task_id.as_str()),
            agent_id: self.state.agent_id(),
            agent_address: &self.settings.address,
            sandbox: &sandbox.to_string_lossy(),
            allocation_role: role.as_deref(),
            shutdown_grace: self.shutdown_grace(executor),
            recovery_timeout: self.settings.recovery_timeout,
        });
        let limit =
            task.filter(|_| task_key.is_some()).and_then(|task| task.max_completion_time.as_ref());
        Some(Container {
            id: container_id.to_owned(),
            sandbox,
            parent,
            user: command.user.clone().unwrap_or_else(|| framework.user.clone()),
            command,
            info,
            share,
            environment,
            max_completion: limit.copied().map(duration),
            grace: task.map_or(DEFAULT_KILL_GRACE, kill_grace),
        })
    }

    /// The sandbox of a container, and what it lives in if that is its executor's.
    fn place(&self, key: &ExecutorKey, container_id: &str) -> Option<(PathBuf, Option<Parent>)> {
        let executor = self.state.executors.get(key)?;
        let framework = self.state.frameworks.get(&key.framework_id)?;
        let work_dir = &self.settings.work_dir;
        let whole = sandbox::path(work_dir, self.state.agent_id(), key, &executor.container_id);
        if !executor.is_default() {
            return Some((whole, None));
        }
        let own = sandbox::nested(&whole, container_id);
        let parent = Parent {
            sandbox: whole,
            user: framework.user.clone(),
            resources: executor.info.resources.clone(),
            task_id: executor.task_in(key, container_id)?.to_owned(),
        };
        Some((own, Some(parent)))
    }

    fn first_task(&self, key: &ExecutorKey, executor: &Executor) -> Option<&v1::TaskInfo> {
        let task_id = executor.tasks.first()?.clone();
        let task =
            self.state.tasks.get(&TaskKey { framework_id: key.framework_id.clone(), task_id });
        task?.info.as_deref()
    }

    /// The executor's tasks in the order of their launch.
    pub(super) fn tasks_of(&self, key: &ExecutorKey) -> Vec<(TaskKey, &Task)> {
        let Some(executor) = self.state.executors.get(key) else { return Vec::new() };
        let framework_id = &key.framework_id;
        let mut tasks: Vec<_> = executor
            .tasks
            .iter()
            .map(|task_id| TaskKey { framework_id: framework_id.clone(), task_id: task_id.clone() })
            .filter_map(|key| self.state.tasks.get(&key).map(|task| (key, task)))
            .collect();
        tasks.sort_by_key(|(_, task)| task.launch_order);
        tasks
    }

    pub(super) fn container_started(
        &mut self,
        key: &ExecutorKey,
        container_id: &str,
        process: Process,
    ) {
        let Some(executor) = self.current(key, container_id) else { return };
        let is_shut_down = executor.is_shut_down;
        let live = self.live.containers.entry(container_id.to_owned()).or_default();
        live.process = Some(process);
        let kill = live.kill_at_start.take();
        if let Some(task) = self.state.task_in(key, container_id) {
            self.begin_checks(key, &task, container_id);
            self.report_running(&task);
        } else {
            let timer = Timer::Registration {
                executor: key.clone(),
                container_id: container_id.to_owned(),
                is_again: false,
            };
            self.live.timers.set(self.now + self.settings.registration_timeout, timer);
        }
        self.effect(Effect::Await(key.clone(), container_id.to_owned()));
        let kill = kill.or(is_shut_down.then_some(Duration::ZERO));
        if let Some(grace) = kill {
            self.effect(Effect::Kill { container_id: container_id.to_owned(), grace });
        }
    }

    /// The two first updates of a task that the agent runs itself, unless an earlier run of the agent
    /// has made them.
    pub(super) fn report_running(&mut self, task: &TaskKey) {
        let known = self.state.tasks.get(task).filter(|known| known.statuses.is_empty());
        let Some(executor_id) = known.and_then(|known| known.executor_id.clone()) else { return };
        for state in [v1::TaskState::TaskStarting, v1::TaskState::TaskRunning] {
            self.report(task, Some(&executor_id), News::of_command(state));
        }
    }

    /// The executor, if this is a container that it has now.
    pub(super) fn current(&self, key: &ExecutorKey, container_id: &str) -> Option<&Executor> {
        let executor = self.state.executors.get(key)?;
        executor.running_containers().iter().any(|known| known == container_id).then_some(executor)
    }

    pub(super) fn kill_container(&mut self, key: &ExecutorKey, grace: Duration) {
        let Some(executor) = self.state.executors.get(key) else { return };
        for container_id in executor.running_containers() {
            self.effect(Effect::Kill { container_id, grace });
        }
    }

    pub(super) fn container_not_launched(
        &mut self,
        key: &ExecutorKey,
        container_id: &str,
        error: &LaunchError,
    ) {
        if self.current(key, container_id).is_none() {
            return;
        }
        let is_cancelled = matches!(error, LaunchError::Cancelled);
        if !is_cancelled {
            self.live.counts.container_launch_errors += 1;
            let (executor_id, error) = (&key.executor_id, in_words(error));
            tracing::warn!(executor_id, error, "container not launched");
        }
        let given_up = Exit::default();
        let preemption = self.preemption(key, container_id, &given_up).filter(|_| is_cancelled);
        let verdict = preemption.unwrap_or_else(|| not_launched(error));
        match self.state.task_in(key, container_id) {
            Some(task) => self.end_task(key, &task, &verdict),
            None => self.end_tasks(key, &verdict),
        }
        self.container_ended(key, container_id, UNKNOWN_STATUS);
    }

    pub(super) fn container_exited(&mut self, key: &ExecutorKey, container_id: &str, exit: &Exit) {
        if self.current(key, container_id).is_none() {
            return;
        }
        let preemption = self.preemption(key, container_id, exit);
        if let Some(task) = self.state.task_in(key, container_id) {
            self.report_running(&task);
            if let Some(verdict) = overstepped(exit).or(preemption) {
                self.end_task(key, &task, &verdict);
            } else if self.state.tasks.get(&task).is_some_and(|known| !known.is_terminal()) {
                self.report(&task, Some(&key.executor_id), command_ended(exit));
            }
        } else {
            let live = self.live.executors.get(key);
            let given = overstepped(exit)
                .or(preemption)
                .or_else(|| live.and_then(|live| live.verdict.clone()));
            let verdict = given.unwrap_or_else(|| executor_ended(exit));
            self.end_tasks(key, &verdict);
        }
        self.container_ended(key, container_id, exit.status.unwrap_or(UNKNOWN_STATUS));
    }

    /// A container is gone, and with it its executor, unless that has others.
    fn container_ended(&mut self, key: &ExecutorKey, container_id: &str, status: i32) {
        self.live.containers.remove(container_id);
        self.effect(Effect::Remove { container_id: container_id.to_owned() });
        if self.state.executors.get(key).is_some_and(Executor::is_default) {
            self.task_container_ended(key, container_id);
        } else {
            self.end_executor(key, status);
        }
    }

    pub(super) fn unfinished(&self, key: &ExecutorKey) -> Vec<TaskKey> {
        let tasks = self.tasks_of(key).into_iter();
        tasks.filter(|(_, task)| !task.is_terminal()).map(|(task, _)| task).collect()
    }

    fn end_tasks(&mut self, key: &ExecutorKey, verdict: &Verdict) {
        for task in self.unfinished(key) {
            self.end_task(key, &task, verdict);
        }
    }

    fn end_task(&mut self, key: &ExecutorKey, task: &TaskKey, verdict: &Verdict) {
        if self.state.tasks.get(task).is_some_and(|known| !known.is_terminal()) {
            let mut news = News::of_agent(verdict.state, verdict.reason, &verdict.message);
            news.limitation.clone_from(&verdict.limitation);
            self.report(task, Some(&key.executor_id), news);
        }
    }

    pub(super) fn end_executor(&mut self, key: &ExecutorKey, status: i32) {
        let Some(executor) = self.state.executors.get(key) else { return };
        let shared = executor.is_default().then(|| executor.container_id.clone());
        if !executor.is_command {
            self.live.counts.executors_terminated += 1;
            self.send_exited(key, status);
        }
        if let Some(container_id) = shared {
            self.effect(Effect::Remove { container_id });
        }
        self.live.executors.remove(key);
        self.record(Event::ExecutorEnded { executor: key.clone() });
        self.tell_stopped(&key.framework_id);
        self.leave_when_empty();
    }

    /// Tells the master that it need not reckon with an executor any more. Said once: what is lost of
    /// it, the next Hello makes up for.
    pub(super) fn send_exited(&mut self, key: &ExecutorKey, status: i32) {
        self.send(from_agent::Message::ExecutorExited(ExecutorExited {
            framework_id: key.framework_id.clone(),
            executor_id: key.executor_id.clone(),
            status,
        }));
    }

    /// Grace between a SHUTDOWN event and the end of the container.
    pub(super) fn shutdown_grace(&self, executor: &Executor) -> Duration {
        let own = executor.info.shutdown_grace_period.as_ref();
        own.copied().map_or(self.settings.shutdown_grace, duration)
    }

    pub(super) fn framework_changed(&mut self, changed: protocol::agents::FrameworkInfoChanged) {
        let Some(framework) = changed.framework else { return };
        if self.state.frameworks.contains_key(framework_id(&framework)) {
            self.record(Event::FrameworkChanged {
                framework: crate::checkpoint::wire::Wire(framework),
            });
        }
    }
}

/// A duration on the wire; a negative one, which the master refuses, is none at all.
pub(super) fn duration(info: v1::DurationInfo) -> Duration {
    Duration::from_nanos(u64::try_from(info.nanoseconds).unwrap_or(0))
}

/// A task's own grace, or the default.
pub(super) fn kill_grace(task: &v1::TaskInfo) -> Duration {
    let policy = task.kill_policy.as_ref().and_then(|policy| policy.grace_period.as_ref());
    policy.copied().map_or(DEFAULT_KILL_GRACE, duration)
}
