//! A framework refuses offers.

use serde::{Deserialize, Serialize};

use super::filter::refuse;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, OfferId};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// DECLINE. Ids that name no offer of the framework mean nothing (semantics 103).
#[derive(Clone, Debug, PartialEq)]
pub struct Decline {
    /// Who.
    pub framework: FrameworkId,
    /// Which.
    pub offers: Vec<OfferId>,
    /// For how long; none if the call has no filters.
    pub refuse_seconds: Option<f64>,
}

/// A framework gave offers back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffersDeclined {
    /// Which.
    #[serde(rename = "o")]
    pub offers: Vec<OfferId>,
}

impl Decide for Decline {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        if !state.frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let mut declined: Vec<_> = self
            .offers
            .iter()
            .filter_map(|offer| state.offers.get(offer))
            .filter(|offer| offer.framework == self.framework)
            .cloned()
            .collect();
        declined.sort_by_key(|offer| offer.id);
        declined.dedup_by_key(|offer| offer.id);
        if declined.is_empty() {
            return Ok(Reply::Done);
        }
        draft.record(OffersDeclined { offers: declined.iter().map(|offer| offer.id).collect() });
        for offer in declined {
            let place = (offer.role.clone(), offer.agent);
            refuse(draft, self.framework, place, offer.resources.clone(), self.refuse_seconds);
        }
        Ok(Reply::Done)
    }
}

impl Fold for OffersDeclined {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        for offer in &self.offers {
            if let Some(offer) = state.lift(*offer) {
                state.count_of(offer.framework, |counts| counts.offers_declined += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    /// semantics 103
    #[test]
    fn ids_that_name_no_offer_of_the_framework_mean_nothing() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.allocate();
        let offer = world.offers(framework)[0];
        let stranger = world.framework(&["*"]);
        let before = world.state.clone();
        let decline = |framework, offers| Decline { framework, offers, refuse_seconds: None };
        world.must(decline(framework, vec![OfferId(99)]));
        world.must(decline(stranger, vec![offer]));
        assert_eq!(world.state, before);
        world.must(decline(framework, vec![OfferId(99), offer, offer]));
        assert!(world.offers(framework).is_empty(), "those that are known are declined");
        assert_eq!(world.state.book.filters.len(), 1);
    }
}
