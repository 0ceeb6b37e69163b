//! An offer stands between one framework and one agent that both know of it, and both could still
//! act on it.

use super::{Violation, demand};
use crate::state::State;

const NAME: &str = "offers";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (id, offer) in &state.offers {
        let framework = state.frameworks.get(&offer.framework);
        let agent = state.agents.get(&offer.agent);
        demand(&mut violations, NAME, id.0 < state.cluster.offers, || {
            format!("offer {id} has a number that was never given out")
        });
        demand(&mut violations, NAME, !offer.resources.is_empty(), || {
            format!("offer {id} offers nothing")
        });
        let held = framework.is_some_and(|it| it.offers.contains(id) && it.connection.is_active());
        demand(&mut violations, NAME, held, || {
            format!("offer {id} is not held by an active framework {}", offer.framework)
        });
        let made = agent.is_some_and(|it| it.offers.contains(id) && it.is_active());
        demand(&mut violations, NAME, made, || {
            format!("offer {id} is not of an active agent {}", offer.agent)
        });
    }
    let of_frameworks = state.frameworks.values().map(|framework| framework.offers.len());
    let of_agents = state.agents.values().map(|agent| agent.offers.len());
    let counts = (of_frameworks.sum::<usize>(), of_agents.sum::<usize>());
    demand(&mut violations, NAME, counts == (state.offers.len(), state.offers.len()), || {
        format!(
            "{} offers, but frameworks hold {} and agents {}",
            state.offers.len(),
            counts.0,
            counts.1
        )
    });
    violations
}
