//! Offers: resources of one agent shown to one framework for one role.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, FrameworkId, OfferId, Role};
use crate::resources::Resources;
use crate::time::Time;

mod accept;
mod constraints;
mod decline;
mod filter;
mod launch;
mod launch_group;
mod make;
mod rescind;

pub use accept::{Accept, OfferReference, OffersAccepted, Operation};
pub use constraints::{
    Constraint, Group, OfferConstraints, PATTERN_BYTES_MAX, Pattern, PatternError, Predicate,
    Selector,
};
pub use decline::{Decline, OffersDeclined};
pub(crate) use filter::refuse;
pub use filter::{OffersFiltered, REFUSE_DEFAULT_MS, REFUSE_MAX_MS, refusal_ms};
pub use make::{OfferSpec, OffersMade};
pub use rescind::OffersRescinded;

/// An offer on the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its number.
    #[serde(rename = "i")]
    pub id: OfferId,
    /// Framework that may take it.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// Role it is made for.
    #[serde(rename = "l")]
    pub role: Role,
    /// Agent whose resources these are.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// What is offered.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// When it is rescinded by itself.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}
