//! A framework answers inverse offers.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, OfferId};
use crate::offer::refusal_ms;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// `ACCEPT_INVERSE_OFFERS` or `DECLINE_INVERSE_OFFERS`. Ids that name no inverse offer of the framework mean
/// nothing (semantics 114).
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerInverseOffers {
    /// Who.
    pub framework: FrameworkId,
    /// Which.
    pub offers: Vec<OfferId>,
    /// Whether it will give the resources back in time.
    pub accepts: bool,
    /// How long it is not to be asked again; none if the call has no filters.
    pub refuse_seconds: Option<f64>,
}

/// A framework said whether it will give resources back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InverseOffersAnswered {
    /// Which were answered.
    #[serde(rename = "o")]
    pub offers: Vec<OfferId>,
    /// What.
    #[serde(rename = "a")]
    pub accepts: bool,
    /// When it may be asked again; at once if it is not said.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl Decide for AnswerInverseOffers {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        if !state.frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let asked = &state.maintenance.offers;
        let is_its = |id: &&OfferId| asked.get(*id).is_some_and(|key| key.1 == self.framework);
        let mut offers: Vec<_> = self.offers.iter().filter(is_its).copied().collect();
        offers.sort_unstable();
        offers.dedup();
        if !offers.is_empty() {
            let context = draft.context();
            let after = refusal_ms(self.refuse_seconds, context);
            let until = after.map(|after| context.now.after_ms(after));
            draft.record(InverseOffersAnswered { offers, accepts: self.accepts, until });
        }
        Ok(Reply::Done)
    }
}

impl Fold for InverseOffersAnswered {
    fn fold(&self, state: &mut State, at: Time, _effects: &mut Vec<Effect>) {
        for offer in &self.offers {
            let Some(key) = state.maintenance.offers.remove(offer) else { continue };
            if let Some(inverse) = state.maintenance.inverse.get_mut(&key) {
                inverse.offer = None;
                inverse.answer = Some((self.accepts, at));
                inverse.until = self.until;
            }
        }
    }
}
