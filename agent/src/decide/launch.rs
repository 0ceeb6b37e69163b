//! The master wants a task to run.

use protocol::agents::Launch;
use protocol::v1;
use protocol::v1::task_status::Reason;

use super::container::UNKNOWN_STATUS;
use super::live::LiveExecutor;
use super::status::News;
use super::{Effect, Turn};
use crate::checkpoint::apply::framework_id;
use crate::checkpoint::event::{Event, TaskLaunched};
use crate::checkpoint::state::{Executor, ExecutorKey, TaskKey};
use crate::checkpoint::wire::Wire;
use crate::checks::Check;
use crate::containerizer::container_id;
use crate::containerizer::sandbox::is_name;

/// Longest text of a command in an executor's name; a longer one is cut.
const SHOWN_COMMAND: usize = 15;

/// Why a task is not launched (semantics 259).
pub(super) type Refusal = (Reason, &'static str);

/// What is to be launched.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) key: ExecutorKey,
    pub(super) kind: Kind,
    pub(super) tasks: Vec<&'a v1::TaskInfo>,
    pub(super) starts_executor: Option<bool>,
}

/// What kind of executor runs a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    Custom,
    Default,
}

impl Kind {
    fn of(executor: &Executor) -> Self {
        if executor.is_command {
            Self::Command
        } else if executor.is_default() {
            Self::Default
        } else {
            Self::Custom
        }
    }
}

impl Turn<'_> {
    pub(super) fn launch(&mut self, launch: Launch) {
        let Launch { index, framework: Some(framework), task: Some(task), starts_executor } =
            launch
        else {
            return;
        };
        let task_key = TaskKey {
            framework_id: framework_id(&framework).to_owned(),
            task_id: task.task_id.value.clone(),
        };
        if !self.was_launched(index, &task_key) {
            let launched = describe(index, framework, task);
            let order = Order {
                key: executor_key(&launched.framework, &launched.executor),
                kind: if launched.is_command { Kind::Command } else { Kind::Custom },
                tasks: vec![&launched.task],
                starts_executor,
            };
            let is_default = launched.executor.r#type() == v1::executor_info::Type::Default;
            let alone = (Reason::TaskInvalid, "A default executor takes only task groups");
            let refusal = self.refusal(&order).or(is_default.then_some(alone));
            match refusal {
                None => self.accept(launched),
                Some(refusal) => self.refuse(index, &launched.framework, &order, refusal),
            }
        }
        self.confirm(index);
    }

    /// Whether this launch is a repetition: nothing ever runs twice.
    pub(super) fn was_launched(&self, index: u64, task: &TaskKey) -> bool {
        let is_old = index < self.state.last_launch_index;
        let is_last = index == self.state.last_launch_index;
        is_old
            || (is_last && self.state.last_launches.contains(task))
            || self.state.tasks.contains_key(task)
    }

    /// Why nothing of this can be launched, if it cannot (semantics 259).
    pub(super) fn refusal(&self, order: &Order<'_>) -> Option<Refusal> {
        let key = &order.key;
        let task_ids = order.tasks.iter().map(|task| &task.task_id.value);
        let mut ids = [&key.framework_id, &key.executor_id].into_iter().chain(task_ids);
        if !ids.all(|id| is_name(id)) {
            return Some((Reason::TaskInvalid, "An id of the task cannot be part of a path"));
        }
        if self.live.leaving.is_some() {
            return Some((Reason::AgentRemovedByOperator, "The agent is shutting down"));
        }
        if order.kind != Kind::Custom
            && let Some(problem) = order.tasks.iter().find_map(|task| Check::all_of(task).err())
        {
            return Some((Reason::TaskInvalid, problem));
        }
        let Some(known) = self.running(key) else {
            // It ended while the task was on its way: started anew, it would run without the
            // master's knowledge.
            let is_missing = order.starts_executor == Some(false);
            return is_missing.then_some((Reason::ExecutorTerminated, "The executor has ended"));
        };
        if order.kind == Kind::Command || order.kind != Kind::of(known) {
            return Some((Reason::TaskInvalid, "The executor's id is already that of another"));
        }
        if order.starts_executor == Some(true) {
            return Some((Reason::ExecutorTerminated, "The executor runs already"));
        }
        known
            .is_shut_down
            .then_some((Reason::ExecutorTerminated, "The executor is being shut down"))
    }

    pub(super) fn running(&self, key: &ExecutorKey) -> Option<&Executor> {
        self.state.executors.get(key).filter(|executor| !executor.has_ended)
    }

    pub(super) fn refuse(
        &mut self,
        index: u64,
        framework: &Wire<v1::FrameworkInfo>,
        order: &Order<'_>,
        (reason, message): Refusal,
    ) {
        let key = &order.key;
        for task in &order.tasks {
            let (framework, task) = (framework.clone(), task_key(key, task));
            self.record(Event::LaunchRefused { index, framework, task });
        }
        let state = self.lost_state(&key.framework_id);
        for task in &order.tasks {
            let news = News::of_agent(state, reason, message);
            self.report(&task_key(key, task), Some(&key.executor_id), news);
        }
        // The master holds resources for an executor that never starts.
        if order.kind != Kind::Command
            && order.starts_executor == Some(true)
            && self.running(key).is_none()
        {
            self.send_exited(key, UNKNOWN_STATUS);
        }
    }

    /// How a task that the agent gave up is called: as the framework is ready to hear it.
    pub(super) fn gone_state(&self, framework_id: &str) -> v1::TaskState {
        use v1::framework_info::capability::Type;
        if self.state.has_capability(framework_id, Type::PartitionAware) {
            v1::TaskState::TaskGone
        } else {
            v1::TaskState::TaskLost
        }
    }

    /// How a task that never ran here is called: as the framework is ready to hear it.
    pub(super) fn lost_state(&self, framework_id: &str) -> v1::TaskState {
        use v1::framework_info::capability::Type;
        if self.state.has_capability(framework_id, Type::PartitionAware) {
            v1::TaskState::TaskDropped
        } else {
            v1::TaskState::TaskLost
        }
    }

    fn accept(&mut self, launched: Box<TaskLaunched>) {
        let key = executor_key(&launched.framework, &launched.executor);
        let task_id = launched.task.task_id.value.clone();
        let container_id = launched.container_id.clone();
        let is_new = self.running(&key).is_none();
        self.record(Event::TaskLaunched(launched));
        if is_new {
            self.live.executors.insert(key.clone(), LiveExecutor::default());
            self.launch_container(&key, &container_id);
            return;
        }
        self.live.resized.insert(key.clone());
        self.deliver(&key, &[task_id]);
    }

    /// Has made what the containers of a default executor share; they are launched after.
    pub(super) fn share(&mut self, key: &ExecutorKey) {
        let Some(executor) = self.state.executors.get(key) else { return };
        let container_id = executor.container_id.clone();
        let share = self.state.share_of(key);
        self.effect(Effect::Share { container_id, share });
    }

    /// Tells each container that got or lost tasks in this turn what it has now. Once for all of them:
    /// thousands of tasks for one executor come together (semantics 328).
    pub(crate) fn resize(&mut self) {
        for key in std::mem::take(&mut self.live.resized) {
            let share = self.state.share_of(&key);
            if let Some(executor) = self.running(&key) {
                let container_id = executor.container_id.clone();
                self.effect(Effect::Update { container_id, share });
            }
        }
    }
}

fn describe(index: u64, framework: v1::FrameworkInfo, task: v1::TaskInfo) -> Box<TaskLaunched> {
    let is_command = task.executor.is_none();
    let executor = task.executor.clone().unwrap_or_else(|| command_executor(&framework, &task));
    Box::new(TaskLaunched {
        index,
        framework: Wire(framework),
        task: Wire(task),
        executor: Wire(executor),
        is_command,
        container_id: container_id::new(),
    })
}

pub(super) fn executor_key(
    framework: &v1::FrameworkInfo,
    executor: &v1::ExecutorInfo,
) -> ExecutorKey {
    ExecutorKey {
        framework_id: framework_id(framework).to_owned(),
        executor_id: executor.executor_id.value.clone(),
    }
}

pub(super) fn task_key(executor: &ExecutorKey, task: &v1::TaskInfo) -> TaskKey {
    let framework_id = executor.framework_id.clone();
    TaskKey { framework_id, task_id: task.task_id.value.clone() }
}

/// The executor that a command task has in name.
fn command_executor(framework: &v1::FrameworkInfo, task: &v1::TaskInfo) -> v1::ExecutorInfo {
    let command = task.command.clone().unwrap_or_default();
    let mut executor = v1::ExecutorInfo {
        executor_id: task.task_id.value.as_str().into(),
        framework_id: framework.id.clone(),
        name: Some(format!(
            "Command Executor (Task: {}) (Command: {})",
            task.task_id.value,
            shown(&command)
        )),
        command: Some(command),
        container: task.container.clone(),
        discovery: task.discovery.clone(),
        labels: task.labels.clone(),
        ..Default::default()
    };
    #[expect(deprecated, reason = "clients still read it")]
    {
        executor.source = Some(task.task_id.value.clone());
    }
    executor
}

/// A command in a few words, as Mesos names its command executors.
fn shown(command: &v1::CommandInfo) -> String {
    let value = command.value.as_deref().unwrap_or_default();
    if command.shell() {
        return format!("sh -c '{}'", cut(value));
    }
    let whole = std::iter::once(value).chain(command.arguments.iter().map(String::as_str));
    format!("[{}]", cut(&whole.collect::<Vec<_>>().join(", ")))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_COMMAND {
        return text.to_owned();
    }
    text.chars().take(SHOWN_COMMAND - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shell: bool, value: &str, arguments: &[&str], expected: &str) {
        let command = v1::CommandInfo {
            shell: Some(shell),
            value: Some(value.to_owned()),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            ..Default::default()
        };
        assert_eq!(shown(&command), expected);
    }

    #[test]
    fn command_executors_are_named_as_mesos_names_them() {
        check(true, "echo hello; sleep 1", &[], "sh -c 'echo hello; ...'");
        check(true, "sleep 1000", &[], "sh -c 'sleep 1000'");
        check(true, "/no/such/binary", &[], "sh -c '/no/such/binary'");
        check(false, "/bin/echo", &["echo", "a"], "[/bin/echo, e...]");
    }
}
