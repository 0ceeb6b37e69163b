//! The fold: how an event changes the state. It cannot fail; what makes no sense changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use protocol::v1;

use super::event::{Event, GroupLaunched, TaskLaunched};
use super::state::{Executor, ExecutorKey, Identity, STATUS_LIMIT, State, Task, TaskKey};
use super::wire::Wire;

/// What an event made the agent forget; views may keep some of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Forgotten {
    pub(crate) tasks: Vec<(TaskKey, Task)>,
    pub(crate) executors: Vec<(ExecutorKey, Executor)>,
    pub(crate) frameworks: Vec<v1::FrameworkInfo>,
}

/// Folds one event into the state.
pub(crate) fn apply(state: &mut State, event: &Event) -> Forgotten {
    let mut forgotten = Forgotten::default();
    match event {
        Event::Started { boot_id, info } => {
            state.boot_id.clone_from(boot_id);
            state.info = Some(info.clone());
        }
        Event::Welcomed { cluster_id, agent_id, term } => {
            let (cluster_id, agent_id) = (cluster_id.clone(), agent_id.clone());
            state.identity = Some(Identity { cluster_id, agent_id });
            state.term = state.term.max(*term);
        }
        Event::TaskLaunched(launched) => launch(state, launched),
        Event::GroupLaunched(launched) => launch_group(state, launched),
        Event::LaunchRefused { index, framework, task } => {
            let framework_id = framework_id(framework).to_owned();
            state.frameworks.insert(framework_id, framework.clone());
            note_launch(state, *index, task);
        }
        Event::ContainerReplaced { executor, container_id, task_id } => {
            replace_container(state, executor, container_id, task_id.as_ref());
        }
        Event::TaskContainerEnded { executor, task_id } => {
            end_task_container(state, executor, task_id);
        }
        Event::ContainerPreempted { executor, container_id } => {
            if let Some(executor) = state.executors.get_mut(executor) {
                executor.preempted.insert(container_id.clone());
            }
        }
        Event::GroupDoomed { executor, group } => doom_group(state, executor, *group),
        Event::UpdateStored { framework_id, status } => store(state, framework_id, status),
        Event::UpdateAcknowledged { framework_id, task_id } => {
            let task = TaskKey { framework_id: framework_id.clone(), task_id: task_id.clone() };
            acknowledge(state, &task, &mut forgotten);
        }
        Event::ExecutorEnded { executor } => {
            if let Some(ended) = state.executors.get_mut(executor) {
                ended.has_ended = true;
                forget_executor(state, executor, &mut forgotten);
            }
        }
        Event::ExecutorShutDown { executor, directive_index } => {
            state.last_directive_index = state.last_directive_index.max(*directive_index);
            if let Some(executor) = state.executors.get_mut(executor) {
                executor.is_shut_down = true;
            }
        }
        Event::FrameworkShutDown { framework_id, directive_index } => {
            state.last_directive_index = state.last_directive_index.max(*directive_index);
            shut_framework_down(state, framework_id, &mut forgotten);
        }
        Event::FrameworkChanged { framework } => {
            if let Some(known) = state.frameworks.get_mut(framework_id(framework)) {
                known.clone_from(framework);
            }
        }
        Event::ResourcesChanged { total, directive_index } => {
            state.last_directive_index = state.last_directive_index.max(*directive_index);
            state.total.clone_from(total);
        }
        Event::Unregistered => {
            let (boot_id, info) = (std::mem::take(&mut state.boot_id), state.info.take());
            *state = State { boot_id, info, ..State::default() };
        }
        Event::Compacted(compacted) => state.clone_from(compacted),
    }
    forgotten
}

/// The framework's id; empty if unset, which the master never sends.
pub(crate) fn framework_id(framework: &v1::FrameworkInfo) -> &str {
    framework.id.as_ref().map_or("", |id| &id.value)
}

fn launch(state: &mut State, launched: &TaskLaunched) {
    let key = begin_executor(
        state,
        &launched.framework,
        (&launched.executor, launched.is_command, &launched.container_id),
    );
    let task = Task { is_command: launched.is_command, ..Task::default() };
    add_task(state, launched.index, &key, &launched.task, task);
}

fn launch_group(state: &mut State, launched: &GroupLaunched) {
    let key = begin_executor(
        state,
        &launched.framework,
        (&launched.executor, false, &launched.container_id),
    );
    for grouped in &launched.tasks {
        let task = Task { group: Some(launched.index), ..Task::default() };
        add_task(state, launched.index, &key, &grouped.task, task);
        let executor = state.executors.get_mut(&key);
        if let (Some(executor), Some(container_id)) = (executor, &grouped.container_id) {
            let task_id = grouped.task.task_id.value.clone();
            executor.containers.insert(task_id, container_id.clone());
        }
    }
}

/// The executor of a launch, made if it does not run yet.
fn begin_executor(
    state: &mut State,
    framework: &Wire<v1::FrameworkInfo>,
    (info, is_command, container_id): (&Wire<v1::ExecutorInfo>, bool, &str),
) -> ExecutorKey {
    let framework_id = framework_id(framework).to_owned();
    state.frameworks.insert(framework_id.clone(), framework.clone());
    let key = ExecutorKey { framework_id, executor_id: info.executor_id.value.clone() };
    let executor = state.executors.entry(key.clone()).or_insert_with(|| Executor {
        info: info.clone(),
        is_command,
        container_id: container_id.to_owned(),
        tasks: BTreeSet::new(),
        is_shut_down: false,
        has_ended: false,
        containers: BTreeMap::new(),
        preempted: BTreeSet::new(),
    });
    if executor.has_ended {
        // The name lives on in a new container while the last one's tasks await their
        // acknowledgement.
        executor.info.clone_from(info);
        container_id.clone_into(&mut executor.container_id);
        executor.has_ended = false;
        executor.is_shut_down = false;
        executor.preempted.clear();
    }
    key
}

fn add_task(
    state: &mut State,
    index: u64,
    executor: &ExecutorKey,
    info: &Wire<v1::TaskInfo>,
    task: Task,
) {
    let (framework_id, task_id) = (executor.framework_id.clone(), info.task_id.value.clone());
    let key = TaskKey { framework_id, task_id: task_id.clone() };
    note_launch(state, index, &key);
    if let Some(executor) = state.executors.get_mut(executor) {
        executor.tasks.insert(task_id);
    }
    state.launch_count += 1;
    let task = Task {
        info: Some(info.clone()),
        launch_order: state.launch_count,
        executor_id: Some(executor.executor_id.clone()),
        ..task
    };
    state.tasks.insert(key, task);
}

fn end_task_container(state: &mut State, executor: &ExecutorKey, task_id: &str) {
    let Some(executor) = state.executors.get_mut(executor) else { return };
    if let Some(container_id) = executor.containers.remove(task_id) {
        executor.preempted.remove(&container_id);
    }
}

fn replace_container(
    state: &mut State,
    executor: &ExecutorKey,
    container_id: &String,
    task_id: Option<&String>,
) {
    let Some(executor) = state.executors.get_mut(executor) else { return };
    match task_id {
        None => executor.container_id.clone_from(container_id),
        Some(task_id) => {
            executor.containers.insert(task_id.clone(), container_id.clone());
        }
    }
}

fn doom_group(state: &mut State, key: &ExecutorKey, group: u64) {
    let Some(executor) = state.executors.get(key) else { return };
    for task_id in executor.tasks.clone() {
        let key = TaskKey { framework_id: key.framework_id.clone(), task_id };
        if let Some(task) = state.tasks.get_mut(&key)
            && task.group == Some(group)
        {
            task.is_doomed = true;
        }
    }
}

fn note_launch(state: &mut State, index: u64, task: &TaskKey) {
    if index > state.last_launch_index {
        state.last_launch_index = index;
        state.last_launches.clear();
    }
    if index == state.last_launch_index {
        state.last_launches.insert(task.clone());
    }
}

fn store(state: &mut State, framework_id: &str, status: &Wire<v1::TaskStatus>) {
    let task_id = status.task_id.value.clone();
    let key = TaskKey { framework_id: framework_id.to_owned(), task_id };
    let executor_id = status.executor_id.as_ref().map(|id| id.value.clone());
    let task = state.tasks.entry(key).or_insert_with(|| Task { executor_id, ..Task::default() });
    if task.statuses.len() == STATUS_LIMIT {
        task.statuses.remove(0);
    }
    task.statuses.push(status.clone());
    task.unacknowledged.push_back(status.clone());
}

fn acknowledge(state: &mut State, key: &TaskKey, forgotten: &mut Forgotten) {
    let Some(task) = state.tasks.get_mut(key) else { return };
    let Some(status) = task.unacknowledged.pop_front() else { return };
    // A task that was only told about is over when nothing is left to tell.
    let is_over = status.state().is_terminal() || task.info.is_none();
    if is_over && task.unacknowledged.is_empty() {
        forget_task(state, key, forgotten);
    }
}

fn forget_task(state: &mut State, key: &TaskKey, forgotten: &mut Forgotten) {
    let Some(task) = state.tasks.remove(key) else { return };
    let executor_id = task.executor_id.clone();
    forgotten.tasks.push((key.clone(), task));
    if let Some(executor_id) = executor_id {
        let executor = ExecutorKey { framework_id: key.framework_id.clone(), executor_id };
        if let Some(known) = state.executors.get_mut(&executor) {
            known.tasks.remove(&key.task_id);
        }
        forget_executor(state, &executor, forgotten);
    }
    forget_framework(state, &key.framework_id, forgotten);
}

fn forget_executor(state: &mut State, key: &ExecutorKey, forgotten: &mut Forgotten) {
    let is_over = |executor: &Executor| executor.has_ended && executor.tasks.is_empty();
    if state.executors.get(key).is_some_and(is_over) {
        forgotten.executors.extend(state.executors.remove_entry(key));
        forget_framework(state, &key.framework_id, forgotten);
    }
}

fn forget_framework(state: &mut State, framework_id: &str, forgotten: &mut Forgotten) {
    let is_used = state.executors_of(framework_id).next().is_some()
        || state.tasks_of(framework_id).next().is_some();
    if !is_used && let Some(framework) = state.frameworks.remove(framework_id) {
        forgotten.frameworks.push(framework.0);
    }
}

fn shut_framework_down(state: &mut State, framework_id: &str, forgotten: &mut Forgotten) {
    let tasks: Vec<TaskKey> = state.tasks_of(framework_id).map(|(key, _)| key.clone()).collect();
    for key in tasks {
        forgotten.tasks.extend(state.tasks.remove_entry(&key));
    }
    let executors: Vec<ExecutorKey> =
        state.executors_of(framework_id).map(|(key, _)| key.clone()).collect();
    for key in executors {
        if let Some(executor) = state.executors.get_mut(&key) {
            executor.tasks.clear();
            executor.is_shut_down = true;
            forget_executor(state, &key, forgotten);
        }
    }
    forget_framework(state, framework_id, forgotten);
}
