//! A framework asks what has become of its tasks. Answers come from the state alone, always and at
//! once (gaps 2, 3); they are no events, since nothing happens.

use std::sync::Arc;

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{FrameworkMessage, TaskUpdate};
use crate::id::{AgentId, FrameworkId, TaskId, TaskKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::Task;
use crate::time::Time;

/// RECONCILE.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconcile {
    /// Who.
    pub framework: FrameworkId,
    /// About which tasks; empty for all that are not over (semantics 210).
    pub tasks: Vec<Question>,
}

/// One task asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The task.
    pub task: TaskId,
    /// The agent that it names, if it names one of this cluster's.
    pub agent: Option<AgentId>,
}

impl Decide for Reconcile {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        if !draft.state().frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let now = draft.context().now;
        let state = draft.state();
        let answers: Vec<_> = if self.tasks.is_empty() {
            let tasks = state.tasks_of(self.framework);
            tasks
                .filter(|task| task.state != TaskState::Unreachable)
                .map(|task| known(task, now))
                .collect()
        } else {
            self.tasks.iter().map(|task| answer(state, self.framework, task, now)).collect()
        };
        for message in answers {
            draft.tell(self.framework, message);
        }
        Ok(Reply::Done)
    }
}

/// The answer about one task (semantics 211 to 217).
pub(crate) fn answer(
    state: &State,
    framework: FrameworkId,
    question: &Question,
    now: Time,
) -> FrameworkMessage {
    let key = TaskKey { framework, task: question.task.clone() };
    let task = state.tasks.get(&key);
    if let Some(task) = task.filter(|task| task.state != TaskState::Unreachable) {
        return known(task, now);
    }
    let agent = task.map(|task| task.agent).or(question.agent);
    let (told, message, unreachable_at) = absent(state, agent);
    let told = if state.is_partition_aware(framework) { told } else { TaskState::Lost };
    let mut status = Status::by_master(told, Reason::RECONCILIATION, message, now);
    status.unreachable_at = unreachable_at;
    FrameworkMessage::Updated(TaskUpdate {
        task: question.task.clone(),
        agent,
        executor: None,
        status: Arc::new(status),
    })
}

/// What is said of a task that is not in the books, or is out of reach.
fn absent(state: &State, agent: Option<AgentId>) -> (TaskState, &'static str, Option<Time>) {
    match agent.and_then(|agent| state.agents.get(&agent)) {
        Some(agent) if agent.unreachable_since.is_some() => {
            (TaskState::Unreachable, "Reconciliation: Task is unreachable", agent.unreachable_since)
        }
        Some(_) => (TaskState::Gone, "Reconciliation: Task is unknown to the agent", None),
        None => (TaskState::Unknown, "Reconciliation: Task is unknown", None),
    }
}

/// The newest status that was forwarded, as an answer.
fn known(task: &Arc<Task>, now: Time) -> FrameworkMessage {
    let last = task.statuses.last();
    let told = last.map_or(task.state, |status| status.state);
    let message = "Reconciliation: Latest task state";
    let mut status = Status::by_master(told, Reason::RECONCILIATION, message, now);
    if let Some(last) = last {
        status.healthy = last.healthy;
        status.payload = last.payload.clone();
    }
    task.message(&Arc::new(status))
}
