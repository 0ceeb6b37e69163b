//! What an agent that comes back has, and what of it is still in use.

use super::{Agent, Lingering, Register};
use crate::allocator::exclusive;
use crate::draft::Draft;
use crate::framework::FrameworkStopped;
use crate::rejection::Rejection;
use crate::resources::Resources;
use crate::state::State;

impl Register {
    /// The agent's total with its dynamic reservations and volumes, when its flags may have changed. What
    /// runs on it must still find its place.
    pub(super) fn carry_over(&self, state: &State, agent: &Agent) -> Result<Resources, Rejection> {
        let resources = &self.description.resources;
        if agent.description.resources == *resources {
            return Ok(agent.firm());
        }
        let mut total = resources.clone();
        for converted in agent.total.converted() {
            if !total.take(&converted.original()) {
                return Err(Rejection::Invalid(
                    format!(
                        "the agent's resources no longer hold its reservations and volumes: {converted}"
                    )
                    .into(),
                ));
            }
            total.add(converted);
        }
        let used = self.still_used(state, agent);
        let mut rest = total.clone();
        if !exclusive(&used).filter(|it| !it.revocable).all(|resource| rest.take(resource)) {
            let fault =
                format!("the agent's resources {total} no longer hold what is used: {used}");
            return Err(Rejection::Invalid(fault.into()));
        }
        Ok(total)
    }

    /// What is in use on an agent that is back, its executors included that did not count while it was away.
    fn still_used(&self, state: &State, agent: &Agent) -> Resources {
        let mut used = agent.used.clone();
        for executor in state.executors_on(agent.id).filter(|executor| !executor.holds) {
            used.add_all(&executor.resources);
        }
        for lingering in agent.lingering.values() {
            let held = lingering.holds.iter().map(|(_, held)| held);
            match (agent.counts(), self.runs(lingering)) {
                (true, false) => held.for_each(|held| used.remove_all(held)),
                (false, true) => held.for_each(|held| used.add_all(held)),
                (true, true) | (false, false) => {}
            }
        }
        used
    }

    /// Of frameworks that are over, what the agent runs no longer has stopped, and so has what it would not tell the
    /// end of.
    pub(super) fn settle_stopped(&self, agent: &Agent, draft: &mut Draft<'_>) {
        for (id, lingering) in &agent.lingering {
            if !self.runs(lingering) {
                draft.record(FrameworkStopped { id: *id, agent: agent.id });
            }
        }
    }

    fn runs(&self, lingering: &Lingering) -> bool {
        self.description.tells_stops && self.running.contains(&lingering.wire_id)
    }
}
