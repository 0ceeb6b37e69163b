//! An operator gives up agents that a limit on giving up holds back.

use super::forget::trim_unreachable;
use super::unreachable::lose;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::id::AgentId;
use crate::rejection::Rejection;

/// These agents, which have been away for long enough and are spared, are unreachable from now on. Those of
/// them that came back after all meanwhile are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// Which.
    pub agents: Vec<AgentId>,
}

impl Decide for GiveUp {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        if let Some(unknown) = self.agents.iter().find(|id| !state.agents.contains_key(*id)) {
            return Err(Rejection::AgentUnknown(state.agent_text(*unknown).into()));
        }
        for id in &self.agents {
            let agent = draft.state().agents.get(id);
            if agent.is_some_and(|agent| agent.spared.is_some()) {
                lose(draft, *id);
            }
        }
        trim_unreachable(draft);
        Ok(Reply::Done)
    }
}
