//! Frameworks are asked to give back what they have on machines that will be out of service.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Inverse, InverseOffer};
use crate::allocator::OFFERS_PER_CYCLE_MAX;
use crate::draft::Draft;
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, OfferId};
use crate::state::State;
use crate::time::Time;

/// Inverse offers made together. Their ids are the next ones, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InverseOffersMade {
    /// Whom, and about what.
    #[serde(rename = "o")]
    pub offers: Vec<(FrameworkId, AgentId)>,
}

/// Asks everybody who is to be asked now: active frameworks that have something on an agent that will be
/// out of service, and neither have an inverse offer for it nor answered one lately (semantics 115).
pub(crate) fn ask_back(draft: &mut Draft<'_>, agents: Option<&[AgentId]>) {
    let state = draft.state();
    if state.maintenance.agents.is_empty() {
        return;
    }
    let now = draft.context().now;
    let looked_at = |agent: &&AgentId| agents.is_none_or(|agents| agents.contains(agent));
    let mut offers = Vec::new();
    for agent in state.maintenance.agents.iter().filter(looked_at) {
        let is_there = state.agents.get(agent).is_some_and(|it| it.is_reachable());
        let holders = if is_there { holders(state, *agent) } else { BTreeSet::new() };
        let due = holders.into_iter().filter(|framework| is_due(state, *agent, *framework, now));
        offers.extend(due.map(|framework| (framework, *agent)));
    }
    offers.truncate(OFFERS_PER_CYCLE_MAX);
    if !offers.is_empty() {
        draft.record(InverseOffersMade { offers });
    }
}

/// Who uses or is offered something on an agent.
fn holders(state: &State, agent: AgentId) -> BTreeSet<FrameworkId> {
    let Some(known) = state.agents.get(&agent) else {
        return BTreeSet::new();
    };
    let tasks = known.tasks.iter().filter_map(|key| state.tasks.get(key));
    let tasks = tasks.filter(|task| task.holds()).map(|task| task.key.framework);
    let executors = state.executors_on(agent).map(|executor| executor.key.framework);
    let offers = known.offers.iter().filter_map(|offer| state.offers.get(offer));
    tasks.chain(executors).chain(offers.map(|offer| offer.framework)).collect()
}

fn is_due(state: &State, agent: AgentId, framework: FrameworkId, now: Time) -> bool {
    let is_active =
        state.frameworks.get(&framework).is_some_and(|framework| framework.connection.is_active());
    let inverse = state.maintenance.inverse.get(&(agent, framework)).copied().unwrap_or_default();
    is_active && inverse.offer.is_none() && inverse.until.is_none_or(|until| until <= now)
}

impl Fold for InverseOffersMade {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let mut by_framework: BTreeMap<FrameworkId, Vec<InverseOffer>> = BTreeMap::new();
        for (framework, agent) in &self.offers {
            let id = OfferId(state.cluster.offers);
            state.cluster.offers += 1;
            let key = (*agent, *framework);
            let before = state.maintenance.inverse.get(&key).copied().unwrap_or_default();
            let inverse = Inverse { offer: Some(id), until: None, ..before };
            state.maintenance.inverse.insert(key, inverse);
            state.maintenance.offers.insert(id, key);
            let Some(unavailability) = state.unavailability(*agent) else { continue };
            let offer = InverseOffer { id, framework: *framework, agent: *agent, unavailability };
            by_framework.entry(*framework).or_default().push(offer);
        }
        for (framework, offers) in by_framework {
            state.tell(framework, FrameworkMessage::InverseOffers(offers), effects);
        }
    }
}
