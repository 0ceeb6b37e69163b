//! Containers begin, fail to, and end.

use std::time::Duration;

use protocol::agents::{ExecutorExited, from_agent};
use protocol::v1;
use protocol::v1::task_status::{Reason, Source};

use super::live::{Timer, Verdict};
use super::status::News;
use super::{Effect, Turn};
use crate::checkpoint::apply::framework_id;
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{Executor, ExecutorKey, Task, TaskKey};
use crate::containerizer::environment::{self, Facts};
use crate::containerizer::{Container, LaunchError, in_words, sandbox};
use crate::shim::process::Process;
use crate::shim::spec::{Exit, Killed};

/// Grace of a kill for which nobody named one (semantics 262).
pub(super) const DEFAULT_KILL_GRACE: Duration = Duration::from_secs(3);
/// Raw wait status of an executor of which nobody knows how it ended.
pub(super) const UNKNOWN_STATUS: i32 = -1;

impl Turn<'_> {
    /// Has the executor's container made.
    pub(super) fn launch_container(&mut self, key: &ExecutorKey) {
        if let Some(container) = self.container(key) {
            self.effect(Effect::Launch(key.clone(), Box::new(container)));
        }
    }

    pub(super) fn container(&self, key: &ExecutorKey) -> Option<Container> {
        let executor = self.state.executors.get(key)?;
        let framework = self.state.frameworks.get(&key.framework_id)?;
        let command = executor.info.command.clone().unwrap_or_default();
        let task = self.first_task(key, executor);
        let work_dir = &self.settings.work_dir;
        let sandbox = sandbox::path(work_dir, self.state.agent_id(), key, &executor.container_id);
        let resources = self.resources_of(key);
        let role =
            resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.clone());
        let environment = environment::variables(&Facts {
            framework,
            executor_id: &key.executor_id,
            task_id: executor.is_command.then_some(key.executor_id.as_str()),
            agent_id: self.state.agent_id(),
            agent_address: &self.settings.address,
            sandbox: &sandbox.to_string_lossy(),
            allocation_role: role.as_deref(),
            shutdown_grace: self.shutdown_grace(executor),
            recovery_timeout: self.settings.recovery_timeout,
        });
        let limit =
            task.filter(|_| executor.is_command).and_then(|task| task.max_completion_time.as_ref());
        Some(Container {
            id: executor.container_id.clone(),
            sandbox,
            user: command.user.clone().unwrap_or_else(|| framework.user.clone()),
            command,
            info: executor.info.container.clone(),
            resources,
            environment,
            max_completion: limit.copied().map(duration),
            grace: task.map_or(DEFAULT_KILL_GRACE, kill_grace),
        })
    }

    fn first_task(&self, key: &ExecutorKey, executor: &Executor) -> Option<&v1::TaskInfo> {
        let task_id = executor.tasks.first()?.clone();
        let task =
            self.state.tasks.get(&TaskKey { framework_id: key.framework_id.clone(), task_id });
        task?.info.as_deref()
    }

    /// What an executor and its unfinished tasks use.
    pub(super) fn resources_of(&self, key: &ExecutorKey) -> Vec<v1::Resource> {
        let Some(executor) = self.state.executors.get(key) else { return Vec::new() };
        let tasks = self.tasks_of(key).into_iter().filter(|(_, task)| !task.is_terminal());
        let of_tasks =
            tasks.filter_map(|(_, task)| task.info.as_ref()).flat_map(|info| &info.resources);
        executor.info.resources.iter().chain(of_tasks).cloned().collect()
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
        let (is_command, is_shut_down) = (executor.is_command, executor.is_shut_down);
        let live = self.live.executors.entry(key.clone()).or_default();
        live.process = Some(process);
        let kill = live.kill_at_start.take();
        if is_command {
            self.begin_checks(key);
            self.report_running(key);
        } else {
            let timer = Timer::Registration {
                executor: key.clone(),
                container_id: container_id.to_owned(),
                is_again: false,
            };
            self.live.timers.set(self.now + self.settings.registration_timeout, timer);
        }
        self.effect(Effect::Await(key.clone(), container_id.to_owned()));
        if let Some(grace) = kill {
            self.kill_container(key, grace);
        } else if is_shut_down {
            self.kill_container(key, Duration::ZERO);
        }
    }

    /// A command task's two first updates, unless an earlier run of the agent has made them.
    pub(super) fn report_running(&mut self, key: &ExecutorKey) {
        let tasks: Vec<TaskKey> = self
            .tasks_of(key)
            .into_iter()
            .filter(|(_, task)| task.statuses.is_empty())
            .map(|(task, _)| task)
            .collect();
        for task in tasks {
            for state in [v1::TaskState::TaskStarting, v1::TaskState::TaskRunning] {
                self.report(&task, Some(&key.executor_id), News::of_command(state));
            }
        }
    }

    /// The executor, if this is the container that it has now.
    fn current(&self, key: &ExecutorKey, container_id: &str) -> Option<&Executor> {
        let executor = self.state.executors.get(key)?;
        (executor.container_id == container_id && !executor.has_ended).then_some(executor)
    }

    pub(super) fn kill_container(&mut self, key: &ExecutorKey, grace: Duration) {
        let Some(executor) = self.state.executors.get(key) else { return };
        let container_id = executor.container_id.clone();
        self.effect(Effect::Kill { container_id, grace });
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
        let verdict = if matches!(error, LaunchError::Cancelled) {
            Verdict {
                state: v1::TaskState::TaskKilled,
                reason: Reason::TaskKilledDuringLaunch,
                message: "Task killed while its container was being launched".to_owned(),
            }
        } else {
            self.live.counts.container_launch_errors += 1;
            tracing::warn!(
                executor_id = key.executor_id,
                error = in_words(error),
                "container not launched"
            );
            Verdict {
                state: v1::TaskState::TaskFailed,
                reason: Reason::ContainerLaunchFailed,
                message: format!("Failed to launch container: {}", in_words(error)),
            }
        };
        self.end_tasks(key, &verdict);
        self.end_executor(key, UNKNOWN_STATUS);
    }

    pub(super) fn container_exited(&mut self, key: &ExecutorKey, container_id: &str, exit: &Exit) {
        let Some(executor) = self.current(key, container_id) else { return };
        if executor.is_command {
            self.report_running(key);
            let news = command_ended(exit);
            for task in self.unfinished(key) {
                self.report(&task, Some(&key.executor_id), news.clone());
            }
        } else {
            let live = self.live.executors.get(key);
            let given = live.and_then(|live| live.verdict.clone());
            let verdict = given.unwrap_or_else(|| executor_ended(exit));
            self.end_tasks(key, &verdict);
        }
        self.end_executor(key, exit.status.unwrap_or(UNKNOWN_STATUS));
    }

    fn unfinished(&self, key: &ExecutorKey) -> Vec<TaskKey> {
        let tasks = self.tasks_of(key).into_iter();
        tasks.filter(|(_, task)| !task.is_terminal()).map(|(task, _)| task).collect()
    }

    fn end_tasks(&mut self, key: &ExecutorKey, verdict: &Verdict) {
        for task in self.unfinished(key) {
            let news = News::of_agent(verdict.state, verdict.reason, &verdict.message);
            self.report(&task, Some(&key.executor_id), news);
        }
    }

    fn end_executor(&mut self, key: &ExecutorKey, status: i32) {
        let Some(executor) = self.state.executors.get(key) else { return };
        let container_id = executor.container_id.clone();
        if !executor.is_command {
            self.live.counts.executors_terminated += 1;
            self.send_exited(key, status);
        }
        self.live.executors.remove(key);
        self.record(Event::ExecutorEnded { executor: key.clone() });
        self.effect(Effect::Remove { container_id });
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

/// What the end of a command task's process means (semantics 261).
fn command_ended(exit: &Exit) -> News {
    let (state, reason) = match (exit.killed, exit.status) {
        (Some(Killed::Reboot), _) => (v1::TaskState::TaskFailed, Some(Reason::AgentRestarted)),
        (_, None) => (v1::TaskState::TaskFailed, Some(Reason::ExecutorTerminated)),
        (Some(Killed::MaxCompletionTime), _) => {
            (v1::TaskState::TaskFailed, Some(Reason::MaxCompletionTimeReached))
        }
        (Some(Killed::Ordered), _) => (v1::TaskState::TaskKilled, None),
        (None, Some(0)) => (v1::TaskState::TaskFinished, None),
        (None, Some(_)) => (v1::TaskState::TaskFailed, None),
    };
    // What nobody saw ending, only the agent can report.
    let source = if exit.status.is_some() { Source::Executor } else { Source::Agent };
    News { state, source, reason, message: Some(exit_in_words(exit)) }
}

fn executor_ended(exit: &Exit) -> Verdict {
    let message = exit.failure.clone().unwrap_or_else(|| "Executor terminated".to_owned());
    let reason = match exit.killed {
        Some(Killed::Reboot) => Reason::AgentRestarted,
        _ => Reason::ExecutorTerminated,
    };
    Verdict { state: v1::TaskState::TaskFailed, reason, message }
}

fn exit_in_words(exit: &Exit) -> String {
    let Some(status) = exit.status else {
        return exit
            .failure
            .clone()
            .unwrap_or_else(|| "Command ended in an unknown way".to_owned());
    };
    let signal = status & 0x7f;
    if signal == 0 {
        format!("Command exited with status {}", (status >> 8) & 0xff)
    } else {
        format!("Command terminated with signal {}", signal_name(signal))
    }
}

/// The words that the C library has for a signal, which clients match on.
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        24 => "CPU time limit exceeded",
        25 => "File size limit exceeded",
        31 => "Bad system call",
        _ => return format!("Unknown signal {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        status: Option<i32>,
        killed: Option<Killed>,
        state: v1::TaskState,
        reason: Option<Reason>,
        message: &str,
    ) {
        let failure = status.is_none().then(|| "lost".to_owned());
        let news = command_ended(&Exit { status, killed, failure });
        assert_eq!(
            (news.state, news.reason, news.message.as_deref()),
            (state, reason, Some(message))
        );
    }

    #[test]
    fn ends_of_commands_are_told_as_mesos_tells_them() {
        use v1::TaskState::{TaskFailed, TaskFinished, TaskKilled};
        check(Some(0), None, TaskFinished, None, "Command exited with status 0");
        check(Some(3 << 8), None, TaskFailed, None, "Command exited with status 3");
        check(Some(9), None, TaskFailed, None, "Command terminated with signal Killed");
        check(
            Some(0x8b),
            None,
            TaskFailed,
            None,
            "Command terminated with signal Segmentation fault",
        );
        let ordered = Some(Killed::Ordered);
        check(Some(15), ordered, TaskKilled, None, "Command terminated with signal Terminated");
        check(Some(0), ordered, TaskKilled, None, "Command exited with status 0");
        let limit = Some(Reason::MaxCompletionTimeReached);
        let message = "Command terminated with signal Terminated";
        check(Some(15), Some(Killed::MaxCompletionTime), TaskFailed, limit, message);
        check(None, None, TaskFailed, Some(Reason::ExecutorTerminated), "lost");
        check(None, Some(Killed::Reboot), TaskFailed, Some(Reason::AgentRestarted), "lost");
    }
}
