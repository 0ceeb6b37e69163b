//! What everybody holds: each framework in each role, and all of them together in each role, so that
//! what counts for a role is read and not summed up.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::turns::ClientKey;
use crate::id::{FrameworkId, Role};
use crate::quota;
use crate::resources::{Quantities, Resource, Resources};

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
    /// Counts one more offer.
    pub(super) fn count(&mut self, resources: &Resources) {
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

    /// More is held.
    pub(super) fn add(&mut self, resource: &Resource) {
        self.quantities.add(resource);
        if !quota::counts(resource) {
            self.uncounted.add(resource);
        }
    }

    /// Less is held.
    pub(super) fn remove(&mut self, resource: &Resource) {
        self.quantities.remove(resource);
        if !quota::counts(resource) {
            self.uncounted.remove(resource);
        }
    }

    /// Adds what somebody else in the same role holds.
    fn join(&mut self, other: &Self) {
        self.quantities.add_all(&other.quantities);
        self.uncounted.add_all(&other.uncounted);
        self.offers += other.offers;
        if self.reserved.len() < other.reserved.len() {
            self.reserved.resize(other.reserved.len(), 0);
        }
        self.reserved.iter_mut().zip(&other.reserved).for_each(|(sum, more)| *sum += more);
    }

    /// Takes out what was added.
    fn part(&mut self, other: &Self) {
        self.quantities.remove_all(&other.quantities);
        self.uncounted.remove_all(&other.uncounted);
        self.offers -= other.offers;
        self.reserved.iter_mut().zip(&other.reserved).for_each(|(sum, less)| *sum -= less);
        while self.reserved.last() == Some(&0) {
            self.reserved.pop();
        }
    }
}

/// See the module. Snapshots keep what each framework holds alone; the sums follow from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OrdMap<ClientKey, Holding>", into = "OrdMap<ClientKey, Holding>")]
pub struct Held {
    clients: OrdMap<ClientKey, Holding>,
    roles: OrdMap<Role, Sum>,
}

/// What all who hold something in a role hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    of: usize,
    holding: Holding,
}

impl From<OrdMap<ClientKey, Holding>> for Held {
    fn from(clients: OrdMap<ClientKey, Holding>) -> Self {
        let mut roles: OrdMap<Role, Sum> = OrdMap::new();
        for ((_, role), holding) in &clients {
            let sum = roles.entry(role.clone()).or_default();
            sum.of += 1;
            sum.holding.join(holding);
        }
        Self { clients, roles }
    }
}

impl From<Held> for OrdMap<ClientKey, Holding> {
    fn from(held: Held) -> Self {
        held.clients
    }
}

impl Held {
    /// What a framework holds in a role.
    pub fn of(&self, client: &ClientKey) -> Option<&Holding> {
        self.clients.get(client)
    }

    /// What each framework holds in each role, by framework.
    pub fn iter(&self) -> impl Iterator<Item = (&ClientKey, &Holding)> {
        self.clients.iter()
    }

    /// What is held in each role, without those below it.
    pub fn by_role(&self) -> impl Iterator<Item = (&Role, &Holding)> {
        self.roles.iter().map(|(role, sum)| (role, &sum.holding))
    }

    /// Changes what a framework holds in a role, and what its role does.
    pub(super) fn change(&mut self, client: &ClientKey, change: impl Fn(&mut Holding)) {
        if let Some(holding) = self.clients.get_mut(client) {
            change(holding);
        } else {
            let mut holding = Holding::default();
            change(&mut holding);
            self.clients.insert(client.clone(), holding);
            self.roles.entry(client.1.clone()).or_default().of += 1;
        }
        if let Some(sum) = self.roles.get_mut(&client.1) {
            change(&mut sum.holding);
        }
    }

    /// Forgets a framework in those of its roles of which this holds.
    pub(super) fn forget(
        &mut self,
        framework: FrameworkId,
        is_over: impl Fn(&Role, &Holding) -> bool,
    ) {
        let all = self.clients.range((framework, Role::from(""))..);
        let own = all.take_while(|(client, _)| client.0 == framework);
        let over = own.filter(|(client, holding)| is_over(&client.1, holding));
        let over: Vec<ClientKey> = over.map(|(client, _)| client.clone()).collect();
        for client in over {
            let Some(holding) = self.clients.remove(&client) else { continue };
            let Some(sum) = self.roles.get_mut(&client.1) else { continue };
            sum.of -= 1;
            sum.holding.part(&holding);
            if sum.of == 0 {
                self.roles.remove(&client.1);
            }
        }
    }

    /// Whether the sums are what they are if summed up anew.
    pub(crate) fn is_summed_up(&self) -> bool {
        *self == Self::from(self.clients.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::resources;

    const ROLES: [&str; 3] = ["a", "a/b", "c"];
    const OFFERS: [&str; 5] =
        ["cpus:2;mem:64", "cpus(a):1", "cpus(a/b):1;x:3", "cpus:1;disk(a):5", "ports:[1-2]"];

    fn client(framework: u32, role: usize) -> ClientKey {
        (FrameworkId(framework), ROLES[role].into())
    }

    proptest! {
        /// However it came about, what is kept is what a snapshot makes of it.
        #[test]
        fn sums_are_those_that_are_made_anew(
            steps in prop::collection::vec((0u32..3, 0usize..3, 0usize..5, 0u8..4), 0..40),
        ) {
            let mut held = Held::default();
            for (framework, role, offer, act) in steps {
                let offer = resources(OFFERS[offer]);
                let change = |by: fn(&mut Holding, &Resource)| {
                    let offer = offer.clone();
                    move |it: &mut Holding| offer.iter().for_each(|resource| by(it, resource))
                };
                let client = client(framework, role);
                match act {
                    0 => held.change(&client, change(Holding::add)),
                    1 => held.change(&client, change(Holding::remove)),
                    2 => held.change(&client, |it| it.count(&offer)),
                    _ => held.forget(client.0, |role, _| *role == client.1),
                }
                prop_assert!(held.is_summed_up(), "{held:?}");
            }
        }
    }

    #[test]
    fn roles_in_which_nobody_holds_anything_are_forgotten() {
        let mut held = Held::default();
        held.change(&client(0, 0), |it| it.offers += 1);
        held.change(&client(1, 0), |it| it.offers += 2);
        held.forget(FrameworkId(0), |_, _| true);
        let offers = |held: &Held| held.by_role().map(|it| it.1.offers).collect::<Vec<_>>();
        assert_eq!(offers(&held), [2]);
        held.forget(FrameworkId(1), |_, _| true);
        assert_eq!(held, Held::default());
    }
}
