//! Offers are made: one event for each allocation cycle.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Offer;
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, OfferId, Role};
use crate::resources::Resources;
use crate::state::State;
use crate::time::Time;

/// Offers made together. Their ids are the next ones, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffersMade {
    /// The offers.
    #[serde(rename = "o")]
    pub offers: Vec<OfferSpec>,
    /// When they are rescinded by themselves.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// One offer to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferSpec {
    /// To whom.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// For which of its roles.
    #[serde(rename = "l")]
    pub role: Role,
    /// Of which agent.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// What.
    #[serde(rename = "r")]
    pub resources: Resources,
}

impl Fold for OffersMade {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        state.book.filters.expire(at);
        let mut by_framework: BTreeMap<FrameworkId, Vec<Arc<Offer>>> = BTreeMap::new();
        for spec in &self.offers {
            let offer = Arc::new(Offer {
                id: OfferId(state.cluster.offers),
                framework: spec.framework,
                role: spec.role.clone(),
                agent: spec.agent,
                resources: spec.resources.clone(),
                until: self.until,
            });
            state.cluster.offers += 1;
            state.lay(offer.clone());
            by_framework.entry(spec.framework).or_default().push(offer);
        }
        for (framework, offers) in by_framework {
            state.tell(framework, FrameworkMessage::Offers(offers), effects);
        }
    }
}
