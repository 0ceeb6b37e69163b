//! What operators choose, as far as it bears on decisions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::Role;
use crate::quota::Amounts;
use crate::resources::{Name, Scalar};

/// The leader's flags that decisions depend on. What they lead to is written into events as facts
/// (a deadline is a time, not a flag), so masters may differ in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// An agent whose connection is gone is unreachable after this long (semantics 223).
    pub agent_reregister_timeout_ms: u64,
    /// After a change of leader, a framework that has not come back within this time loses its
    /// offers. Ours: Mesos drops all offers with the old leader.
    pub framework_reconnect_timeout_ms: u64,
    /// After a change of leader a framework is given at least this long to come back, whatever its
    /// failover timeout; Mesos never removes it (gaps 8).
    pub framework_failover_minimum_ms: u64,
    /// Offers are rescinded after this long; none keeps them for ever.
    pub offer_timeout_ms: Option<u64>,
    /// A filter lasts at least this long (semantics 106).
    pub allocation_interval_ms: u64,
    /// `user: root` is refused when false (semantics 64).
    pub root_submissions: bool,
    /// What an offer must have at least: any one of these; an empty list takes anything
    /// (semantics 178).
    pub offer_minimums: Vec<Amounts>,
    /// Whether agents with GPUs are kept for frameworks that take them (semantics 176).
    pub filter_gpu_resources: bool,
    /// Resources that count for nobody's share (semantics 174).
    pub unshared: Vec<Name>,
    /// Where the masters are; agents of other regions are for frameworks that know of regions
    /// (semantics 176).
    pub region: Option<Arc<str>>,
    /// Weights of roles in thousandths; they count when the cluster has none yet (semantics 189).
    pub weights: Vec<(Role, u64)>,
    /// How long an agent that is unreachable or gone is remembered (semantics 233).
    pub agent_memory_ms: u64,
    /// How many unreachable and how many gone agents are remembered at most (semantics 233).
    pub agents_remembered: u32,
    /// How many agents are given up in how much time at most; as many as there are without it.
    pub removal_limit: Option<RemovalLimit>,
    /// How many of a thousand agents may be given up because they have not come back to a new leader; of
    /// more none is (semantics 232).
    pub recovery_removal_permille: u32,
    /// How much history the state itself keeps.
    pub retention: Retention,
}

/// So many agents in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalLimit {
    /// How many, at least one.
    pub count: u32,
    /// In how much time.
    pub per_ms: u64,
}

/// How much of what is over stays in the state (the journal itself has everything). Recorded with
/// each change of leader, so that all replicas forget alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Ended frameworks kept, and refused when they come back (semantics 59).
    #[serde(rename = "f")]
    pub completed_frameworks: u32,
    /// Ended tasks kept of each framework.
    #[serde(rename = "t")]
    pub completed_tasks_per_framework: u32,
    /// How long an ended task is kept at most; for ever if it is not said.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub completed_task_age_ms: Option<u64>,
    /// How long an ended framework is kept at most; for ever if it is not said.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub completed_framework_age_ms: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            completed_frameworks: 50,
            completed_tasks_per_framework: 1000,
            completed_task_age_ms: None,
            completed_framework_age_ms: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            agent_reregister_timeout_ms: 600_000,
            framework_reconnect_timeout_ms: 30_000,
            framework_failover_minimum_ms: 600_000,
            offer_timeout_ms: None,
            allocation_interval_ms: 1000,
            root_submissions: true,
            offer_minimums: vec![
                [(Name::Cpus, Scalar(10))].into(),
                [(Name::Mem, Scalar(32_000))].into(),
            ],
            filter_gpu_resources: true,
            unshared: Vec::new(),
            region: None,
            weights: Vec::new(),
            agent_memory_ms: 14 * 24 * 3_600_000,
            agents_remembered: 102_400,
            removal_limit: None,
            recovery_removal_permille: 1000,
            retention: Retention::default(),
        }
    }
}
