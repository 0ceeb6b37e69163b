//! A framework confirms that it has an update.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect};
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, TaskId, TaskKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::UpdateId;
use crate::time::Time;

/// ACKNOWLEDGE.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledge {
    /// Who.
    pub framework: FrameworkId,
    /// The agent that it names; none if that is no agent of this cluster.
    pub agent: Option<AgentId>,
    /// The task.
    pub task: TaskId,
    /// The update.
    pub update: UpdateId,
}

/// A framework has the pending update of a task. A terminal one was the last that is heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAcknowledged {
    /// The task.
    #[serde(rename = "k")]
    pub key: TaskKey,
    /// The update.
    #[serde(rename = "u")]
    pub update: UpdateId,
}

impl Decide for Acknowledge {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(framework) = state.frameworks.get(&self.framework) else {
            return Err(Rejection::FrameworkUnknown);
        };
        let key = TaskKey { framework: self.framework, task: self.task.clone() };
        // one that names another agent means another task, which may have had the same id (semantics 194)
        let named = state.tasks.get(&key).filter(|task| self.agent == Some(task.agent));
        let pending = named.and_then(|task| task.pending.as_ref());
        if pending.and_then(|pending| pending.update) == Some(self.update) {
            draft.record(TaskAcknowledged { key, update: self.update });
            return Ok(Reply::Done);
        }
        // the agent knows best whether it still waits for this one (semantics 196)
        let directive = Directive::Acknowledge {
            framework: framework.wire_id.clone(),
            task: self.task.clone(),
            update: self.update,
        };
        if let Some(agent) = self.agent {
            draft.direct(agent, directive);
        }
        Ok(Reply::Done)
    }
}

impl Fold for TaskAcknowledged {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let Some(task) = state.tasks.get_mut(&self.key).map(std::sync::Arc::make_mut) else {
            return;
        };
        let ended = task.pending.take().is_some_and(|pending| pending.state.is_terminal());
        task.acknowledged = Some(self.update);
        let agent = task.agent;
        if let Some(framework) = state.frameworks.get(&self.key.framework) {
            let directive = Directive::Acknowledge {
                framework: framework.wire_id.clone(),
                task: self.key.task.clone(),
                update: self.update,
            };
            state.direct(agent, directive, effects);
        }
        if ended {
            state.complete_task(&self.key);
        }
    }
}
