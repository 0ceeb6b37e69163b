//! What frameworks refused and are not to be offered again for a while (semantics 104 to 108). Kept
//! by agent, as allocation asks for it, with two indexes: by framework, which revives, and by end.

use std::collections::BTreeMap;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::crowd::Crowd;
use super::turns::ClientKey;
use crate::id::{AgentId, FrameworkId, Role};
use crate::resources::Resources;
use crate::time::Time;

/// How many refusals of one agent's resources are kept for one framework and role; beyond that the
/// one that ends first is forgotten.
pub const OFFER_FILTERS_MAX: usize = 16;

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

/// Of how many refusals of one agent it is worth to know whose they may be.
const CROWD_MAX: usize = 64;

/// What is refused of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OrdMap<ClientKey, Vec<OfferFilter>>", into = "OrdMap<ClientKey, Vec<OfferFilter>>")]
pub(super) struct Refusals {
    clients: OrdMap<ClientKey, Vec<OfferFilter>>,
    /// Of those who refused.
    crowd: Crowd,
}

impl From<OrdMap<ClientKey, Vec<OfferFilter>>> for Refusals {
    fn from(clients: OrdMap<ClientKey, Vec<OfferFilter>>) -> Self {
        let mut refusals = Self { clients, crowd: Crowd::default() };
        refusals.crowd = refusals.count();
        refusals
    }
}

impl From<Refusals> for OrdMap<ClientKey, Vec<OfferFilter>> {
    fn from(refusals: Refusals) -> Self {
        refusals.clients
    }
}

impl Refusals {
    /// What a client refused.
    pub(super) fn of(&self, client: &ClientKey) -> Option<&Vec<OfferFilter>> {
        self.clients.get(client)
    }

    /// Whether it may be that a framework refused something.
    pub(super) fn may_be_of(&self, framework: FrameworkId) -> bool {
        self.crowd.may_have(framework)
    }

    fn insert(&mut self, client: ClientKey, filters: Vec<OfferFilter>) {
        self.crowd.add(client.0);
        self.clients.insert(client, filters);
        if self.clients.len() > CROWD_MAX {
            self.crowd = Crowd::ALL;
        }
    }

    fn remove(&mut self, client: &ClientKey) -> Vec<OfferFilter> {
        let removed = self.clients.remove(client);
        if removed.is_some() {
            self.crowd = self.count();
        }
        removed.unwrap_or_default()
    }

    fn count(&self) -> Crowd {
        if self.clients.len() > CROWD_MAX {
            return Crowd::ALL;
        }
        self.clients.keys().map(|client| client.0).collect()
    }
}

/// All offer filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    #[serde(rename = "a")]
    agents: OrdMap<AgentId, Refusals>,
    #[serde(rename = "f")]
    clients: OrdSet<(FrameworkId, Role, AgentId)>,
    #[serde(rename = "e")]
    ends: OrdSet<(Time, FrameworkId, Role, AgentId)>,
}

impl Filters {
    /// What is refused of an agent; none if nothing is.
    #[cfg(test)]
    pub(super) fn of(&self, agent: AgentId) -> Option<&Refusals> {
        self.agents.get(&agent)
    }

    /// The same for one agent after another.
    pub(super) fn along(&self) -> Along<'_, AgentId, Refusals> {
        Along::new(&self.agents)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.agents.values().flat_map(|it| it.clients.values()).map(Vec::len).sum()
    }

    /// How many count at `now`, for each role that has any.
    pub fn by_role(&self, now: Time) -> BTreeMap<&Role, usize> {
        let mut counts = BTreeMap::new();
        for ((_, role), filters) in self.agents.values().flat_map(|it| &it.clients) {
            *counts.entry(role).or_default() += filters.iter().filter(|it| it.until > now).count();
        }
        counts
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Remembers a refusal. What it says already need not be remembered as well.
    pub(crate) fn add(
        &mut self,
        agent: AgentId,
        framework: FrameworkId,
        role: &Role,
        filter: OfferFilter,
    ) {
        let key = (framework, role.clone());
        let held = self.agents.get(&agent).and_then(|refusals| refusals.of(&key));
        let mut filters = held.cloned().unwrap_or_default();
        filters.retain(|held| {
            held.until > filter.until || !filter.resources.contains(&held.resources)
        });
        filters.push(filter);
        if filters.len() > OFFER_FILTERS_MAX {
            let first = filters.iter().enumerate().min_by_key(|(_, filter)| filter.until);
            if let Some((first, _)) = first {
                filters.remove(first);
            }
        }
        self.store(agent, key, filters);
    }

    /// Forgets the refusals of a framework, for one role or for all.
    pub(crate) fn clear_framework(&mut self, framework: FrameworkId, role: Option<&Role>) {
        let first = (framework, role.cloned().unwrap_or_else(|| Role::from("")), AgentId(0));
        let keys: Vec<_> = self
            .clients
            .range(first..)
            .take_while(|key| key.0 == framework && role.is_none_or(|role| key.1 == *role))
            .cloned()
            .collect();
        for (framework, role, agent) in keys {
            self.store(agent, (framework, role), Vec::new());
        }
    }

    /// Forgets the refusals of an agent's resources.
    pub(crate) fn clear_agent(&mut self, agent: AgentId) {
        let refusals = self.agents.get(&agent).cloned().unwrap_or_default();
        for key in refusals.clients.keys() {
            self.store(agent, key.clone(), Vec::new());
        }
    }

    /// Forgets what no longer counts at `now`.
    pub(crate) fn expire(&mut self, now: Time) {
        while let Some(first) = self.ends.get_min().filter(|first| first.0 <= now).cloned() {
            let (_, framework, role, agent) = first;
            let key = (framework, role);
            let held = self.agents.get(&agent).and_then(|refusals| refusals.of(&key));
            let mut filters = held.cloned().unwrap_or_default();
            filters.retain(|filter| filter.until > now);
            self.store(agent, key, filters);
        }
    }

    /// Replaces what is refused under one key: the only place that changes the three maps.
    fn store(&mut self, agent: AgentId, key: (FrameworkId, Role), filters: Vec<OfferFilter>) {
        let (framework, role) = key.clone();
        let refusals = self.agents.entry(agent).or_default();
        let before = refusals.remove(&key);
        for filter in before {
            self.ends.remove(&(filter.until, framework, role.clone(), agent));
        }
        for filter in &filters {
            self.ends.insert((filter.until, framework, role.clone(), agent));
        }
        if filters.is_empty() {
            self.clients.remove(&(framework, role, agent));
        } else {
            self.clients.insert((framework, role, agent));
            refusals.insert(key, filters);
        }
        if refusals.clients.is_empty() {
            self.agents.remove(&agent);
        }
    }
}

/// Whether what is refused of an agent stands in the way of this candidate.
pub(super) fn blocks(
    refusals: &Refusals,
    client: &ClientKey,
    candidate: &Resources,
    now: Time,
) -> bool {
    refused_until(refusals, client, candidate, now).is_some()
}

/// How long what is refused of an agent stands in the way of this candidate.
pub(super) fn refused_until(
    refusals: &Refusals,
    client: &ClientKey,
    candidate: &Resources,
    now: Time,
) -> Option<Time> {
    let filters = refusals.of(client).into_iter().flatten();
    let blocking = filters.filter(|filter| filter.until > now);
    blocking.filter(|filter| filter.resources.contains(candidate)).map(|filter| filter.until).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::resources;

    fn filter(text: &str, until: u64) -> OfferFilter {
        OfferFilter { resources: resources(text), until: Time(until) }
    }

    fn add(filters: &mut Filters, agent: u32, framework: u32, role: &str, filter: OfferFilter) {
        filters.add(AgentId(agent), FrameworkId(framework), &role.into(), filter);
    }

    /// Six refusals: of agents 0 and 1, by frameworks 0 and 1, in roles `a` and `b`.
    fn some() -> Filters {
        let mut filters = Filters::default();
        for (agent, framework, role) in
            [(0, 0, "a"), (0, 0, "b"), (0, 1, "a"), (1, 0, "a"), (1, 1, "a"), (1, 1, "b")]
        {
            let until = 100 + u64::from(agent);
            add(&mut filters, agent, framework, role, filter("cpus:1", until));
        }
        filters
    }

    fn check(change: impl FnOnce(&mut Filters), left: usize) {
        let mut filters = some();
        change(&mut filters);
        assert_eq!(filters.len(), left);
        assert_eq!((filters.clients.len(), filters.ends.len()), (left, left));
        assert_eq!(filters.is_empty(), left == 0);
    }

    #[test]
    fn refusals_are_forgotten_by_framework_role_agent_and_time() {
        check(|_| {}, 6);
        check(|it| it.clear_framework(FrameworkId(0), None), 3);
        check(|it| it.clear_framework(FrameworkId(1), Some(&"b".into())), 5);
        check(|it| it.clear_framework(FrameworkId(1), Some(&"c".into())), 6);
        check(|it| it.clear_agent(AgentId(0)), 3);
        check(|it| it.expire(Time(99)), 6);
        check(|it| it.expire(Time(100)), 3);
        check(|it| it.expire(Time(101)), 0);
    }

    /// Few or many, whoever refused something is known, and a snapshot knows the same.
    #[test]
    fn whose_refusals_they_may_be_is_kept() {
        for count in [1, CROWD_MAX as u32, CROWD_MAX as u32 + 1] {
            let mut refusals = Refusals::default();
            let client = |number: u32| (FrameworkId(number), Role::from("a"));
            for number in 0..count {
                refusals.insert(client(number), vec![filter("cpus:1", 1)]);
            }
            let kept = |it: &Refusals| *it == Refusals::from(it.clients.clone());
            assert!(kept(&refusals), "{count}");
            assert!((0..count).all(|number| refusals.may_be_of(FrameworkId(number))), "{count}");
            refusals.remove(&client(0));
            assert!(kept(&refusals) && !refusals.may_be_of(FrameworkId(0)), "{count}");
        }
    }

    #[test]
    fn refusals_are_counted_by_role_while_they_count() {
        let check = |now: u64, expected: [usize; 2]| {
            let filters = some();
            let counts = filters.by_role(Time(now));
            assert_eq!(["a", "b"].map(|role| counts[&Role::from(role)]), expected, "at {now}");
        };
        check(99, [4, 2]);
        check(100, [2, 1]);
        check(101, [0, 0]);
    }

    #[test]
    fn what_is_said_already_is_not_kept_twice() {
        let mut filters = Filters::default();
        let steps = [
            ("cpus:1", 50, 1),
            ("cpus:2", 60, 1), // says all that the first does, and longer
            ("cpus:3", 40, 2), // more, but not for as long
            ("mem:64", 90, 3),
            ("cpus:4;mem:64", 95, 1),
        ];
        for (text, until, count) in steps {
            add(&mut filters, 0, 0, "a", filter(text, until));
            assert_eq!((filters.len(), filters.ends.len()), (count, count), "{text}");
        }
    }

    #[test]
    fn one_client_cannot_fill_the_memory() {
        let mut filters = Filters::default();
        for port in 0..100u64 {
            let until = 1000 + port;
            add(&mut filters, 0, 0, "a", filter(&format!("ports:[{port}-{port}]"), until));
        }
        assert_eq!(filters.len(), OFFER_FILTERS_MAX);
        assert_eq!(filters.ends.get_min().expect("one").0, Time(1100 - OFFER_FILTERS_MAX as u64));
    }

    /// semantics 107, 108
    #[test]
    fn a_larger_candidate_passes() {
        let mut filters = Filters::default();
        add(&mut filters, 0, 0, "a", filter("cpus:2;mem:64", 50));
        let refusals = filters.of(AgentId(0)).expect("refusals");
        let client = |role: &str| (FrameworkId(0), Role::from(role));
        let blocked = |role: &str, text: &str, now: u64| {
            blocks(refusals, &client(role), &resources(text), Time(now))
        };
        assert!(blocked("a", "cpus:2;mem:64", 49), "semantics 107");
        assert!(blocked("a", "cpus:1", 49), "semantics 107");
        assert!(!blocked("a", "cpus:2.001", 49), "semantics 107");
        assert!(!blocked("a", "cpus:1", 50), "it has ended");
        assert!(!blocked("b", "cpus:1", 49), "semantics 108");
    }
}
