//! A framework that is over has stopped on an agent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// An agent that was told to shut a framework down runs nothing of it any more. It says so once for each time that it is
/// told: whatever is lost of that, its next Hello makes up for.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// Who says so.
    pub agent: AgentId,
    /// Over which stream.
    pub session: Session,
    /// The framework's wire id.
    pub framework: Arc<str>,
}

/// Nothing of a framework that is over runs on an agent any more: what it had there is free (gaps 51).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkStopped {
    /// The framework's number.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// Where.
    #[serde(rename = "a")]
    pub agent: AgentId,
}

impl Decide for Stopped {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let agent = state.agents.get(&self.agent);
        let agent = agent.filter(|agent| agent.session() == Some(self.session));
        let id = state.framework_ids.get(&self.framework).copied();
        let id = id.filter(|id| agent.is_some_and(|agent| agent.lingering.contains_key(id)));
        if let Some(id) = id {
            draft.record(FrameworkStopped { id, agent: self.agent });
        }
        Ok(Reply::Done)
    }
}

impl Fold for FrameworkStopped {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        state.settle(self.agent, self.id);
    }
}

#[cfg(test)]
mod tests;
