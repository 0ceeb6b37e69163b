//! One kind of resource becomes another: in the hand of the framework that asked, and in the total
//! of the agent.

use serde::{Deserialize, Serialize};

use super::ConversionError;
use crate::draft::Draft;
use crate::effect::{Directive, Effect};
use crate::event::Fold;
use crate::id::AgentId;
use crate::offer::Hand;
use crate::resources::Resources;
use crate::state::State;
use crate::time::Time;

/// Some of an agent's resources became others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcesConverted {
    /// Which agent's.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// Why.
    #[serde(rename = "k")]
    pub kind: Conversion,
    /// What was.
    #[serde(rename = "c")]
    pub consumed: Resources,
    /// What is.
    #[serde(rename = "n")]
    pub converted: Resources,
}

/// Which operation converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conversion {
    /// RESERVE.
    #[serde(rename = "r")]
    Reserve,
    /// UNRESERVE.
    #[serde(rename = "u")]
    Unreserve,
    /// CREATE.
    #[serde(rename = "c")]
    Create,
    /// DESTROY.
    #[serde(rename = "d")]
    Destroy,
}

/// Converts what is in hand, if it is.
pub(super) fn convert(
    draft: &mut Draft<'_>,
    hand: &mut Hand,
    kind: Conversion,
    (consumed, converted): (Resources, Resources),
) -> Result<(), ConversionError> {
    if !hand.rest.take_all(&consumed) {
        return Err(ConversionError::NotOffered(consumed));
    }
    hand.rest.add_all(&converted);
    hand.converted.remove_all(&consumed);
    hand.converted.add_all(&converted);
    draft.record(ResourcesConverted { agent: hand.agent, kind, consumed, converted });
    Ok(())
}

impl Fold for ResourcesConverted {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let number = state.cluster.events;
        state.alter_agent(self.agent, |agent| {
            agent.total.remove_all(&self.consumed);
            agent.total.add_all(&self.converted);
        });
        if let Some(agent) = state.agents.get(&self.agent) {
            let total = agent.total.clone();
            state.direct(self.agent, Directive::Resources { total, number }, effects);
        }
    }
}
