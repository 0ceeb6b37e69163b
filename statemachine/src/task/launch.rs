//! A task is launched, or refused with a word to its framework.

use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{Executor, Task};
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage, TaskUpdate};
use crate::event::Fold;
use crate::id::{AgentId, ExecutorId, ExecutorKey, FrameworkId, NamedAgent, Role, TaskId, TaskKey};
use crate::resources::Resources;
use crate::state::State;
use crate::status::{Status, TaskState};
use crate::time::Time;

/// A task that a framework wants launched, its shape checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Its id.
    pub id: TaskId,
    /// The agent it names; none if that is no agent of this cluster.
    pub agent: Option<AgentId>,
    /// What it needs, without its executor's.
    pub resources: Resources,
    /// Its custom executor; none for a command task.
    pub executor: Option<ExecutorSpec>,
    /// The encoded v1 `TaskInfo`, without resources.
    pub payload: Bytes,
    /// What is wrong with its shape, if anything is.
    pub fault: Option<Fault>,
}

/// A custom executor that a task wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorSpec {
    /// Its id.
    pub id: ExecutorId,
    /// What it needs itself.
    pub resources: Resources,
    /// The encoded v1 `ExecutorInfo`, without resources; equal executors are equal bytes.
    pub payload: Bytes,
}

/// What is wrong with a task whatever the state of the cluster. Rules are checked in one order
/// (semantics 140), so the core has to know on which side of its own this one lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its id is not valid: checked before all else.
    Id(Arc<str>),
    /// It names this agent, which is none of this cluster.
    Agent(Arc<str>),
    /// Something else: checked after uniqueness and agent.
    Shape(Arc<str>),
}

/// A task was launched; the agent is told once this is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLaunched {
    /// The task.
    #[serde(rename = "k")]
    pub key: TaskKey,
    /// Where.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// Role its resources are allocated to.
    #[serde(rename = "l")]
    pub role: Role,
    /// What it uses.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// Its custom executor.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<ExecutorId>,
    /// Set if it is the first task of its executor: what that uses, and its payload.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub new_executor: Option<NewExecutor>,
    /// The encoded v1 `TaskInfo`, without resources.
    #[serde(rename = "b")]
    pub payload: Bytes,
}

/// An executor that starts with a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewExecutor {
    /// What it uses itself.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// The encoded v1 `ExecutorInfo`, without resources.
    #[serde(rename = "b")]
    pub payload: Bytes,
}

/// A task was not launched; its framework hears why. Nothing else comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRefused {
    /// The framework.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// The task.
    #[serde(rename = "t")]
    pub task: TaskId,
    /// Where it would have run, if that is known.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What is said.
    #[serde(rename = "s")]
    pub status: Arc<Status>,
}

impl Fold for TaskLaunched {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let executor = self.executor.as_ref().map(|executor| ExecutorKey {
            agent: self.agent,
            framework: self.key.framework,
            executor: executor.clone(),
        });
        if let (Some(key), Some(new)) = (&executor, &self.new_executor) {
            state.start_executor(key, &self.role, new);
        }
        let task = state.add_task(Task {
            key: self.key.clone(),
            agent: self.agent,
            executor: self.executor.clone(),
            role: self.role.clone(),
            resources: self.resources.clone(),
            state: TaskState::Staging,
            statuses: Vec::new(),
            pending: None,
            acknowledged: None,
            kill: None,
            launched: state.cluster.events,
            launched_at: at,
            completed_at: None,
            grouped: false,
            payload: self.payload.clone(),
        });
        effects.push(Effect::Operators(OperatorMessage::TaskAdded(task.clone())));
        let executor = executor.and_then(|key| state.executors.get(&key).cloned());
        state.direct(self.agent, Directive::Launch(task, executor), effects);
    }
}

impl State {
    /// A task enters the books, and what it uses is in use.
    pub(super) fn add_task(&mut self, task: Task) -> Arc<Task> {
        self.occupy(task.agent, task.key.framework, &task.role, &task.resources);
        let task = Arc::new(task);
        self.tasks.insert(task.key.clone(), task.clone());
        if let Some(agent) = self.agent_mut(task.agent) {
            agent.tasks.insert(task.key.clone());
        }
        task
    }

    /// An executor enters the books with the launch under way.
    pub(super) fn start_executor(&mut self, key: &ExecutorKey, role: &Role, new: &NewExecutor) {
        self.occupy(key.agent, key.framework, role, &new.resources);
        let executor = Executor {
            key: key.clone(),
            role: role.clone(),
            resources: new.resources.clone(),
            shutdown: None,
            launched: self.cluster.events,
            holds: true,
            payload: new.payload.clone(),
        };
        self.executors.insert(key.clone(), Arc::new(executor));
    }
}

impl Fold for TaskRefused {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let counted = (self.status.state, self.status.source, self.status.reason);
        *OrdMap::entry(&mut state.ended, counted).or_default() += 1;
        state.count_end(self.framework, self.status.state);
        let update = TaskUpdate {
            task: self.task.clone(),
            agent: self.agent.map(NamedAgent::Ours),
            executor: None,
            status: self.status.clone(),
        };
        state.tell(self.framework, FrameworkMessage::Updated(update), effects);
    }
}
