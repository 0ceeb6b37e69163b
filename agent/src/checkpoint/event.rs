//! What can happen to an agent that it must not forget.

use protocol::v1;
use serde::{Deserialize, Serialize};

use super::state::{ExecutorKey, State, TaskKey};
use super::wire::Wire;

/// One committed fact. Variants and fields are only ever added: old checkpoints must always be
/// read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The agent process started, on this boot of the machine, offering this.
    Started { boot_id: String, info: Wire<v1::AgentInfo> },
    /// A leader took the agent in.
    Welcomed { cluster_id: String, agent_id: String, term: u64 },
    /// A task is to run. `executor` and `container_id` count if the executor does not run yet.
    TaskLaunched(Box<TaskLaunched>),
    /// Tasks are to run together. `executor` and `container_id` count if the executor does not run yet.
    GroupLaunched(Box<GroupLaunched>),
    /// A task was not launched; the framework is told by an update of its own.
    LaunchRefused { index: u64, framework: Wire<v1::FrameworkInfo>, task: TaskKey },
    /// A container was given up before it ran anything; this one takes its place. It is that of the
    /// task, or else the executor's.
    ContainerReplaced {
        executor: ExecutorKey,
        container_id: String,
        #[serde(default)]
        task_id: Option<String>,
    },
    /// The container that a task of a default executor had to itself is gone.
    TaskContainerEnded { executor: ExecutorKey, task_id: String },
    /// A task of this group failed or was killed: those that are not over are to be killed.
    GroupDoomed { executor: ExecutorKey, group: u64 },
    /// A status update is owed to the framework.
    UpdateStored { framework_id: String, status: Wire<v1::TaskStatus> },
    /// The framework has acknowledged the oldest update of this task.
    UpdateAcknowledged { framework_id: String, task_id: String },
    /// This container has to go because others need what it holds.
    ContainerPreempted { executor: ExecutorKey, container_id: String },
    /// The executor's container is gone.
    ExecutorEnded { executor: ExecutorKey },
    /// The executor is to end; no task is launched on it any more.
    ExecutorShutDown { executor: ExecutorKey, directive_index: u64 },
    /// The framework is to end, and its tasks with it; nothing is owed to it any more.
    FrameworkShutDown { framework_id: String, directive_index: u64 },
    /// The framework changed its description.
    FrameworkChanged { framework: Wire<v1::FrameworkInfo> },
    /// The master's view of the agent's reservations and persistent volumes.
    ResourcesChanged { total: Vec<Wire<v1::Resource>>, directive_index: u64 },
    /// The agent has left its cluster for good: the next run of it registers as a new one.
    Unregistered,
    /// Everything before, in one: what a compacted log begins with.
    Compacted(Box<State>),
}

/// See [`Event::GroupLaunched`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupLaunched {
    pub(crate) index: u64,
    pub(crate) framework: Wire<v1::FrameworkInfo>,
    pub(crate) executor: Wire<v1::ExecutorInfo>,
    pub(crate) container_id: String,
    pub(crate) tasks: Vec<GroupedTask>,
}

/// One task of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupedTask {
    pub(crate) task: Wire<v1::TaskInfo>,
    /// The container that it has to itself, unless its executor is a custom one.
    pub(crate) container_id: Option<String>,
}

/// See [`Event::TaskLaunched`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskLaunched {
    pub(crate) index: u64,
    pub(crate) framework: Wire<v1::FrameworkInfo>,
    pub(crate) task: Wire<v1::TaskInfo>,
    pub(crate) executor: Wire<v1::ExecutorInfo>,
    /// A command task's executor exists in name only: the task runs straight under its shim.
    pub(crate) is_command: bool,
    pub(crate) container_id: String,
}
