//! Everything the agent knows that outlives its process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::v1;
use serde::{Deserialize, Serialize};

use super::wire::Wire;
use crate::containerizer::share::{Limits, Share};

/// One task of one framework.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct TaskKey {
    pub(crate) framework_id: String,
    pub(crate) task_id: String,
}

/// One executor of one framework. A command task's executor has the id of its task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ExecutorKey {
    pub(crate) framework_id: String,
    pub(crate) executor_id: String,
}

/// The fold of all events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) identity: Option<Identity>,
    /// Highest term of a leader that the agent has listened to.
    pub(crate) term: u64,
    pub(crate) boot_id: String,
    /// What the agent offered when it last started; without id.
    pub(crate) info: Option<Wire<v1::AgentInfo>>,
    pub(crate) last_launch_index: u64,
    /// Tasks launched at `last_launch_index`: a batch of decisions may share its place in the
    /// journal.
    pub(crate) last_launches: BTreeSet<TaskKey>,
    pub(crate) launch_count: u64,
    pub(crate) last_directive_index: u64,
    /// Reserved resources and volumes as the master has them.
    pub(crate) total: Vec<Wire<v1::Resource>>,
    pub(crate) frameworks: BTreeMap<String, Wire<v1::FrameworkInfo>>,
    pub(crate) executors: BTreeMap<ExecutorKey, Executor>,
    pub(crate) tasks: BTreeMap<TaskKey, Task>,
}

/// Who the agent is in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    pub(crate) agent_id: String,
}

/// One executor and its container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Executor {
    pub(crate) info: Wire<v1::ExecutorInfo>,
    pub(crate) is_command: bool,
    pub(crate) container_id: String,
    /// Ids of its tasks that are not forgotten yet.
    pub(crate) tasks: BTreeSet<String>,
    pub(crate) is_shut_down: bool,
    /// Its container is gone; it stays listed until the ends of its tasks are acknowledged.
    pub(crate) has_ended: bool,
    /// Containers of its tasks that have not ended, by task; a default executor's only.
    #[serde(default)]
    pub(crate) containers: BTreeMap<String, String>,
    /// Containers that have to go because others need what they hold, and that have not ended.
    #[serde(default)]
    pub(crate) preempted: BTreeSet<String>,
}

impl Executor {
    /// Whether it is Mesos's default executor, which the agent plays itself: it exists in name and as
    /// a sandbox, and each of its tasks runs straight under a shim of its own.
    pub(crate) fn is_default(&self) -> bool {
        !self.is_command && self.info.r#type() == v1::executor_info::Type::Default
    }

    /// Whether it is a process of its framework's, which speaks for its tasks.
    pub(crate) fn is_custom(&self) -> bool {
        !self.is_command && !self.is_default()
    }

    /// The container of one of its tasks, if that has one to itself.
    pub(crate) fn container_of(&self, task_id: &str) -> Option<&str> {
        if self.is_command {
            return Some(&self.container_id);
        }
        self.containers.get(task_id).map(String::as_str)
    }

    /// The task that has this container to itself.
    pub(crate) fn task_in<'a>(
        &'a self,
        key: &'a ExecutorKey,
        container_id: &str,
    ) -> Option<&'a str> {
        if self.is_command {
            return (self.container_id == container_id).then_some(key.executor_id.as_str());
        }
        let mut containers = self.containers.iter();
        containers.find(|(_, known)| *known == container_id).map(|(task_id, _)| task_id.as_str())
    }

    /// Its containers that have not ended.
    pub(crate) fn running_containers(&self) -> Vec<String> {
        if self.has_ended {
            Vec::new()
        } else if self.is_default() {
            self.containers.values().cloned().collect()
        } else {
            vec![self.container_id.clone()]
        }
    }
}

/// One task, until its terminal update is acknowledged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Unset for a task that the agent only tells about: one that it refused or never had.
    pub(crate) info: Option<Wire<v1::TaskInfo>>,
    /// Place in the order of all launches: tasks reach their executor in it (semantics 260).
    pub(crate) launch_order: u64,
    /// Unset if no executor was involved.
    pub(crate) executor_id: Option<String>,
    pub(crate) is_command: bool,
    /// What the tasks that it was launched together with share: the index of their launch.
    #[serde(default)]
    pub(crate) group: Option<u64>,
    /// Another of its group failed or was killed, and so this one is to be killed, too.
    #[serde(default)]
    pub(crate) is_doomed: bool,
    /// The latest updates, oldest first, acknowledged or not; at most [`STATUS_LIMIT`].
    pub(crate) statuses: Vec<Wire<v1::TaskStatus>>,
    /// Updates that the framework has not acknowledged, oldest first.
    pub(crate) unacknowledged: VecDeque<Wire<v1::TaskStatus>>,
}

/// Statuses of one task that are kept for views and to recognise repeated updates.
pub(crate) const STATUS_LIMIT: usize = 32;

impl Task {
    /// The newest state that the agent knows of.
    pub(crate) fn state(&self) -> v1::TaskState {
        self.statuses.last().map_or(v1::TaskState::TaskStaging, |status| status.state())
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.state().is_terminal()
    }

    /// Whether an update with this uuid was stored before.
    pub(crate) fn has_update(&self, uuid: &[u8]) -> bool {
        let mut known = self.statuses.iter().chain(&self.unacknowledged);
        known.any(|status| status.uuid.as_deref() == Some(uuid))
    }
}

/// Whether a task of a default executor has cgroups to itself.
fn has_own_cgroups(task: &v1::TaskInfo) -> bool {
    let linux = task.container.as_ref().and_then(|container| container.linux_info.as_ref());
    linux.is_some_and(|linux| !linux.share_cgroups())
}

impl State {
    /// Tasks of one framework.
    pub(crate) fn tasks_of<'a>(
        &'a self,
        framework_id: &'a str,
    ) -> impl Iterator<Item = (&'a TaskKey, &'a Task)> {
        let first = TaskKey { framework_id: framework_id.to_owned(), task_id: String::new() };
        self.tasks.range(first..).take_while(move |(key, _)| key.framework_id == framework_id)
    }

    /// Executors of one framework.
    pub(crate) fn executors_of<'a>(
        &'a self,
        framework_id: &'a str,
    ) -> impl Iterator<Item = (&'a ExecutorKey, &'a Executor)> {
        let first =
            ExecutorKey { framework_id: framework_id.to_owned(), executor_id: String::new() };
        self.executors.range(first..).take_while(move |(key, _)| key.framework_id == framework_id)
    }

    /// Containers that have not ended, with their executors.
    pub(crate) fn containers(&self) -> Vec<(ExecutorKey, String)> {
        let of = |(key, executor): (&ExecutorKey, &Executor)| {
            let containers = executor.running_containers().into_iter();
            containers.map(|container_id| (key.clone(), container_id)).collect::<Vec<_>>()
        };
        self.executors.iter().flat_map(of).collect()
    }

    /// What a container may use: a task's own share, if it has one to itself beside others.
    pub(crate) fn resources_in(&self, key: &ExecutorKey, container_id: &str) -> Vec<v1::Resource> {
        if !self.executors.get(key).is_some_and(Executor::is_default) {
            return self.resources_of(key);
        }
        let task = self.task_in(key, container_id);
        let task = task.and_then(|task| self.tasks.get(&task)?.info.as_deref());
        task.map(|task| task.resources.clone()).unwrap_or_default()
    }

    /// What a container may use, and how far it may go beyond.
    pub(crate) fn share_in(&self, key: &ExecutorKey, container_id: &str) -> Share {
        if !self.executors.get(key).is_some_and(Executor::is_default) {
            return self.share_of(key);
        }
        let task = self.task_in(key, container_id);
        let task = task.and_then(|task| self.tasks.get(&task)?.info.as_deref());
        task.map(|task| Share { resources: task.resources.clone(), limits: Limits::of(task) })
            .unwrap_or_default()
    }

    /// What an executor and its unfinished tasks may use together.
    pub(crate) fn share_of(&self, key: &ExecutorKey) -> Share {
        let resources = self.resources_of(key);
        let Some(executor) = self.executors.get(key) else { return Share::default() };
        let tasks: Vec<&v1::TaskInfo> = self.unfinished_of(key).map(|info| &**info).collect();
        let mut limits = Limits::together(&executor.info.resources, &tasks);
        // Tasks that are each held to their own limit need no other.
        if executor.is_default() && tasks.iter().any(|task| has_own_cgroups(task)) {
            limits.cpus = Some(f64::INFINITY);
        }
        Share { resources, limits }
    }

    /// What an executor and its unfinished tasks use.
    pub(crate) fn resources_of(&self, key: &ExecutorKey) -> Vec<v1::Resource> {
        let Some(executor) = self.executors.get(key) else { return Vec::new() };
        let of_tasks = self.unfinished_of(key).flat_map(|info| &info.resources);
        executor.info.resources.iter().chain(of_tasks).cloned().collect()
    }

    /// What is known of an executor's tasks that have not ended.
    fn unfinished_of<'a>(
        &'a self,
        key: &'a ExecutorKey,
    ) -> impl Iterator<Item = &'a Wire<v1::TaskInfo>> {
        let executor = self.executors.get(key).into_iter();
        executor.flat_map(|executor| &executor.tasks).filter_map(|task_id| {
            let (framework_id, task_id) = (key.framework_id.clone(), task_id.clone());
            let task = self.tasks.get(&TaskKey { framework_id, task_id })?;
            task.info.as_ref().filter(|_| !task.is_terminal())
        })
    }

    /// The task that has this container of an executor to itself.
    pub(crate) fn task_in(&self, key: &ExecutorKey, container_id: &str) -> Option<TaskKey> {
        let task_id = self.executors.get(key)?.task_in(key, container_id)?.to_owned();
        Some(TaskKey { framework_id: key.framework_id.clone(), task_id })
    }

    /// Whether the framework has opted in to `capability`. One that the agent does not know has
    /// not.
    pub(crate) fn has_capability(
        &self,
        framework_id: &str,
        capability: v1::framework_info::capability::Type,
    ) -> bool {
        let framework = self.frameworks.get(framework_id);
        framework.is_some_and(|framework| {
            framework.capabilities.iter().any(|offered| offered.r#type() == capability)
        })
    }

    /// The agent's id, empty before its first registration.
    pub(crate) fn agent_id(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.agent_id)
    }
}
