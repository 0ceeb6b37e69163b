//! What the allocator remembers between cycles. The ledger keeps the sums right step by step, so
//! that a cycle need not add up the cluster.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::filters::Filters;
use super::turns::Turns;
use crate::id::{AgentId, FrameworkId, Role};
use crate::quota;
use crate::resources::{Quantities, Resource, Resources};

/// Sums and filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// What each framework holds in each role.
    #[serde(rename = "h")]
    pub held: OrdMap<(FrameworkId, Role), Holding>,
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
}

/// What one framework holds in one role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Used by its tasks and executors, or offered to it.
    #[serde(rename = "q")]
    pub quantities: Quantities,
    /// What of it does not count against the role's quota: reservations, which count for whom they are
    /// made, and what is revocable.
    #[serde(rename = "u", default, skip_serializing_if = "Quantities::is_empty")]
    pub uncounted: Quantities,
    /// How many offers with something unreserved it has had: of equal shares, the one with fewer comes
    /// first (semantics 173).
    #[serde(rename = "n")]
    pub offers: u64,
    /// How many offers of nothing but reservations, by how deep the role lies that they were reserved
    /// for, top level first. They count among those below that role only: nobody else could have had
    /// them, and who has reservations would fall behind for good where nobody holds anything.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<u64>,
}

impl Holding {
    /// One offer of these resources.
    pub(super) fn of_offer(resources: &Resources) -> Self {
        let mut held = Self { quantities: Quantities::of(resources), ..Self::default() };
        held.count(resources);
        held
    }

    /// Counts one more offer.
    pub(crate) fn count(&mut self, resources: &Resources) {
        let depths = resources.iter().map(|it| it.role().map_or(0, Role::depth));
        let Some(level) = depths.min().and_then(|depth| depth.checked_sub(1)) else {
            self.offers += 1;
            return;
        };
        if self.reserved.len() <= level {
            self.reserved.resize(level + 1, 0);
        }
        if let Some(count) = self.reserved.get_mut(level) {
            *count += 1;
        }
    }

    /// How many offers count among those who stand below a role at this depth; 0 for all roles.
    pub(super) fn offers_below(&self, depth: usize) -> u64 {
        self.offers + self.reserved.iter().take(depth).sum::<u64>()
    }
}

impl Book {
    /// A framework holds more in a role: all of this.
    pub(crate) fn charge(
        &mut self,
        framework: FrameworkId,
        role: &Role,
        agent: AgentId,
        resources: &Resources,
    ) -> &mut Holding {
        let holding = self.held.entry((framework, role.clone())).or_default();
        for resource in resources {
            if resource.shared {
                let key = (framework, role.clone(), agent, resource.clone());
                let copies = self.copies.entry(key).or_insert(0);
                *copies += 1;
                if *copies > 1 {
                    continue;
                }
            }
            holding.quantities.add(resource);
            if !quota::counts(resource) {
                holding.uncounted.add(resource);
            }
        }
        holding
    }

    /// A framework holds less in a role.
    pub(crate) fn refund(
        &mut self,
        framework: FrameworkId,
        role: &Role,
        agent: AgentId,
        resources: &Resources,
    ) {
        let Some(holding) = self.held.get_mut(&(framework, role.clone())) else {
            return;
        };
        for resource in resources {
            if resource.shared {
                let key = (framework, role.clone(), agent, resource.clone());
                if let Some(copies) = self.copies.get_mut(&key)
                    && *copies > 1
                {
                    *copies -= 1;
                    continue;
                }
                self.copies.remove(&key);
            }
            holding.quantities.remove(resource);
            if !quota::counts(resource) {
                holding.uncounted.remove(resource);
            }
        }
    }

    /// Forgets how many offers a framework has had in roles that are no longer its own and in which it
    /// holds nothing.
    pub(crate) fn retain_roles(&mut self, framework: FrameworkId, roles: &[Role]) {
        let first = (framework, Role::from(""));
        let gone: Vec<_> = self
            .held
            .range(first..)
            .take_while(|(key, _)| key.0 == framework)
            .filter(|(key, held)| !roles.contains(&key.1) && held.quantities.is_empty())
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.held.remove(&key);
        }
    }

    /// An agent's resources become part of the cluster's.
    pub(crate) fn include(&mut self, total: &Resources) {
        self.total.add_all(&Quantities::of(total));
        for resource in total.iter().filter(|resource| resource.value.thousandths() != 0) {
            if let Some(role) = resource.role() {
                self.reserved.entry(role.clone()).or_default().add(resource);
            }
        }
    }

    /// An agent's resources are no longer part of the cluster's.
    pub(crate) fn exclude(&mut self, total: &Resources) {
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

/// Resources that only one at a time can have.
pub(crate) fn exclusive(resources: &Resources) -> impl Iterator<Item = &Resource> {
    resources.iter().filter(|resource| !resource.shared)
}
