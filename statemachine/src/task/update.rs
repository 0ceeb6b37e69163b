//! An agent reports what has become of a task.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage, TaskUpdate};
use crate::event::Fold;
use crate::id::{AgentId, ExecutorId, FrameworkId, Session, TaskId, TaskKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Status, TaskState};
use crate::task::Task;
use crate::time::Time;

/// One report. Agents repeat it until it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Who reports.
    pub agent: AgentId,
    /// Over which stream.
    pub session: Session,
    /// The framework's wire id.
    pub framework: Arc<str>,
    /// The task.
    pub task: TaskId,
    /// The executor, as the agent says.
    pub executor: Option<ExecutorId>,
    /// What it says; carries an update id.
    pub status: Arc<Status>,
    /// The newest state that the agent knows; ahead of `status` while earlier updates wait.
    pub latest: TaskState,
}

/// A task's state was reported by its agent or found out by the master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskUpdated {
    /// The task.
    #[serde(rename = "k")]
    pub key: TaskKey,
    /// What its framework is told.
    #[serde(rename = "s")]
    pub status: Arc<Status>,
    /// Its state from now on.
    #[serde(rename = "l")]
    pub latest: TaskState,
}

impl Decide for Update {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let connected = state.agents.get(&self.agent).is_some_and(|agent| {
            agent.session() == Some(self.session) && agent.unreachable_since.is_none()
        });
        if !connected {
            return Err(Rejection::AgentNotConnected(state.agent_text(self.agent).into()));
        }
        let Some(framework) = state.framework_by_wire_id(&self.framework) else {
            // nobody is left to acknowledge it
            self.acknowledge(draft);
            return Ok(Reply::Done);
        };
        let key = TaskKey { framework: framework.id, task: self.task.clone() };
        match state.tasks.get(&key).filter(|task| task.agent == self.agent).cloned() {
            Some(task) => self.update(&task, draft),
            None => self.update_unknown(&key, draft),
        }
        Ok(Reply::Done)
    }
}

impl Update {
    fn update(&self, task: &Arc<Task>, draft: &mut Draft<'_>) {
        if task.acknowledged.is_some() && task.acknowledged == self.status.update {
            self.acknowledge(draft);
            return;
        }
        let is_pending =
            task.pending.as_ref().is_some_and(|pending| pending.update == self.status.update);
        // what is over stays over, whatever an earlier update still says
        let latest = if task.state.is_terminal() { task.state } else { self.latest };
        if is_pending && latest == task.state {
            self.forward(task.key.framework, draft);
        } else {
            draft.record(TaskUpdated {
                key: task.key.clone(),
                status: self.status.clone(),
                latest,
            });
        }
    }

    /// A task that is no longer in the books: acknowledged already, or never known here. Its framework
    /// hears of it all the same (semantics 202).
    fn update_unknown(&self, key: &TaskKey, draft: &mut Draft<'_>) {
        let framework = draft.state().frameworks.get(&key.framework);
        let acknowledged = framework.is_some_and(|framework| {
            framework.completed.iter().rev().any(|task| {
                task.key == *key
                    && task.acknowledged.is_some()
                    && task.acknowledged == self.status.update
            })
        });
        if acknowledged {
            self.acknowledge(draft);
        } else {
            self.forward(key.framework, draft);
        }
    }

    fn acknowledge(&self, draft: &mut Draft<'_>) {
        let Some(update) = self.status.update else {
            return;
        };
        let directive = Directive::Acknowledge {
            framework: self.framework.clone(),
            task: self.task.clone(),
            update,
        };
        draft.direct(self.agent, directive);
    }

    fn forward(&self, framework: FrameworkId, draft: &mut Draft<'_>) {
        let message = FrameworkMessage::Updated(TaskUpdate {
            task: self.task.clone(),
            agent: Some(self.agent),
            executor: self.executor.clone(),
            status: self.status.clone(),
        });
        draft.tell(framework, message);
    }
}

impl Task {
    /// The message that tells its framework `status`.
    pub(crate) fn message(&self, status: &Arc<Status>) -> FrameworkMessage {
        FrameworkMessage::Updated(TaskUpdate {
            task: self.key.task.clone(),
            agent: Some(self.agent),
            executor: self.executor.clone(),
            status: status.clone(),
        })
    }
}

impl Fold for TaskUpdated {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let Some(before) = state.tasks.get(&self.key).cloned() else {
            return;
        };
        state.advance(&self.key, &self.status, self.latest);
        let Some(task) = state.tasks.get(&self.key).cloned() else {
            return;
        };
        state.tell(self.key.framework, task.message(&self.status), effects);
        let said_before = before.statuses.last().map(|status| (status.state, status.healthy));
        if said_before != Some((self.status.state, self.status.healthy)) {
            let message = OperatorMessage::TaskUpdated(task, self.status.clone());
            effects.push(Effect::Operators(message));
        }
        // nothing is left to acknowledge when the master itself says that it is over
        if self.latest.is_terminal() && self.status.update.is_none() {
            state.complete_task(&self.key);
        }
    }
}
