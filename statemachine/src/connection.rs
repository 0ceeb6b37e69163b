//! How a framework or an agent is connected.

use serde::{Deserialize, Serialize};

use crate::id::Session;
use crate::time::Time;

/// The connection of a framework or agent to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connection {
    /// There is one, of this name.
    #[serde(rename = "c")]
    Connected(Session),
    /// The leader has changed and the peer has not come back yet. Nothing is taken from it until
    /// `until`: its offers stand, launches for it are accepted and delivered when it is back.
    #[serde(rename = "w")]
    Awaited {
        /// When waiting ends.
        #[serde(rename = "u")]
        until: Time,
    },
    /// It hung up, or did not come back.
    #[serde(rename = "d")]
    Disconnected {
        /// When the next thing happens to it: removal of a framework, unreachability of an agent.
        #[serde(rename = "u")]
        until: Time,
    },
}

impl Connection {
    /// Whether a stream to the leader is open.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected(_))
    }

    /// Whether it may hold and be given offers.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Disconnected { .. })
    }

    /// The deadline that runs, if one does.
    pub fn deadline(self) -> Option<Time> {
        match self {
            Self::Connected(_) => None,
            Self::Awaited { until } | Self::Disconnected { until } => Some(until),
        }
    }
}
