//! What drains is not offered, has something left to drain, and is called drained by the decision that
//! takes the last of it.

use super::{Violation, demand};
use crate::state::State;

const NAME: &str = "drains";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for agent in state.agents.values() {
        let id = agent.id;
        demand(&mut violations, NAME, agent.drain.is_none() || agent.deactivated, || {
            format!("agent {id} drains and may be offered")
        });
        let finished = agent.is_emptied();
        demand(&mut violations, NAME, finished == state.emptied.contains(&id), || {
            format!("agent {id} is empty: {finished}, but is not counted so")
        });
        let is_drained = agent.drain.as_ref().is_some_and(|drain| !drain.runs());
        demand(&mut violations, NAME, !is_drained || agent.tasks.is_empty(), || {
            format!("agent {id} is drained and has tasks {:?}", agent.tasks)
        });
        demand(&mut violations, NAME, !state.gone_agents.contains_key(&id), || {
            format!("agent {id} is gone and registered")
        });
    }
    let known = state.emptied.iter().all(|id| state.agents.contains_key(id));
    demand(&mut violations, NAME, known, || "an agent that is not there is empty".to_owned());
    violations
}
