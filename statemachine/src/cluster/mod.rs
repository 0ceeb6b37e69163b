//! The cluster itself: its identity, its leader, and the counters from which ids are made.

mod history;
mod lead;
#[cfg(test)]
mod tests;
mod tick;
mod weigh;

use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use crate::id::EventNumber;
use crate::settings::Retention;
use crate::time::Time;

pub use history::HistoryForgotten;
pub use lead::{Lead, LeaderElected};
pub use tick::{DEADLINES_PER_TICK_MAX, Tick};
pub use weigh::{Weigh, WeightsUpdated};

/// The cluster's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Made when the quorum was formed; the prefix of all wire ids.
    #[serde(rename = "i")]
    pub id: Arc<str>,
    /// Raft term of the leader that decides.
    #[serde(rename = "t")]
    pub term: u64,
    /// Raft node that leads.
    #[serde(rename = "l")]
    pub leader: u64,
    /// When it was elected.
    #[serde(rename = "e")]
    pub elected_at: Time,
    /// When the last event was decided.
    #[serde(rename = "n")]
    pub now: Time,
    /// How many events have been folded.
    #[serde(rename = "v")]
    pub events: EventNumber,
    /// Numbers given out so far.
    #[serde(rename = "f")]
    pub frameworks: u32,
    /// Numbers given out so far.
    #[serde(rename = "a")]
    pub agents: u32,
    /// Numbers given out so far.
    #[serde(rename = "o")]
    pub offers: u64,
    /// When agents were last given up, oldest first: as many as a limit on that has to know.
    #[serde(rename = "g", default, skip_serializing_if = "Vector::is_empty")]
    pub removals: Vector<Time>,
    /// What is kept of what is over.
    #[serde(rename = "r")]
    pub retention: Retention,
    /// When it is looked for what is too old, if anything will be.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub forgets_at: Option<Time>,
}
