//! Tasks and the executors that run them.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{AgentId, EventNumber, ExecutorId, ExecutorKey, Role, TaskKey};
use crate::resources::Resources;
use crate::status::{Status, TaskState, UpdateId};
use crate::time::Time;

mod acknowledge;
mod executor;
mod group;
mod kill;
mod launch;
mod life;
mod message;
mod reconcile;
#[cfg(test)]
mod tests;
mod update;

pub use acknowledge::{Acknowledge, TaskAcknowledged};
pub use executor::{ExecutorEnded, ExecutorExited, ExecutorShutdownRequested, ShutdownExecutor};
pub use group::{GroupLaunched, GroupSpec, Grouped};
pub use kill::{Kill, TaskKillRequested};
pub use launch::{ExecutorSpec, Fault, NewExecutor, TaskLaunched, TaskRefused, TaskSpec};
pub use message::{MessageExecutor, MessageFramework};
pub use reconcile::{Question, Reconcile};
pub use update::{TaskUpdated, Update};

/// A task that is not over, or whose end its framework has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its framework and id.
    #[serde(rename = "k")]
    pub key: TaskKey,
    /// Where it runs.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// The custom executor that runs it; none for a command task.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<ExecutorId>,
    /// Role its resources are allocated to.
    #[serde(rename = "l")]
    pub role: Role,
    /// What it uses, without its executor's.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// Newest state known, even if the framework has not been told yet.
    #[serde(rename = "s")]
    pub state: TaskState,
    /// Statuses sent so far, at most one per consecutive state, `data` stripped (semantics 197).
    #[serde(rename = "h")]
    pub statuses: Vec<Arc<Status>>,
    /// The update that its framework has yet to acknowledge, whole; resent to every new stream.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Arc<Status>>,
    /// Id of the update acknowledged last, to tell a repetition from news.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<UpdateId>,
    /// Set once its framework wants it dead: repeated to the agent until it is.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<KillIntent>,
    /// Number of its launch directive. An agent says how far it has taken them, so no confirmation of
    /// each is kept. Tasks of one group share it, as they share their directive.
    #[serde(rename = "n")]
    pub launched: EventNumber,
    /// When it was launched.
    #[serde(rename = "t")]
    pub launched_at: Time,
    /// When it left the books for its framework's history.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Whether it was launched in a group, which its agent is told of as one.
    #[serde(rename = "g", default, skip_serializing_if = "is_false")]
    pub grouped: bool,
    /// The encoded v1 `TaskInfo`, without resources.
    #[serde(rename = "b")]
    pub payload: Bytes,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Task {
    /// Whether this task's launch starts its executor (semantics 259): a command task's always does, and
    /// that of a custom executor's first task. `executor` is what the ledger has under its executor's
    /// id, which may be none by now, or a later one.
    pub fn starts(&self, executor: Option<&Executor>) -> bool {
        self.executor.is_none()
            || executor.is_some_and(|executor| executor.launched == self.launched)
    }
}

/// That a task is to be killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillIntent {
    /// When the framework first asked.
    #[serde(rename = "t")]
    pub at: Time,
    /// The newest kill policy given with a KILL, an encoded v1 `KillPolicy`; empty for the task's own.
    #[serde(rename = "p", default, skip_serializing_if = "Bytes::is_empty")]
    pub policy: Bytes,
}

/// A custom executor that runs, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executor {
    /// Its agent, framework and id.
    #[serde(rename = "k")]
    pub key: ExecutorKey,
    /// Role its resources are allocated to.
    #[serde(rename = "l")]
    pub role: Role,
    /// What it uses itself.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// Set once its framework wants it gone: repeated to the agent until it is.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<EventNumber>,
    /// Number of the launch that first needed it.
    #[serde(rename = "n")]
    pub launched: EventNumber,
    /// False while its agent is unreachable: it then holds nothing.
    #[serde(rename = "h")]
    pub holds: bool,
    /// The encoded v1 `ExecutorInfo`, without resources.
    #[serde(rename = "b")]
    pub payload: Bytes,
}
