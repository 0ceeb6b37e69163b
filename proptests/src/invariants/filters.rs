//! What a framework has refused it is not offered again before its time (semantics 104 to 107).
//! Counted from what schedulers said and heard, not from the filters that the journal holds.

use std::collections::{BTreeMap, BTreeSet};

use statemachine::offer::Offer;
use statemachine::resources::Resources;
use statemachine::{AgentId, Event, FrameworkId, OfferId, Role, Time};

use super::{Fact, Violation, demand};

/// Who refused, for which role, of which agent.
type Place = (FrameworkId, Role, AgentId);

/// Refusals that count.
#[derive(Debug, Default)]
pub struct Filters {
    declined: BTreeSet<OfferId>,
    refused: BTreeMap<Place, (Resources, Time)>,
}

impl Filters {
    /// A scheduler hears 202 for a DECLINE that it sent `until` less its filter ago. If the offer was
    /// over by then, nothing was refused (semantics 103).
    pub fn refused(&mut self, offer: &Offer, until: Time) {
        if !self.declined.contains(&offer.id) {
            return;
        }
        let place = (offer.framework, offer.role.clone(), offer.agent);
        self.refused.insert(place, (offer.resources.clone(), until));
    }

    pub(super) fn event(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        match fact.event {
            Event::RolesRevived(revived) => self.forget(|place| place.0 == revived.framework),
            Event::FrameworkDisconnected(gone) => self.forget(|place| place.0 == gone.id),
            Event::FrameworkRemoved(gone) => self.forget(|place| place.0 == gone.id),
            Event::AgentUnreachable(lost) => self.forget(|place| place.2 == lost.id),
            Event::AgentUnregistered(gone) => self.forget(|place| place.2 == gone.id),
            Event::AgentGone(gone) => self.forget(|place| place.2 == gone.id),
            Event::OffersDeclined(declined) => self.declined.extend(&declined.offers),
            Event::OffersMade(made) => {
                for offer in &made.offers {
                    let place = (offer.framework, offer.role.clone(), offer.agent);
                    self.offered(&place, &offer.resources, fact.at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn forget(&mut self, which: impl Fn(&Place) -> bool) {
        self.refused.retain(|place, _| !which(place));
    }

    fn offered(&self, place: &Place, resources: &Resources, at: Time) -> Result<(), Violation> {
        let Some((refused, until)) = self.refused.get(place) else { return Ok(()) };
        let filtered = at < *until && refused.contains(resources);
        demand(!filtered, "what was refused is not offered again too soon", || {
            format!("{resources} of agent {} to framework {} at {at}", place.2, place.0)
        })
    }
}
