//! Nobody who could have an agent's resources waits while they are offered to others, and refused,
//! over and over (decision 0021). Counted from what was offered, refused and used, not from the turns
//! that the journal holds.

use std::collections::BTreeMap;

use statemachine::offer::OfferSpec;
use statemachine::{AgentId, Event, FrameworkId, Role, State, Time};

use super::{Fact, Violation, demand};

/// A framework, one of its roles, and an agent.
type Place = (FrameworkId, Role, AgentId);

/// How often each was passed over.
#[derive(Debug, Default)]
pub(super) struct Turns {
    passed: BTreeMap<Place, usize>,
    /// Who wants nothing of an agent, and until when at most.
    refused: BTreeMap<Place, Time>,
    /// The most clients that there were at once.
    clients: usize,
}

impl Turns {
    pub(super) fn event(&mut self, fact: &Fact<'_>) -> Result<(), Violation> {
        self.forget_used(fact.before, fact.after);
        match fact.event {
            Event::OffersFiltered(it) => {
                let until = self.refused.entry((it.framework, it.role.clone(), it.agent));
                let until = until.or_insert(it.until);
                *until = it.until.max(*until);
            }
            Event::OffersMade(made) => {
                // what is revocable is offered apart, and not to everybody
                let is_own = |it: &&OfferSpec| it.resources.iter().all(|it| !it.revocable);
                for offer in made.offers.iter().filter(is_own) {
                    self.offered(offer, fact.before, fact.at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Who uses something of an agent, or makes more of it free, begins a new round.
    fn forget_used(&mut self, before: &State, after: &State) {
        for (id, agent) in &after.agents {
            let same = |it: &statemachine::agent::Agent| {
                it.used == agent.used && it.total == agent.total && it.is_active()
            };
            if !before.agents.get(id).is_some_and(|it| same(it)) {
                self.passed.retain(|place, _| place.2 != *id);
            }
        }
    }

    fn offered(&mut self, offer: &OfferSpec, state: &State, at: Time) -> Result<(), Violation> {
        let connected = state.frameworks.values().filter(|it| it.connection.is_connected());
        let clients = connected.flat_map(|framework| {
            let roles = framework.description.roles.iter();
            let roles = roles.filter(|role| !framework.suppressed.contains(*role));
            roles.map(|role| (framework.id, role.clone(), offer.agent))
        });
        let all = state.frameworks.values().map(|framework| framework.description.roles.len());
        self.clients = self.clients.max(all.sum());
        let bound = 2 * self.clients;
        let mut passed = BTreeMap::new();
        for place in clients {
            let refuses = self.refused.get(&place).is_some_and(|until| at < *until);
            if refuses || place.0 == offer.framework && place.1 == offer.role {
                continue;
            }
            let before = self.passed.get(&place).copied().unwrap_or(0);
            demand(before < bound, "everybody is asked in turn", || {
                format!("framework {} waits for agent {} since {bound} offers", place.0, place.2)
            })?;
            passed.insert(place, before + 1);
        }
        self.passed.retain(|place, _| place.2 != offer.agent);
        self.passed.append(&mut passed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statemachine::offer::OffersMade;
    use statemachine::testing::{World, resources};

    /// Offers an agent to these in turn, who take nothing; whether that breaks the invariant.
    fn breaks(frameworks: u32, order: impl IntoIterator<Item = u32>) -> bool {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:64");
        (0..frameworks).for_each(|_| {
            world.framework(&["a"]);
        });
        let mut turns = Turns::default();
        order.into_iter().any(|number| {
            let (framework, role) = (FrameworkId(number), Role::from("a"));
            let resources = resources("cpus:4;mem:64");
            let offers = vec![OfferSpec { framework, role, agent, resources }];
            let event = Event::OffersMade(OffersMade { offers, until: None });
            let (before, at) = (&world.state, world.now);
            let fact = Fact { at, cause: "allocate", event: &event, before, after: before };
            turns.event(&fact).is_err()
        })
    }

    #[test]
    fn two_who_swap_an_agent_between_them_are_found() {
        assert!(breaks(3, [0, 1].into_iter().cycle().take(7)));
        assert!(!breaks(3, [0, 1].into_iter().cycle().take(6)));
        assert!(!breaks(3, [0, 1, 0, 2].into_iter().cycle().take(100)));
        assert!(!breaks(2, [0, 1].into_iter().cycle().take(100)));
    }
}
