//! Offers are withdrawn by the master.

use serde::{Deserialize, Serialize};

use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::{AgentId, OfferId};
use crate::state::State;
use crate::time::Time;

/// These offers are over; their frameworks are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffersRescinded {
    /// Which.
    #[serde(rename = "o")]
    pub offers: Vec<OfferId>,
}

impl Fold for OffersRescinded {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        for offer in &self.offers {
            state.rescind(*offer, effects);
        }
    }
}

impl State {
    /// Takes an offer off the table and tells its framework.
    pub(crate) fn rescind(&mut self, offer: OfferId, effects: &mut Vec<Effect>) {
        if let Some(offer) = self.lift(offer) {
            self.count_of(offer.framework, |counts| counts.offers_rescinded += 1);
            self.tell(offer.framework, FrameworkMessage::Rescinded(offer.id), effects);
        }
    }

    /// Takes all offers of an agent off the table.
    pub(crate) fn rescind_agent(&mut self, agent: AgentId, effects: &mut Vec<Effect>) {
        let offers = self.agents.get(&agent).map(|agent| agent.offers.clone());
        for offer in offers.into_iter().flatten() {
            self.rescind(offer, effects);
        }
    }

    /// Sends `message` to every connected framework.
    pub(crate) fn tell_all(&self, message: &FrameworkMessage, effects: &mut Vec<Effect>) {
        for framework in self.frameworks.keys() {
            self.tell(*framework, message.clone(), effects);
        }
    }
}
