//! What the leader owes the world once an event is committed. Followers fold the same events and
//! drop the effects.

use std::sync::Arc;

use bytes::Bytes;

use crate::id::{
    AgentId, EventNumber, ExecutorId, FrameworkId, NamedAgent, OfferId, Session, TaskId,
};
use crate::maintenance::InverseOffer;
use crate::offer::Offer;
use crate::operation::OperationUpdate;
use crate::resources::Resources;
use crate::status::{Status, TaskState, UpdateId};
use crate::task::{Executor, Task};

/// One message to send. Carries all that its text needs besides the descriptions of frameworks and
/// agents, which are looked up in the state that the batch left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// To a scheduler's stream; dropped if that stream is gone by then.
    Framework {
        /// Framework it is for.
        to: FrameworkId,
        /// Stream it is for.
        session: Session,
        /// What to say.
        message: FrameworkMessage,
    },
    /// To an agent's stream; dropped if that stream is gone by then.
    Agent {
        /// Agent it is for.
        to: AgentId,
        /// Stream it is for.
        session: Session,
        /// What to do.
        directive: Directive,
    },
    /// To every operator stream (semantics 298, 299).
    Operators(OperatorMessage),
}

/// What a scheduler hears (v1 `scheduler::Event`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameworkMessage {
    /// OFFERS.
    Offers(Vec<Arc<Offer>>),
    /// RESCIND.
    Rescinded(OfferId),
    /// `INVERSE_OFFERS`.
    InverseOffers(Vec<InverseOffer>),
    /// `RESCIND_INVERSE_OFFER`.
    InverseRescinded(OfferId),
    /// UPDATE.
    Updated(TaskUpdate),
    /// `UPDATE_OPERATION_STATUS`.
    OperationUpdated(OperationUpdate),
    /// FAILURE of an agent, or of one of its executors with its raw wait status.
    Failed {
        /// The agent.
        agent: AgentId,
        /// The executor and its raw wait status, if only that failed.
        executor: Option<(ExecutorId, i32)>,
    },
    /// MESSAGE from an executor.
    Message {
        /// Where the executor runs.
        agent: AgentId,
        /// The executor.
        executor: ExecutorId,
        /// What it says.
        data: Bytes,
    },
    /// ERROR with this text; the stream is closed after it.
    Failure(Arc<str>),
    /// The stream is closed without a word (semantics 78).
    Closed,
}

/// One status of one task, on its way to a framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskUpdate {
    /// The task.
    pub task: TaskId,
    /// Where it runs, if it ever did; in an answer, what the framework believed.
    pub agent: Option<NamedAgent>,
    /// Its custom executor.
    pub executor: Option<ExecutorId>,
    /// What is said.
    pub status: Arc<Status>,
}

/// What an agent is told (`agents.proto`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Start this task. Numbered by [`Task::launched`]. The executor is there for tasks that have one.
    Launch(Arc<Task>, Option<Arc<Executor>>),
    /// Start these tasks together. Numbered by the [`Task::launched`] that they share; there is at least
    /// one.
    LaunchGroup(Vec<Arc<Task>>, Option<Arc<Executor>>),
    /// Kill a task.
    Kill {
        /// The framework.
        framework: FrameworkId,
        /// The task.
        task: TaskId,
        /// An encoded v1 `KillPolicy`; empty for the task's own.
        policy: Bytes,
        /// The longest grace period that its agent, which is being drained, leaves it, in nanoseconds
        /// (semantics 237).
        max_grace_ns: Option<u64>,
    },
    /// The update is acknowledged: never repeat it.
    Acknowledge {
        /// The framework's wire id (it may be gone).
        framework: Arc<str>,
        /// The task.
        task: TaskId,
        /// The update.
        update: UpdateId,
    },
    /// A framework's message to an executor.
    Message {
        /// The framework.
        framework: FrameworkId,
        /// The executor.
        executor: ExecutorId,
        /// What it says.
        data: Bytes,
    },
    /// Shut one executor down.
    ShutdownExecutor {
        /// The framework.
        framework: FrameworkId,
        /// The executor.
        executor: ExecutorId,
        /// Number of the decision.
        number: EventNumber,
    },
    /// Kill all that this framework has there, and forget it.
    ShutdownFramework {
        /// Its wire id.
        framework: Arc<str>,
        /// Number of the decision.
        number: EventNumber,
    },
    /// The master believes these tasks run there; those that do not are to be reported dropped.
    Reconcile {
        /// The framework.
        framework: FrameworkId,
        /// Tasks with the state that the master has.
        tasks: Vec<(TaskId, TaskState)>,
    },
    /// A framework with tasks there is described anew.
    FrameworkChanged(FrameworkId),
    /// End all that runs there, and itself: the cluster does not count on the agent any more.
    Leave {
        /// Why, for its log.
        reason: Arc<str>,
    },
    /// All that the agent has now: it makes and removes volumes accordingly.
    Resources {
        /// The new total.
        total: Resources,
        /// Number of the decision.
        number: EventNumber,
    },
}

/// What operator streams hear (v1 `master::Event`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorMessage {
    /// `TASK_ADDED`.
    TaskAdded(Arc<Task>),
    /// `TASK_UPDATED`: the task as it is now, and the status that was forwarded.
    TaskUpdated(Arc<Task>, Arc<Status>),
    /// `FRAMEWORK_ADDED`.
    FrameworkAdded(FrameworkId),
    /// `FRAMEWORK_UPDATED`.
    FrameworkUpdated(FrameworkId),
    /// `FRAMEWORK_REMOVED`: as it was at its end.
    FrameworkRemoved(Arc<crate::framework::Framework>),
    /// `AGENT_ADDED`.
    AgentAdded(AgentId),
    /// `AGENT_REMOVED`.
    AgentRemoved(AgentId),
}
