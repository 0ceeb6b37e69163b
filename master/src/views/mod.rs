//! What operators read, from the committed state. Nothing here waits for the leader or holds it up:
//! a view is a clone that shares everything.

pub(crate) mod classic;
pub(crate) mod explanation;
pub(crate) mod json;
pub(crate) mod operator;
pub(crate) mod response;
pub(crate) mod roles;
#[cfg(test)]
mod tests;

use statemachine::agent::Agent;
use statemachine::framework::Framework;
use statemachine::resources::Resources;
use statemachine::task::{Executor, Task};
use statemachine::{AgentId, OfferId, Role, State, TaskState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether a framework is there to be offered something.
pub(crate) fn is_active(framework: &Framework) -> bool {
    framework.connection.is_active() && framework.connection.is_connected()
}

/// Tasks that are not over or not acknowledged, and not out of reach.
pub(crate) fn active_tasks<'a>(
    state: &'a State,
    framework: &'a Framework,
) -> impl Iterator<Item = &'a Arc<Task>> {
    state.tasks_of(framework.id).filter(|task| task.state != TaskState::Unreachable)
}

/// Tasks that are out of reach.
pub(crate) fn unreachable_tasks<'a>(
    state: &'a State,
    framework: &'a Framework,
) -> impl Iterator<Item = &'a Arc<Task>> {
    state.tasks_of(framework.id).filter(|task| task.state == TaskState::Unreachable)
}

/// What tasks and executors of a framework use, by the role that it is allocated to.
pub(crate) fn used_by_framework(state: &State, framework: &Framework) -> BTreeMap<Role, Resources> {
    let executors = state.executors.values();
    let executors = executors.filter(|executor| executor.key.framework == framework.id);
    used(state.tasks_of(framework.id), executors, [])
}

/// What tasks and executors on an agent use, and what lingers there, by the role that it is allocated to.
pub(crate) fn used_on_agent(state: &State, agent: &Agent) -> BTreeMap<Role, Resources> {
    let tasks = agent.tasks.iter().filter_map(|key| state.tasks.get(key));
    used(tasks, state.executors_on(agent.id), [agent])
}

/// What tasks and executors use, and what lingers on agents, by the role that it is allocated to. A shared volume counts
/// once on its agent, however many use it.
pub(crate) fn used<'a>(
    tasks: impl Iterator<Item = &'a Arc<Task>>,
    executors: impl Iterator<Item = &'a Arc<Executor>>,
    agents: impl IntoIterator<Item = &'a Agent>,
) -> BTreeMap<Role, Resources> {
    let mut used: BTreeMap<(AgentId, Role), Resources> = BTreeMap::new();
    for task in tasks.filter(|task| task.holds()) {
        used.entry((task.agent, task.role.clone())).or_default().add_all(&task.resources);
    }
    for executor in executors.filter(|executor| executor.holds) {
        let held = used.entry((executor.key.agent, executor.role.clone())).or_default();
        held.add_all(&executor.resources);
    }
    for agent in agents {
        for (_, role, held) in agent.lingers() {
            used.entry((agent.id, role.clone())).or_default().add_all(held);
        }
    }
    over_agents(used)
}

/// What is offered of some offers, by role; shared volumes once for each agent.
pub(crate) fn offered<'a>(
    state: &State,
    offers: impl IntoIterator<Item = &'a OfferId>,
) -> BTreeMap<Role, Resources> {
    let mut offered: BTreeMap<(AgentId, Role), Resources> = BTreeMap::new();
    for offer in offers.into_iter().filter_map(|offer| state.offers.get(offer)) {
        offered.entry((offer.agent, offer.role.clone())).or_default().add_all(&offer.resources);
    }
    over_agents(offered)
}

fn over_agents(each: BTreeMap<(AgentId, Role), Resources>) -> BTreeMap<Role, Resources> {
    let mut by_role: BTreeMap<Role, Resources> = BTreeMap::new();
    for ((_, role), resources) in each {
        by_role.entry(role).or_default().add_all(&resources.distinct());
    }
    by_role
}

/// The sum over all roles.
pub(crate) fn total(by_role: &BTreeMap<Role, Resources>) -> Resources {
    let mut sum = Resources::default();
    for resources in by_role.values() {
        sum.add_all(resources);
    }
    sum
}
