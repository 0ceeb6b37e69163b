//! The whole state of a cluster: fields only. Only folds change it.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, AgentCounts, GoneAgent};
use crate::allocator::Book;
use crate::cluster::Cluster;
use crate::deadline::Deadline;
use crate::framework::{CompletedFramework, Framework};
use crate::id::{
    AgentId, ExecutorKey, FrameworkId, NamedAgent, OfferId, OperationKey, Role, TaskKey,
};
use crate::maintenance::Maintenance;
use crate::offer::Offer;
use crate::operation::Followed;
use crate::quota::Quota;
use crate::status::{Reason, Source, TaskState};
use crate::task::{Executor, Task};
use crate::time::Time;

/// Everything that is decided. Cheap to clone: clones share all they have in common, so a view, a
/// snapshot or a working copy costs a few reference counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The cluster itself: identity, leader, counters of ids.
    #[serde(rename = "c")]
    pub cluster: Cluster,
    /// Registered agents, unreachable ones included.
    #[serde(rename = "a")]
    pub agents: OrdMap<AgentId, Arc<Agent>>,
    /// Agents that were marked gone, as long as the operator wants them remembered.
    #[serde(rename = "ag", default, skip_serializing_if = "OrdMap::is_empty")]
    pub gone_agents: OrdMap<AgentId, GoneAgent>,
    /// Draining agents on which nothing is left. Never more than in the middle of a decision, which goes
    /// on to call them drained.
    #[serde(rename = "ae", default, skip_serializing_if = "OrdSet::is_empty")]
    pub emptied: OrdSet<AgentId>,
    /// Machines that will be, or are, out of service.
    #[serde(rename = "ma", default, skip_serializing_if = "Maintenance::is_empty")]
    pub maintenance: Maintenance,
    /// Frameworks that are not over.
    #[serde(rename = "f")]
    pub frameworks: OrdMap<FrameworkId, Arc<Framework>>,
    /// Every framework known by its wire id, completed ones included.
    #[serde(rename = "w")]
    pub framework_ids: OrdMap<Arc<str>, FrameworkId>,
    /// Frameworks that are over, in order of their end, as many as the retention allows.
    #[serde(rename = "z")]
    pub completed_frameworks: Vector<Arc<CompletedFramework>>,
    /// Tasks that are not over, or whose end is not acknowledged.
    #[serde(rename = "t")]
    pub tasks: OrdMap<TaskKey, Arc<Task>>,
    /// Custom executors.
    #[serde(rename = "e")]
    pub executors: OrdMap<ExecutorKey, Arc<Executor>>,
    /// Operations that have an id, until their frameworks have acknowledged their end.
    #[serde(rename = "p", default)]
    pub operations: OrdMap<OperationKey, Arc<Followed>>,
    /// Offers on the table.
    #[serde(rename = "o")]
    pub offers: OrdMap<OfferId, Arc<Offer>>,
    /// Roles' weights in thousandths, where they were set.
    #[serde(rename = "g")]
    pub weights: OrdMap<Role, u64>,
    /// What roles are guaranteed and limited to, where that was set.
    #[serde(rename = "q", default, skip_serializing_if = "OrdMap::is_empty")]
    pub quotas: OrdMap<Role, Quota>,
    /// What the allocator remembers: filters, and how much each framework holds in each role.
    #[serde(rename = "l")]
    pub book: Book,
    /// What will happen by itself, and when. Derived from the deadlines that agents, frameworks and
    /// offers carry.
    #[serde(rename = "d")]
    pub deadlines: OrdSet<(Time, Deadline)>,
    /// How many tasks ended in which way, for ever.
    #[serde(rename = "n")]
    pub ended: OrdMap<(TaskState, Source, Option<Reason>), u64>,
    /// What has happened to agents how often, for ever.
    #[serde(rename = "ac", default, skip_serializing_if = "AgentCounts::is_empty")]
    pub agent_counts: AgentCounts,
}

impl State {
    /// An agent's id on the wire (semantics 57).
    pub fn agent_text(&self, agent: AgentId) -> String {
        format!("{}-S{}", self.cluster.id, agent.0)
    }

    /// The agent that this wire id names, whether or not it is known; none if the id is not of this
    /// cluster's making.
    pub fn parse_agent(&self, text: &str) -> Option<AgentId> {
        self.number(text, "-S")?.parse().ok().map(AgentId)
    }

    /// The agent that a framework names.
    pub fn named_agent(&self, text: &str) -> NamedAgent {
        match self.parse_agent(text) {
            Some(agent) => NamedAgent::Ours(agent),
            None => NamedAgent::Stranger(text.into()),
        }
    }

    /// An offer's id on the wire (semantics 57).
    pub fn offer_text(&self, offer: OfferId) -> String {
        format!("{}-O{}", self.cluster.id, offer.0)
    }

    /// The offer that this wire id names, whether or not it stands.
    pub fn parse_offer(&self, text: &str) -> Option<OfferId> {
        self.number(text, "-O")?.parse().ok().map(OfferId)
    }

    fn number<'a>(&self, text: &'a str, separator: &str) -> Option<&'a str> {
        let number = text.strip_prefix(&*self.cluster.id)?.strip_prefix(separator)?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(number)
    }
}
