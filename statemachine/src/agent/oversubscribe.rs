//! An agent lends out, revocably, what its tasks hold and do not use (semantics 176, gaps 62).
//!
//! How much that may be, all in all, is the agent's word: its estimate, which it gives with every
//! Hello and whenever it changes. What is revocable of its total follows from that here: the
//! estimate, and beyond it what is in use or offered, until that is given back ([`crate::State`]'s
//! ledger sees to it).

use serde::{Deserialize, Serialize};

use super::Agent;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{AgentId, Session};
use crate::rejection::Rejection;
use crate::resources::{Resource, Resources};
use crate::state::State;
use crate::time::Time;

/// An agent has another estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct Oversubscribe {
    /// Who.
    pub agent: AgentId,
    /// The stream it said so on.
    pub session: Session,
    /// All that may be given out revocably, what is given out already included.
    pub estimate: Resources,
}

/// An agent's estimate is now this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentOversubscribed {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// All that may be given out revocably.
    #[serde(rename = "r")]
    pub estimate: Resources,
}

impl Decide for Oversubscribe {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let known = state.agents.get(&self.agent);
        if known.is_none_or(|agent| agent.session() != Some(self.session)) {
            return Err(Rejection::AgentNotConnected(state.agent_text(self.agent).into()));
        }
        check_estimate(&self.estimate)?;
        note_estimate(draft, self.agent, &self.estimate);
        Ok(Reply::Done)
    }
}

/// Refuses an estimate that is more than plain amounts: nothing revocable is reserved, a volume or
/// shared (semantics 126, 127).
pub(super) fn check_estimate(estimate: &Resources) -> Result<(), Rejection> {
    let is_plain = |it: &&Resource| {
        it.revocable && it.reservations.is_empty() && it.disk.is_none() && !it.shared
    };
    match estimate.iter().find(|resource| !is_plain(resource)) {
        None => Ok(()),
        Some(wrong) => Err(Rejection::Invalid(
            format!("an agent lends out plain revocable resources only, not {wrong}").into(),
        )),
    }
}

/// Records an agent's estimate, if it is news.
pub(super) fn note_estimate(draft: &mut Draft<'_>, id: AgentId, estimate: &Resources) {
    if draft.state().agents.get(&id).is_some_and(|agent| agent.estimate != *estimate) {
        draft.record(AgentOversubscribed { id, estimate: estimate.clone() });
    }
}

impl Agent {
    /// What it has for good: its total without what is revocable.
    pub fn firm(&self) -> Resources {
        self.total.filtered(|resource| !resource.revocable)
    }

    /// Makes its total, as far as that is revocable, what the estimate and the books say.
    pub(crate) fn fit_revocable(&mut self) {
        let revocable = self.revocable();
        let mut total = self.firm();
        total.add_all(&revocable);
        self.total = total;
    }

    /// What is revocable of its total: the estimate, and what is in use or offered beyond that.
    pub(crate) fn revocable(&self) -> Resources {
        let mut out = self.used.filtered(|resource| resource.revocable);
        out.add_all(&self.offered.filtered(|resource| resource.revocable));
        self.estimate.united(&out)
    }
}

impl Fold for AgentOversubscribed {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let known = state.agents.get(&self.id);
        if known.is_some_and(|agent| !self.estimate.contains(&agent.estimate)) {
            state.rescind_revocable(self.id, effects);
        }
        state.recount(self.id, |agent| {
            agent.estimate = self.estimate.clone();
            agent.fit_revocable();
        });
    }
}

impl State {
    /// Takes the offers of what is revocable on an agent off the table.
    fn rescind_revocable(&mut self, agent: AgentId, effects: &mut Vec<Effect>) {
        let Some(agent) = self.agents.get(&agent) else { return };
        let is_revocable = |offer: &&_| {
            let offer = self.offers.get(*offer);
            offer.is_some_and(|offer| offer.resources.iter().any(|resource| resource.revocable))
        };
        let offers: Vec<_> = agent.offers.iter().filter(is_revocable).copied().collect();
        for offer in offers {
            self.rescind(offer, effects);
        }
    }
}

#[cfg(test)]
mod tests;
