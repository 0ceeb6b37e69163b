//! RESERVE, UNRESERVE, CREATE and DESTROY: one kind of resource becomes another, in the hand of the
//! framework that asked and in the total of the agent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

type Given = Result<Resources, Arc<str>>;

/// RESERVE.
pub(crate) fn reserve(_draft: &mut Draft<'_>, _hand: &mut Hand, _resources: &Given) {}
/// UNRESERVE.
pub(crate) fn unreserve(_draft: &mut Draft<'_>, _hand: &mut Hand, _resources: &Given) {}
/// CREATE.
pub(crate) fn create(_draft: &mut Draft<'_>, _hand: &mut Hand, _volumes: &Given) {}
/// DESTROY.
pub(crate) fn destroy(_draft: &mut Draft<'_>, _hand: &mut Hand, _volumes: &Given) {}

impl Fold for ResourcesConverted {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let number = state.cluster.events;
        let Some(agent) = state.agent_mut(self.agent) else {
            return;
        };
        agent.total = agent.total.without(&self.consumed);
        agent.total.add_all(&self.converted);
        let total = agent.total.clone();
        state.direct(self.agent, Directive::Resources { total, number }, effects);
    }
}
