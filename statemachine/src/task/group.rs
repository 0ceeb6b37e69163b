//! Tasks are launched together: all or none (semantics 93).

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ExecutorSpec, Fault, NewExecutor, Task, TaskSpec};
use crate::effect::{Directive, Effect, OperatorMessage};
use crate::event::Fold;
use crate::id::{AgentId, ExecutorId, ExecutorKey, FrameworkId, Role, TaskId, TaskKey};
use crate::resources::Resources;
use crate::state::State;
use crate::status::TaskState;
use crate::time::Time;

/// Tasks that a framework wants launched together on one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// The executor.
    pub executor: ExecutorSpec,
    /// The tasks, whose own `executor` counts for nothing.
    pub tasks: Vec<TaskSpec>,
    /// What is wrong with the operation ([`Fault::Id`]), which comes before the faults of its tasks, or
    /// with its executor, which comes after them.
    pub fault: Option<Fault>,
}

/// Tasks were launched together; the agent is told of them as one once this is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLaunched {
    /// The framework.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// Where.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// Role all their resources are allocated to.
    #[serde(rename = "l")]
    pub role: Role,
    /// Their executor.
    #[serde(rename = "e")]
    pub executor: ExecutorId,
    /// Set if they are the first tasks of their executor: what that uses, and its payload.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub new_executor: Option<NewExecutor>,
    /// The tasks, in the order in which the framework named them.
    #[serde(rename = "t")]
    pub tasks: Vec<Grouped>,
}

/// One task of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouped {
    /// Its id.
    #[serde(rename = "t")]
    pub id: TaskId,
    /// What it uses.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// The encoded v1 `TaskInfo`, without resources and executor.
    #[serde(rename = "b")]
    pub payload: Bytes,
}

impl GroupLaunched {
    fn task(&self, grouped: &Grouped, state: &State, at: Time) -> Task {
        Task {
            key: TaskKey { framework: self.framework, task: grouped.id.clone() },
            agent: self.agent,
            executor: Some(self.executor.clone()),
            role: self.role.clone(),
            resources: grouped.resources.clone(),
            state: TaskState::Staging,
            statuses: Vec::new(),
            pending: None,
            acknowledged: None,
            kill: None,
            launched: state.cluster.events,
            launched_at: at,
            completed_at: None,
            grouped: true,
            payload: grouped.payload.clone(),
        }
    }
}

impl Fold for GroupLaunched {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let (agent, framework) = (self.agent, self.framework);
        let key = ExecutorKey { agent, framework, executor: self.executor.clone() };
        if let Some(new) = &self.new_executor {
            state.start_executor(&key, &self.role, new);
        }
        let mut tasks = Vec::with_capacity(self.tasks.len());
        for grouped in &self.tasks {
            let task = state.add_task(self.task(grouped, state, at));
            effects.push(Effect::Operators(OperatorMessage::TaskAdded(Arc::clone(&task))));
            tasks.push(task);
        }
        let executor = state.executors.get(&key).cloned();
        state.direct(agent, Directive::LaunchGroup(tasks, executor), effects);
    }
}
