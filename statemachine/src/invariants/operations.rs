//! An operation that is followed has a framework, and its agent lists it until it has confirmed it.

use super::{Violation, demand};
use crate::state::State;

const NAME: &str = "operations";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (key, followed) in &state.operations {
        let name = || format!("operation {} of framework {}", key.operation, key.framework);
        let filed = *key == followed.key && state.frameworks.contains_key(&key.framework);
        demand(&mut violations, NAME, filed, || format!("{} has no framework", name()));
        let agent = state.agents.get(&followed.agent);
        let pending = agent.is_some_and(|agent| agent.operations.contains(key));
        demand(&mut violations, NAME, pending == followed.finished_at.is_none(), || {
            format!("{} and agent {} do not agree on its end", name(), followed.agent)
        });
    }
    for agent in state.agents.values() {
        for key in &agent.operations {
            demand(&mut violations, NAME, state.operations.contains_key(key), || {
                format!("agent {} lists operation {} which is not there", agent.id, key.operation)
            });
        }
    }
    violations
}
