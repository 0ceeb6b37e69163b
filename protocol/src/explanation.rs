//! What a master answers to the question why a framework is offered what it is: ours, as Mesos has
//! nothing like it (gaps 31).

use serde::{Deserialize, Serialize};

/// Where the question is asked, of the leading master.
pub const EXPLAIN_PATH: &str = "/explain";

/// The answer to `GET /explain?framework_id=…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whom it is about.
    pub framework_id: String,
    /// Each of its roles that was asked for.
    pub roles: Vec<RoleExplanation>,
}

/// How a framework stands in one of its roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleExplanation {
    /// The role.
    pub role: String,
    /// Why no offers are made for it at all, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// The role's dominant share, from 0 to 1, before its weight; none while nobody takes offers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What the role weighs.
    pub weight: f64,
    /// What stands between the framework and each agent.
    pub agents: Vec<AgentExplanation>,
}

/// What stands between a framework and one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentExplanation {
    /// The agent.
    pub agent_id: String,
    /// Its name.
    pub hostname: String,
    /// One word for programs: `OFFERED`, `NEXT`, `OTHERS_FIRST`, `UNREACHABLE`, `DISCONNECTED`,
    /// `DRAINING`, `DRAINED`, `DEACTIVATED`, `GPUS`, `REGION`, `CONSTRAINTS`, `TOO_SMALL`, `TAKEN`,
    /// `REFUSED`, `LIMIT` or `GUARANTEES`.
    pub verdict: String,
    /// The same for people.
    pub message: String,
}
