//! Agents that a limit on giving up holds back, as the master tells operators and the command line reads.

use serde::{Deserialize, Serialize};

/// Where they are listed (GET), and given up (POST).
pub const HELD_PATH: &str = "/held-agents";

/// Those that are held back, or were until they were given up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldAgents {
    /// By their ids.
    pub agents: Vec<HeldAgent>,
}

/// An agent that is away for too long, and that a limit keeps from being called unreachable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldAgent {
    /// Its id.
    pub agent_id: String,
    /// Its name.
    pub hostname: String,
    /// The master's flag that holds it back.
    pub limit: String,
    /// When that is looked at again, in seconds since 1970.
    pub until: f64,
    /// How many tasks run there, as far as is known.
    pub tasks: usize,
}
