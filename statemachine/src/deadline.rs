//! What happens by itself when its time comes.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, FrameworkId, OfferId};

/// Something that a tick does once its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Deadline {
    /// A framework that was awaited after a change of leader counts as disconnected.
    #[serde(rename = "a")]
    FrameworkAbsent(FrameworkId),
    /// A disconnected framework is removed.
    #[serde(rename = "f")]
    FrameworkFailover(FrameworkId),
    /// A disconnected or awaited agent is unreachable; one that is so already is forgotten.
    #[serde(rename = "r")]
    AgentReregister(AgentId),
    /// An agent that was marked gone is forgotten.
    #[serde(rename = "g")]
    AgentForgotten(AgentId),
    /// An offer is rescinded.
    #[serde(rename = "o")]
    OfferExpiry(OfferId),
    /// What has been over for long is forgotten.
    #[serde(rename = "h")]
    HistoryForgotten,
}
