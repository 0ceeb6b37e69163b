//! One kind of resource becomes another: in the hand of who asked, and in the total of the agent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ConversionError, Followed, Plan, Stock, destroy};
use crate::draft::Draft;
use crate::effect::{Directive, Effect};
use crate::event::Fold;
use crate::id::{AgentId, OperationKey};
use crate::resources::Resources;
use crate::state::State;
use crate::status::UpdateId;
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
    /// Set when a framework wants to hear that the agent knows.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// By which name an operation is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The operation.
    #[serde(rename = "k")]
    pub key: OperationKey,
    /// Names the status that says that it is finished.
    #[serde(rename = "u")]
    pub update: UpdateId,
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
    /// `GROW_VOLUME`.
    #[serde(rename = "g")]
    Grow,
    /// `SHRINK_VOLUME`.
    #[serde(rename = "s")]
    Shrink,
}

impl Conversion {
    /// Whether later operations of the same call may use what it makes (semantics 98).
    pub(super) fn is_speculative(self) -> bool {
        !matches!(self, Self::Grow | Self::Shrink)
    }
}

/// Carries a plan out on what is at hand, if it is.
pub(crate) fn convert(
    draft: &mut Draft<'_>,
    stock: &mut Stock,
    plan: Plan,
    label: Option<Label>,
) -> Result<(), ConversionError> {
    if !stock.rest.contains(&plan.consumed) {
        return Err(ConversionError::NotOffered(plan.consumed));
    }
    if plan.kind == Conversion::Destroy {
        destroy::withdraw(draft, stock, &plan.consumed);
    }
    stock.rest.remove_all(&plan.consumed);
    stock.converted.remove_all(&plan.consumed);
    if plan.kind.is_speculative() {
        stock.rest.add_all(&plan.converted);
        stock.converted.add_all(&plan.converted);
    }
    draft.record(ResourcesConverted {
        agent: stock.agent,
        kind: plan.kind,
        consumed: plan.consumed,
        converted: plan.converted,
        label,
    });
    Ok(())
}

impl Fold for ResourcesConverted {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let number = state.cluster.events;
        state.alter_agent(self.agent, |agent| {
            agent.total.remove_all(&self.consumed);
            agent.total.add_all(&self.converted);
        });
        if let Some(label) = &self.label {
            state.follow(Arc::new(Followed {
                key: label.key.clone(),
                agent: self.agent,
                kind: self.kind,
                consumed: self.consumed.clone(),
                converted: self.converted.clone(),
                directive: number,
                update: label.update,
                asked_at: at,
                finished_at: None,
            }));
        }
        if let Some(agent) = state.agents.get(&self.agent) {
            let total = agent.firm();
            state.direct(self.agent, Directive::Resources { total, number }, effects);
        }
    }
}
