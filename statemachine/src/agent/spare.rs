//! Agents that have been away for long enough are given up, but no more of them, and no faster, than
//! operators allow: what keeps many from being heard is likely a fault elsewhere, and their tasks run on
//! (semantics 221, 232; gaps 43, 47).
//!
//! Those that are spared are away as before: nothing of them is offered, and who comes back is taken in.
//! Only giving one up uses up some of the allowance; one that came back in time has used none.

use serde::{Deserialize, Serialize};

use super::forget::{forget, trim_unreachable};
use super::unreachable::lose;
use crate::connection::Connection;
use crate::draft::Draft;
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::AgentId;
use crate::settings::Settings;
use crate::state::State;
use crate::time::Time;

/// These agents have been away for long enough, and are not given up before `until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentsSpared {
    /// Which.
    #[serde(rename = "a")]
    pub agents: Vec<AgentId>,
    /// When that is looked at again.
    #[serde(rename = "u")]
    pub until: Time,
    /// Why.
    #[serde(rename = "w")]
    pub why: Spared,
}

/// Why an agent is not given up yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spared {
    /// Too many have not come back since the leader changed (`--recovery-agent-removal-limit`).
    #[serde(rename = "r")]
    Recovery,
    /// As many as may be were given up not long ago (`--agent-removal-rate-limit`).
    #[serde(rename = "q")]
    Rate,
}

/// Deals with agents that have been away until their deadline, one by one: they are given up, or
/// spared, or are unreachable already and are forgotten.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// Whether too many have not come back since the leader changed; looked at once.
    too_many: Option<bool>,
    missing: Vec<AgentId>,
    waiting: Vec<AgentId>,
    has_lost: bool,
}

impl Expiry {
    /// The time of this agent has come.
    pub(crate) fn of(&mut self, draft: &mut Draft<'_>, id: AgentId) {
        let Some(agent) = draft.state().agents.get(&id) else { return };
        let (context, state) = (draft.context(), draft.state());
        if agent.unreachable_since.is_some() {
            forget(draft, id);
        } else if agent.is_missing()
            && *self.too_many.get_or_insert_with(|| are_too_many(state, &context.settings))
        {
            self.missing.push(id);
        } else if allowance(state, &context.settings, context.now) == 0 {
            self.waiting.push(id);
        } else {
            self.has_lost = true;
            lose(draft, id);
        }
    }

    /// All who are away too long have been looked at: says who is spared, and until when.
    pub(crate) fn finish(self, draft: &mut Draft<'_>) {
        let context = draft.context();
        if !self.missing.is_empty() {
            let pause_ms = context.settings.agent_reregister_timeout_ms.max(1);
            let until = context.now.after_ms(pause_ms);
            draft.record(AgentsSpared { agents: self.missing, until, why: Spared::Recovery });
        }
        let turn = next_allowance(draft.state(), &context.settings);
        if let (false, Some(until)) = (self.waiting.is_empty(), turn) {
            draft.record(AgentsSpared { agents: self.waiting, until, why: Spared::Rate });
        }
        if self.has_lost {
            trim_unreachable(draft);
        }
    }
}

/// Whether more agents have not come back since the leader changed than may be given up for that.
fn are_too_many(state: &State, settings: &Settings) -> bool {
    let limit = u64::from(settings.recovery_removal_permille);
    if limit >= 1000 {
        return false;
    }
    let known = state.agents.values().filter(|agent| agent.unreachable_since.is_none());
    let (all, missing) = known.fold((0_u64, 0_u64), |(all, missing), agent| {
        (all + 1, missing + u64::from(agent.is_missing()))
    });
    missing * 1000 > limit * all
}

/// How many more agents may be given up now.
fn allowance(state: &State, settings: &Settings, now: Time) -> usize {
    let Some(limit) = settings.removal_limit else { return usize::MAX };
    let count = limit.count as usize;
    let is_recent = |at: &&Time| now < at.after_ms(limit.per_ms);
    count.saturating_sub(state.cluster.removals.iter().rev().take(count).filter(is_recent).count())
}

/// When the next one may be given up, if there is a limit that has been reached.
fn next_allowance(state: &State, settings: &Settings) -> Option<Time> {
    let limit = settings.removal_limit?;
    let first = state.cluster.removals.len().checked_sub(limit.count as usize)?;
    state.cluster.removals.get(first).map(|at| at.after_ms(limit.per_ms))
}

impl super::Agent {
    /// Whether it has not come back since the leader changed.
    fn is_missing(&self) -> bool {
        matches!(self.connection, Connection::Awaited { .. })
            || self.spared == Some(Spared::Recovery)
    }
}

impl Fold for AgentsSpared {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        for id in &self.agents {
            let known = state.agents.get(id).map(|agent| agent.connection);
            if matches!(known, Some(Connection::Awaited { .. })) {
                state.agent_counts.scheduled += 1;
            }
            state.rescind_agent(*id, effects);
            state.connect_agent(*id, Connection::Disconnected { until: self.until });
            if let Some(agent) = state.agent_mut(*id) {
                agent.spared = Some(self.why);
            }
        }
    }
}

impl State {
    /// Remembers when an agent was given up, if so many of those times count.
    pub(crate) fn note_removal(&mut self, at: Time, counted: u32) {
        let removals = &mut self.cluster.removals;
        removals.push_back(at);
        while removals.len() > counted as usize {
            removals.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
