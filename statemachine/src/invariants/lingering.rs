//! What lingers on an agent is of a framework that is over, and the agent will say when it has stopped.

use super::{Violation, demand};
use crate::state::State;

const NAME: &str = "lingering";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for agent in state.agents.values() {
        for (framework, lingering) in &agent.lingering {
            let over = !state.frameworks.contains_key(framework);
            let named = state.framework_ids.get(&lingering.wire_id) == Some(framework);
            demand(&mut violations, NAME, over && named, || {
                format!("framework {framework} lingers on agent {} and is not over", agent.id)
            });
            demand(&mut violations, NAME, agent.description.tells_stops, || {
                format!("agent {} will not say that framework {framework} has stopped", agent.id)
            });
        }
    }
    violations
}
