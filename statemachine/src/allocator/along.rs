//! Reading what is known of agents in the order of their ids: next to one another in the map, so that
//! it costs less than to look up each.

use imbl::OrdMap;
use imbl::ordmap::RangedIter;
use imbl::shared_ptr::DefaultSharedPtr;

use super::turns::About;
use crate::id::AgentId;

/// So many entries are passed one by one before the next agent is looked up.
const NEAR: usize = 8;

/// A key that begins with an agent.
pub(super) trait OfAgent: Ord {
    /// The agent's first.
    fn first(agent: AgentId) -> Self;
    fn agent(&self) -> AgentId;
}

impl OfAgent for AgentId {
    fn first(agent: AgentId) -> Self {
        agent
    }

    fn agent(&self) -> AgentId {
        *self
    }
}

impl OfAgent for (AgentId, About) {
    fn first(agent: AgentId) -> Self {
        (agent, About::Free)
    }

    fn agent(&self) -> AgentId {
        self.0
    }
}

/// Goes along a map.
pub(super) struct Along<'a, K, V> {
    map: &'a OrdMap<K, V>,
    rest: RangedIter<'a, K, V, DefaultSharedPtr>,
    /// The next of the rest.
    head: Option<(&'a K, &'a V)>,
}

impl<'a, K: OfAgent, V> Along<'a, K, V> {
    pub(super) fn new(map: &'a OrdMap<K, V>) -> Self {
        let mut rest = map.range(K::first(AgentId(0))..);
        let head = rest.next();
        Self { map, rest, head }
    }

    /// The next entry of an agent that does not come before those that were asked for already.
    pub(super) fn next(&mut self, agent: AgentId) -> Option<(&'a K, &'a V)> {
        let is_before = |head: &Option<(&'a K, &'a V)>| head.is_some_and(|it| it.0.agent() < agent);
        for _ in 0..NEAR {
            if !is_before(&self.head) {
                break;
            }
            self.head = self.rest.next();
        }
        if is_before(&self.head) {
            self.rest = self.map.range(K::first(agent)..);
            self.head = self.rest.next();
        }
        let found = self.head.filter(|it| it.0.agent() == agent)?;
        self.head = self.rest.next();
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(has: &[u32], asked: &[u32]) {
        let map: OrdMap<AgentId, u32> = has.iter().map(|id| (AgentId(*id), *id)).collect();
        let mut along = Along::new(&map);
        for id in asked {
            let found = along.next(AgentId(*id)).map(|it| *it.1);
            assert_eq!(found, has.contains(id).then_some(*id), "{id} of {has:?}");
        }
    }

    #[test]
    fn near_or_far_each_is_found() {
        check(&[], &[0, 1]);
        check(&[1, 2, 3], &[0, 1, 2, 3, 4]);
        let even: Vec<u32> = (0..1000).map(|number| number * 2).collect();
        check(&even, &[3, 4, 5, 100, 102, 103, 1998, 1999, 5000]);
    }

    #[test]
    fn all_entries_of_an_agent_are_found_in_order() {
        let about = [About::Free, About::Revocable, About::Reserved("a".into())];
        let keys = [0, 2].into_iter().flat_map(|id| about.clone().map(|it| (AgentId(id), it)));
        let map: OrdMap<(AgentId, About), ()> = keys.map(|key| (key, ())).collect();
        let mut along = Along::new(&map);
        assert!(along.next(AgentId(1)).is_none());
        for about in &about {
            assert_eq!(along.next(AgentId(2)).map(|it| &it.0.1), Some(about));
        }
        assert!(along.next(AgentId(2)).is_none());
    }
}
