//! What the allocator remembers between cycles. The ledger keeps the sums right step by step, so
//! that a cycle need not add up the cluster.

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::filters::Filters;
use super::held::{Held, Holding};
use super::roster::Roster;
use super::turns::{ClientKey, Turns};
use crate::id::{AgentId, FrameworkId, Role};
use crate::quota::counts;
use crate::resources::{Name, Quantities, Resource, Resources};
use crate::state::State;

/// Sums and filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// What each framework holds in each role.
    #[serde(rename = "h")]
    pub held: Held,
    /// How many copies of each shared resource each framework holds in each role: in its share it
    /// counts once (semantics 174).
    #[serde(rename = "s")]
    pub copies: OrdMap<(FrameworkId, Role, AgentId, Resource), u32>,
    /// What is reserved for each role on all agents that are not unreachable, used or not.
    #[serde(rename = "r", default, skip_serializing_if = "OrdMap::is_empty")]
    pub reserved: OrdMap<Role, Quantities>,
    /// What all agents have that are not unreachable.
    #[serde(rename = "t")]
    pub total: Quantities,
    /// What is free on each of them that has something free; shared resources always are, and do not
    /// count here.
    #[serde(rename = "e")]
    pub free: OrdMap<AgentId, Quantities>,
    /// What frameworks do not want to see again for a while.
    #[serde(rename = "f")]
    pub filters: Filters,
    /// Who was asked about what is free and took nothing of it.
    #[serde(rename = "w", default, skip_serializing_if = "Turns::is_empty")]
    pub turns: Turns,
    /// Agents with something that is not for everybody: reserved, revocable or shared, or GPUs. Follows
    /// from what agents have, and is in no snapshot.
    #[serde(skip)]
    pub special: OrdSet<AgentId>,
    /// Who takes offers. Follows from the frameworks, and is in no snapshot.
    #[serde(skip)]
    pub roster: Roster,
}

impl Book {
    /// A framework is offered something in a role.
    pub(crate) fn offer(&mut self, client: &ClientKey, agent: AgentId, resources: &Resources) {
        let first = self.first_copies(client, agent, resources);
        self.held.change(client, |holding| {
            first.iter().for_each(|resource| holding.add(resource));
            holding.count(resources);
        });
    }

    /// A framework holds more in a role: all of this.
    pub(crate) fn charge(&mut self, client: &ClientKey, agent: AgentId, resources: &Resources) {
        let first = self.first_copies(client, agent, resources);
        self.held.change(client, |holding| first.iter().for_each(|it| holding.add(it)));
    }

    /// Counts copies of what is shared; says what counts for a share.
    fn first_copies(
        &mut self,
        client: &ClientKey,
        agent: AgentId,
        resources: &Resources,
    ) -> Resources {
        if !resources.iter().any(|resource| resource.shared) {
            return resources.clone();
        }
        let mut first = Vec::new();
        for resource in resources {
            if resource.shared {
                let key = (client.0, client.1.clone(), agent, resource.clone());
                let copies = self.copies.entry(key).or_insert(0);
                *copies += 1;
                if *copies > 1 {
                    continue;
                }
            }
            first.push(resource.clone());
        }
        first.into()
    }

    /// A framework holds less in a role.
    pub(crate) fn refund(&mut self, client: &ClientKey, agent: AgentId, resources: &Resources) {
        if self.held.of(client).is_none() {
            return;
        }
        let last = self.last_copies(client, agent, resources);
        self.held.change(client, |holding| last.iter().for_each(|it| holding.remove(it)));
    }

    /// Counts copies of what is shared; says what no longer counts for a share.
    fn last_copies(
        &mut self,
        client: &ClientKey,
        agent: AgentId,
        resources: &Resources,
    ) -> Resources {
        if !resources.iter().any(|resource| resource.shared) {
            return resources.clone();
        }
        let mut last = Vec::new();
        for resource in resources {
            if resource.shared {
                let key = (client.0, client.1.clone(), agent, resource.clone());
                if let Some(copies) = self.copies.get_mut(&key)
                    && *copies > 1
                {
                    *copies -= 1;
                    continue;
                }
                self.copies.remove(&key);
            }
            last.push(resource.clone());
        }
        last.into()
    }

    /// Forgets how many offers a framework has had in roles that are no longer its own and in which it
    /// holds nothing.
    pub(crate) fn retain_roles(&mut self, framework: FrameworkId, roles: &[Role]) {
        let is_over =
            |role: &Role, held: &Holding| !roles.contains(role) && held.quantities.is_empty();
        self.held.forget(framework, is_over);
    }

    /// An agent's resources become part of the cluster's.
    pub(crate) fn include(&mut self, agent: AgentId, total: &Resources) {
        self.mark(agent, total);
        self.total.add_all(&Quantities::of(total));
        for resource in total.iter().filter(|resource| resource.value.thousandths() != 0) {
            if let Some(role) = resource.role() {
                self.reserved.entry(role.clone()).or_default().add(resource);
            }
        }
    }

    /// An agent's resources are no longer part of the cluster's.
    pub(crate) fn exclude(&mut self, agent: AgentId, total: &Resources) {
        self.special.remove(&agent);
        self.total.remove_all(&Quantities::of(total));
        for resource in total {
            let Some(role) = resource.role() else { continue };
            let Some(reserved) = self.reserved.get_mut(role) else { continue };
            reserved.remove(resource);
            if reserved.is_empty() {
                self.reserved.remove(role);
            }
        }
    }

    /// Remembers whether an agent has something that is not for everybody.
    fn mark(&mut self, agent: AgentId, total: &Resources) {
        if total.iter().any(is_special) {
            self.special.insert(agent);
        }
    }

    /// Less is free on an agent.
    pub(crate) fn shrink(&mut self, agent: AgentId, resources: &Resources) {
        self.change_free(agent, |free| exclusive(resources).for_each(|it| free.remove(it)));
    }

    /// More is free on an agent.
    pub(crate) fn grow(&mut self, agent: AgentId, resources: &Resources) {
        self.change_free(agent, |free| exclusive(resources).for_each(|it| free.add(it)));
    }

    fn change_free(&mut self, agent: AgentId, change: impl FnOnce(&mut Quantities)) {
        let free = self.free.entry(agent).or_default();
        change(free);
        if free.is_empty() {
            self.free.remove(&agent);
        }
    }

    /// What is free on an agent, summed up anew.
    pub(crate) fn set_free(&mut self, agent: AgentId, free: Quantities) {
        if free.is_empty() {
            self.free.remove(&agent);
        } else {
            self.free.insert(agent, free);
        }
    }
}

/// Whether it is not for everybody.
fn is_special(resource: &Resource) -> bool {
    let is_common = !resource.revocable && !resource.shared && resource.name != Name::Gpus;
    !is_common || !resource.reservations.is_empty()
}

impl State {
    /// Adds what snapshots leave out, since it follows from the rest.
    pub(crate) fn complete(&mut self) {
        self.book.roster = self.frameworks.values().map(|framework| &**framework).collect();
        for agent in self.agents.values().filter(|agent| agent.counts()) {
            self.book.mark(agent.id, &agent.total);
        }
    }

    /// How much is free on all agents of which anything may be offered and counts for quotas: it is
    /// neither used nor offered, nor reserved, nor revocable.
    pub(crate) fn free_for_quotas(&self) -> Quantities {
        let (mut sum, mut agents) = (Quantities::default(), Along::new(&self.agents));
        let is_special = |id: &AgentId| self.book.special.contains(id);
        // most agents have nothing left to be read in a cluster that is in use
        let some = self.book.free.iter().filter(|(id, free)| !free.is_empty() || is_special(id));
        for (id, free) in some {
            match agents.next(*id).filter(|(_, agent)| agent.is_active()) {
                Some((_, agent)) if is_special(id) => {
                    sum.add_all(&Quantities::of(agent.free().iter().filter(|it| counts(it))));
                }
                Some(_) => sum.add_all(free),
                None => {}
            }
        }
        sum
    }
}

/// Resources that only one at a time can have.
pub(crate) fn exclusive(resources: &Resources) -> impl Iterator<Item = &Resource> {
    resources.iter().filter(|resource| !resource.shared)
}
