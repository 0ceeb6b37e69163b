//! An operator empties an agent: nothing is offered, every task is killed, and when the last one is
//! over, nothing runs of frameworks that are over, and no operation is on its way, the agent is drained.
//!
//! The wish is the agent's, not each task's: what is owed to an agent that drains is a kill of all that
//! still runs there ([`crate::outstanding`]), whenever and to whichever leader it comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Agent;
use super::gone::declare_gone;
use crate::capability;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::AgentId;
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::Task;
use crate::time::Time;

/// `DRAIN_AGENT`. Of several wishes the newest counts; one that is being fulfilled need not be repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct DrainAgent {
    /// Which.
    pub agent: AgentId,
    /// No task gets longer to end than this, in nanoseconds; each its own grace period if not set.
    pub max_grace_ns: Option<u64>,
    /// Whether the agent is to be marked gone once it is drained.
    pub mark_gone: bool,
}

/// An agent is being emptied, or is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// How far it is.
    #[serde(rename = "s")]
    pub state: DrainState,
    /// The longest grace period of its tasks, in nanoseconds.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub max_grace_ns: Option<u64>,
    /// Whether it is marked gone in the end.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub mark_gone: bool,
    /// When the operator asked for it.
    #[serde(rename = "t")]
    pub started_at: Time,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DrainState {
    /// Some task is not over, or its end is not acknowledged; or an operation is not confirmed; or something still
    /// runs of a framework that is over.
    #[serde(rename = "r")]
    Draining,
    /// Nothing is left.
    #[serde(rename = "d")]
    Drained,
}

/// An agent is to be emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDraining {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// The longest grace period of its tasks, in nanoseconds.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub max_grace_ns: Option<u64>,
    /// Whether it is marked gone in the end.
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    pub mark_gone: bool,
}

/// Nothing is left on a draining agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDrained {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
}

impl Drain {
    /// Whether something is left to be emptied.
    pub fn runs(&self) -> bool {
        self.state == DrainState::Draining
    }
}

impl Agent {
    /// Whether it is being emptied.
    pub fn is_draining(&self) -> bool {
        self.drain.as_ref().is_some_and(Drain::runs)
    }

    /// Whether it is to be called drained: nothing of what it was to do is left.
    pub(crate) fn is_emptied(&self) -> bool {
        self.is_draining()
            && self.tasks.is_empty()
            && self.operations.is_empty()
            && self.lingering.is_empty()
    }
}

impl Decide for DrainAgent {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(agent) = state.agents.get(&self.agent) else {
            return Err(Rejection::AgentUnknown(state.agent_text(self.agent).into()));
        };
        if !agent.description.capabilities.has(capability::agent::AGENT_DRAINING) {
            let name = state.agent_text(self.agent);
            let fault = format!("Agent {name} is not capable of draining (AGENT_DRAINING)");
            return Err(Rejection::Invalid(fault.into()));
        }
        if state.maintenance.agents.contains(&self.agent) {
            let name = state.agent_text(self.agent);
            let fault = format!(
                "Agent {name} is on a machine of the maintenance schedule; use that to empty it, or \
                 take the machine out of it first"
            );
            return Err(Rejection::Invalid(fault.into()));
        }
        let runs = agent.drain.as_ref().filter(|drain| drain.runs());
        let same = |drain: &Drain| {
            (drain.max_grace_ns, drain.mark_gone) == (self.max_grace_ns, self.mark_gone)
        };
        if runs.is_some_and(same) {
            return Ok(Reply::Done);
        }
        draft.record(AgentDraining {
            id: self.agent,
            max_grace_ns: self.max_grace_ns,
            mark_gone: self.mark_gone,
        });
        Ok(Reply::Done)
    }
}

/// Says of each draining agent that the decision so far has emptied that it is drained, and marks it
/// gone if that was asked for (semantics 239). Every decision ends with this.
pub(crate) fn finish_drains(draft: &mut Draft<'_>) {
    while let Some(id) = draft.state().emptied.get_min().copied() {
        let agent = draft.state().agents.get(&id);
        let mark_gone = agent.and_then(|agent| agent.drain.as_ref()).is_some_and(|it| it.mark_gone);
        draft.record(AgentDrained { id });
        if mark_gone {
            declare_gone(draft, id);
        }
    }
}

impl State {
    /// A task, an operation or what lingered has left an agent: the decision under way goes on to call it drained if
    /// that was the last of a drain.
    pub(crate) fn note_emptied(&mut self, agent: AgentId) {
        if self.agents.get(&agent).is_some_and(|agent| agent.is_emptied()) {
            self.emptied.insert(agent);
        }
    }

    /// A state that a task's agent reports, as it counts if the agent drains (semantics 238).
    pub(crate) fn state_by_drain(&self, task: &Task, reported: TaskState) -> TaskState {
        let agent = self.agents.get(&task.agent).filter(|agent| agent.is_draining());
        let goes = agent.and_then(|it| it.drain.as_ref()).is_some_and(|drain| drain.mark_gone);
        let aware = self.is_partition_aware(task.key.framework);
        if goes && aware && reported == TaskState::Killed {
            TaskState::GoneByOperator
        } else {
            reported
        }
    }

    /// A status that a task's agent reports, as its framework is told if the agent drains
    /// (semantics 238).
    pub(crate) fn status_by_drain(&self, task: &Task, reported: &Arc<Status>) -> Arc<Status> {
        let is_draining = self.agents.get(&task.agent).is_some_and(|agent| agent.is_draining());
        let is_killed = matches!(reported.state, TaskState::Killing | TaskState::Killed);
        if !is_draining || !is_killed {
            return reported.clone();
        }
        Arc::new(Status {
            state: self.state_by_drain(task, reported.state),
            reason: Some(Reason::AGENT_DRAINING),
            ..Status::clone(reported)
        })
    }
}

impl Fold for AgentDraining {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        state.rescind_agent(self.id, effects);
        let Some(agent) = state.agent_mut(self.id) else {
            return;
        };
        agent.deactivated = true;
        agent.drain = Some(Drain {
            state: DrainState::Draining,
            max_grace_ns: self.max_grace_ns,
            mark_gone: self.mark_gone,
            started_at: at,
        });
        let tasks = agent.tasks.clone();
        state.note_emptied(self.id);
        for task in tasks.iter().filter_map(|key| state.tasks.get(key)) {
            let directive = state.kill_directive(task).filter(|_| !task.state.is_terminal());
            if let Some(directive) = directive {
                state.direct(self.id, directive, effects);
            }
        }
    }
}

impl Fold for AgentDrained {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        state.emptied.remove(&self.id);
        let drain = state.agent_mut(self.id).and_then(|agent| agent.drain.as_mut());
        if let Some(drain) = drain {
            drain.state = DrainState::Drained;
        }
    }
}

#[cfg(test)]
mod tests;
