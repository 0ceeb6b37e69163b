//! Who is offered what: hierarchical DRF over what is free (semantics J).

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::id::{AgentId, FrameworkId, Role};
use crate::offer::{OfferSpec, OffersMade};
use crate::rejection::Rejection;
use crate::resources::Resources;
use crate::time::Time;

/// What the allocator remembers between cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// What each framework holds in each role, offers included.
    #[serde(rename = "h")]
    pub held: OrdMap<(Role, FrameworkId), Resources>,
    /// What frameworks do not want to see again for a while.
    #[serde(rename = "f")]
    pub filters: OrdMap<(FrameworkId, Role, AgentId), Vec<OfferFilter>>,
}

/// A framework does not want these resources of an agent, nor fewer (semantics 107).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferFilter {
    /// What was refused.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// How long it counts.
    #[serde(rename = "u")]
    pub until: Time,
}

impl Book {
    /// A framework holds more in a role.
    pub(crate) fn charge(&mut self, role: &Role, framework: FrameworkId, resources: &Resources) {
        self.held.entry((role.clone(), framework)).or_default().add_all(resources);
    }

    /// A framework holds less in a role.
    pub(crate) fn refund(&mut self, role: &Role, framework: FrameworkId, resources: &Resources) {
        let key = (role.clone(), framework);
        if let Some(held) = self.held.get_mut(&key) {
            *held = held.without(resources);
            if held.is_empty() {
                self.held.remove(&key);
            }
        }
    }

    /// Remembers a refusal.
    pub(crate) fn filter(
        &mut self,
        framework: FrameworkId,
        role: &Role,
        agent: AgentId,
        filter: OfferFilter,
    ) {
        self.filters.entry((framework, role.clone(), agent)).or_default().push(filter);
    }

    /// Forgets the refusals of a framework, for one role or for all.
    pub(crate) fn unfilter(&mut self, framework: FrameworkId, role: Option<&Role>) {
        let keys: Vec<_> = self
            .filters
            .keys()
            .filter(|key| key.0 == framework && role.is_none_or(|role| key.1 == *role))
            .cloned()
            .collect();
        for key in keys {
            self.filters.remove(&key);
        }
    }

    /// Forgets the refusals of an agent's resources.
    pub(crate) fn unfilter_agent(&mut self, agent: AgentId) {
        let keys: Vec<_> = self.filters.keys().filter(|key| key.2 == agent).cloned().collect();
        for key in keys {
            self.filters.remove(&key);
        }
    }
}

/// Offer what is free to whom it is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocate {
    /// Agents to look at; none for all.
    pub agents: Option<Vec<AgentId>>,
}

impl Decide for Allocate {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let mut offers = Vec::new();
        for agent in state.agents.values().filter(|agent| agent.is_active()) {
            let free = agent.free();
            let taker = state.frameworks.values().find_map(|framework| {
                let connected = framework.connection.is_connected();
                let mut roles = framework.description.roles.iter();
                let role = roles.find(|role| connected && framework.wants(role))?;
                Some((framework.id, role.clone()))
            });
            if let Some((framework, role)) = taker.filter(|_| !free.is_empty()) {
                offers.push(OfferSpec { framework, role, agent: agent.id, resources: free });
            }
        }
        if !offers.is_empty() {
            draft.record(OffersMade { offers, until: None });
        }
        Ok(Reply::Done)
    }
}
