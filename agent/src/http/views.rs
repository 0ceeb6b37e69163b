//! Read models of the operator API: v1 messages made from what the agent knows.

use protocol::v1;
use protocol::v1::agent::response::{
    GetContainers, GetExecutors, GetFrameworks, GetTasks, get_containers, get_executors,
    get_frameworks,
};

use super::Api;
use crate::checkpoint::state::{ExecutorKey, Task, TaskKey};
use crate::containerizer::container_id;
use crate::turns::Known;

/// A container as the views need it, copied so that nothing is locked while it is measured.
#[derive(Debug, Clone)]
pub(super) struct RunningContainer {
    pub(super) key: ExecutorKey,
    pub(super) container_id: String,
    pub(super) name: String,
    pub(super) source: String,
    pub(super) pid: Option<u32>,
    /// Those that live in it: a default executor has no process but theirs.
    pub(super) nested: Vec<String>,
}

/// Containers that run, and that live in no other.
pub(super) fn running(known: &Known) -> Vec<RunningContainer> {
    let executors = known.state.executors.iter().filter(|(_, executor)| !executor.has_ended);
    let running = executors.map(|(key, executor)| RunningContainer {
        key: key.clone(),
        container_id: executor.container_id.clone(),
        name: executor.info.name.clone().unwrap_or_default(),
        source: source(&executor.info),
        pid: pid(known, &executor.container_id),
        nested: executor.containers.values().cloned().collect(),
    });
    running.collect()
}

/// The same, each followed by those that live in it.
fn running_nested(known: &Known) -> Vec<RunningContainer> {
    let with_nested = |whole: RunningContainer| {
        let nested = whole.nested.clone().into_iter().map(|container_id| RunningContainer {
            pid: pid(known, &container_id),
            nested: Vec::new(),
            container_id,
            ..whole.clone()
        });
        let nested: Vec<_> = nested.collect();
        std::iter::once(whole).chain(nested)
    };
    running(known).into_iter().flat_map(with_nested).collect()
}

fn pid(known: &Known, container_id: &str) -> Option<u32> {
    let process = known.live.containers.get(container_id)?.process?;
    Some(process.pid as u32)
}

pub(super) fn source(executor: &v1::ExecutorInfo) -> String {
    #[expect(deprecated, reason = "clients still read it")]
    executor.source.clone().unwrap_or_default()
}

/// What a container uses, measured on a thread that may wait.
pub(super) async fn usage(
    api: &Api,
    container: &RunningContainer,
) -> Option<v1::ResourceStatistics> {
    let (containerizer, container) = (api.containerizer.clone(), container.clone());
    let measure = move || {
        let mut parts = container.nested.iter().map(|id| containerizer.usage(id));
        let first = parts.next().unwrap_or_else(|| containerizer.usage(&container.container_id));
        parts.fold(first, |one, other| sum(one, &other))
    };
    tokio::task::spawn_blocking(measure).await.ok()
}

/// What two containers of one executor use together.
fn sum(one: v1::ResourceStatistics, other: &v1::ResourceStatistics) -> v1::ResourceStatistics {
    fn add<T: std::ops::Add<Output = T>>(one: Option<T>, other: Option<T>) -> Option<T> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        }
    }
    v1::ResourceStatistics {
        processes: add(one.processes, other.processes),
        threads: add(one.threads, other.threads),
        cpus_user_time_secs: add(one.cpus_user_time_secs, other.cpus_user_time_secs),
        cpus_system_time_secs: add(one.cpus_system_time_secs, other.cpus_system_time_secs),
        cpus_soft_limit: add(one.cpus_soft_limit, other.cpus_soft_limit),
        mem_rss_bytes: add(one.mem_rss_bytes, other.mem_rss_bytes),
        mem_limit_bytes: add(one.mem_limit_bytes, other.mem_limit_bytes),
        mem_soft_limit_bytes: add(one.mem_soft_limit_bytes, other.mem_soft_limit_bytes),
        ..one
    }
}

/// Unset when no container runs, as Mesos leaves it.
pub(super) async fn get_containers(api: &Api, show_nested: bool) -> Option<GetContainers> {
    let running = {
        let known = api.known.read();
        if show_nested { running_nested(&known) } else { running(&known) }
    };
    let mut containers = Vec::with_capacity(running.len());
    for container in running {
        let status = v1::ContainerStatus {
            container_id: Some(container_id::on_wire(&container.container_id)),
            executor_pid: container.pid,
            ..Default::default()
        };
        let resource_statistics = usage(api, &container).await;
        containers.push(get_containers::Container {
            framework_id: Some(container.key.framework_id.into()),
            executor_id: Some(container.key.executor_id.into()),
            executor_name: Some(container.name),
            resource_statistics,
            container_id: container_id::on_wire(&container.container_id),
            container_status: Some(status),
        });
    }
    Some(GetContainers { containers }).filter(|found| !found.containers.is_empty())
}

pub(super) fn get_frameworks(known: &Known) -> GetFrameworks {
    let framework = |framework_info: &v1::FrameworkInfo| get_frameworks::Framework {
        framework_info: framework_info.clone(),
    };
    GetFrameworks {
        frameworks: known.state.frameworks.values().map(|info| framework(info)).collect(),
        completed_frameworks: completed_frameworks(known).map(framework).collect(),
    }
}

/// Frameworks that are over and have not come back.
pub(super) fn completed_frameworks(known: &Known) -> impl Iterator<Item = &v1::FrameworkInfo> {
    let is_over = |framework: &&v1::FrameworkInfo| {
        let id = framework.id.as_ref().map_or("", |id| &id.value);
        !known.state.frameworks.contains_key(id)
    };
    known.history.frameworks.iter().filter(is_over)
}

pub(super) fn get_executors(known: &Known) -> GetExecutors {
    let executor = |key: &ExecutorKey, info: &v1::ExecutorInfo| {
        let mut executor_info = info.clone();
        executor_info.framework_id = Some(key.framework_id.as_str().into());
        get_executors::Executor { executor_info }
    };
    let running = known.state.executors.iter();
    let ended = known.history.executors.iter();
    GetExecutors {
        executors: running.map(|(key, known)| executor(key, &known.info)).collect(),
        completed_executors: ended
            .map(|ended| executor(&ended.key, &ended.executor.info))
            .collect(),
    }
}

/// Where a task is on its way through the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its executor has not got it yet.
    Queued,
    Launched,
    /// It ended, and its framework has not acknowledged that.
    Terminated,
}

pub(super) fn stage(task: &Task) -> Stage {
    if task.is_terminal() {
        Stage::Terminated
    } else if task.statuses.is_empty() {
        Stage::Queued
    } else {
        Stage::Launched
    }
}

pub(super) fn get_tasks(known: &Known) -> GetTasks {
    let agent_id = known.state.agent_id();
    let of = |wanted: Stage| {
        let tasks = known.state.tasks.iter().filter(move |(_, task)| stage(task) == wanted);
        tasks.map(|(key, known)| task(key, known, agent_id)).collect()
    };
    let ended = known.history.executors.iter().flat_map(|ended| &ended.tasks);
    let of_running = known.state.executors.keys().flat_map(|key| known.history.tasks_of(key));
    let completed = ended.chain(of_running);
    GetTasks {
        pending_tasks: Vec::new(),
        queued_tasks: of(Stage::Queued),
        launched_tasks: of(Stage::Launched),
        terminated_tasks: of(Stage::Terminated),
        completed_tasks: completed.map(|(key, known)| task(key, known, agent_id)).collect(),
    }
}

/// One task as v1 shows it; a command task's executor is not named.
pub(super) fn task(key: &TaskKey, task: &Task, agent_id: &str) -> v1::Task {
    let info = task.info.as_ref().map(|info| info.0.clone()).unwrap_or_default();
    let executor_id = task.executor_id.as_deref().filter(|_| !task.is_command);
    let latest = task.statuses.last();
    let statuses =
        task.statuses.iter().map(|status| v1::TaskStatus { data: None, ..status.0.clone() });
    v1::Task {
        name: info.name,
        task_id: key.task_id.as_str().into(),
        framework_id: key.framework_id.as_str().into(),
        executor_id: executor_id.map(Into::into),
        agent_id: agent_id.into(),
        state: task.state().into(),
        resources: info.resources,
        statuses: statuses.collect(),
        status_update_state: latest.map(|status| status.state),
        status_update_uuid: latest.and_then(|status| status.uuid.clone()),
        labels: info.labels,
        discovery: info.discovery,
        container: info.container,
        health_check: info.health_check,
        kill_policy: info.kill_policy,
        user: info.command.and_then(|command| command.user),
        limits: info.limits,
    }
}
