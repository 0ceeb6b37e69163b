//! Custom executors end: because their framework wants it, or by themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect};
use crate::event::Fold;
use crate::id::{AgentId, ExecutorId, ExecutorKey, FrameworkId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// SHUTDOWN.
#[derive(Clone, Debug, PartialEq)]
pub struct ShutdownExecutor {
    /// Who.
    pub framework: FrameworkId,
    /// Where the executor runs; none if that is no agent of this cluster.
    pub agent: Option<AgentId>,
    /// Which.
    pub executor: ExecutorId,
}

/// An executor is to end; repeated to the agent until it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorShutdownRequested {
    /// Which.
    #[serde(rename = "k")]
    pub key: ExecutorKey,
}

/// An agent reports that an executor has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorExited {
    /// Who reports.
    pub agent: AgentId,
    /// Over which stream.
    pub session: Session,
    /// The framework's wire id.
    pub framework: Arc<str>,
    /// Which.
    pub executor: ExecutorId,
    /// Raw wait status, -1 if unknown (semantics 209).
    pub status: i32,
}

/// An executor ended. What becomes of its tasks, their agent reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorEnded {
    /// Which.
    #[serde(rename = "k")]
    pub key: ExecutorKey,
    /// Raw wait status, -1 if unknown.
    #[serde(rename = "s")]
    pub status: i32,
}

impl Decide for ShutdownExecutor {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let Some(agent) = self.agent else {
            return Ok(Reply::Done);
        };
        let key = ExecutorKey { agent, framework: self.framework, executor: self.executor.clone() };
        if draft.state().executors.contains_key(&key) {
            draft.record(ExecutorShutdownRequested { key });
        }
        Ok(Reply::Done)
    }
}

impl Decide for ExecutorExited {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(framework) = state.framework_by_wire_id(&self.framework) else {
            return Ok(Reply::Done);
        };
        let key = ExecutorKey {
            agent: self.agent,
            framework: framework.id,
            executor: self.executor.clone(),
        };
        let current = state.agents.get(&self.agent).and_then(|agent| agent.session());
        if current == Some(self.session) && state.executors.contains_key(&key) {
            draft.record(ExecutorEnded { key, status: self.status });
        }
        Ok(Reply::Done)
    }
}

impl Fold for ExecutorShutdownRequested {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let number = state.cluster.events;
        let Some(executor) = state.executors.get_mut(&self.key).map(Arc::make_mut) else {
            return;
        };
        executor.shutdown.get_or_insert(number);
        let directive = Directive::ShutdownExecutor {
            framework: self.key.framework,
            executor: self.key.executor.clone(),
            number,
        };
        state.direct(self.key.agent, directive, effects);
    }
}

impl Fold for ExecutorEnded {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        if state.end_executor(&self.key).is_none() {
            return;
        }
        state.tell_end(&self.key, self.status, effects);
    }
}
