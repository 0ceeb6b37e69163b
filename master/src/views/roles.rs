//! Roles: those with frameworks, allocations, reservations, weights or quotas, and all above them
//! (semantics 137).

use std::collections::{BTreeMap, BTreeSet};

use protocol::role;
use statemachine::resources::Resources;
use statemachine::{FrameworkId, Role, State};

use super::{offered, used};

/// One role and what is held in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RoleView {
    /// Frameworks that subscribe to it.
    pub(crate) frameworks: BTreeSet<FrameworkId>,
    /// What its tasks and executors use, and what lingers of frameworks that are over.
    pub(crate) allocated: Resources,
    /// What is offered to it.
    pub(crate) offered: Resources,
    /// What is reserved for it.
    pub(crate) reserved: Resources,
    /// Its weight.
    pub(crate) weight: f64,
}

/// All known roles, by name.
pub(crate) fn roles(state: &State) -> BTreeMap<Role, RoleView> {
    let mut roles: BTreeMap<Role, RoleView> = BTreeMap::new();
    for framework in state.frameworks.values() {
        for role in framework.description.roles.iter() {
            roles.entry(role.clone()).or_default().frameworks.insert(framework.id);
        }
    }
    let agents = state.agents.values().map(|agent| &**agent);
    for (role, allocated) in used(state.tasks.values(), state.executors.values(), agents) {
        roles.entry(role).or_default().allocated = allocated;
    }
    for (role, offered) in offered(state, state.offers.keys()) {
        roles.entry(role).or_default().offered = offered;
    }
    for resource in state.agents.values().flat_map(|agent| &agent.total) {
        if let Some(reservation) = resource.reservations.last() {
            roles.entry(reservation.role.clone()).or_default().reserved.add(resource);
        }
    }
    for role in state.weights.keys().chain(state.quotas.keys()) {
        roles.entry(role.clone()).or_default();
    }
    add_ancestors(&mut roles);
    for (role, view) in &mut roles {
        view.weight = state.weights.get(role).map_or(1.0, |weight| *weight as f64 / 1000.0);
    }
    roles
}

fn add_ancestors(roles: &mut BTreeMap<Role, RoleView>) {
    let ancestors: BTreeSet<Role> = roles
        .keys()
        .filter(|known| ***known != *role::DEFAULT)
        .flat_map(|known| known.match_indices('/').map(|(end, _)| Role::from(&known[..end])))
        .collect();
    for ancestor in ancestors {
        roles.entry(ancestor).or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{total, used_on_agent};
    use super::*;
    use statemachine::cluster::Weigh;
    use statemachine::framework::{Teardown, Update};
    use statemachine::quota::{Amounts, Before, Quota, SetQuotas};
    use statemachine::resources::{Name, Scalar};
    use statemachine::testing::{World, resources};

    /// gaps 51
    #[test]
    fn what_lingers_is_allocated() {
        let mut world = World::new();
        world.agent("cpus:4;mem:64");
        let framework = world.framework(&["a"]);
        let agent = world.launch(framework, "t", "cpus:1");
        world.must(Teardown { framework });
        let used = [
            total(&used_on_agent(&world.state, &world.state.agents[&agent])),
            roles(&world.state)[&"a".into()].allocated.clone(),
        ];
        assert_eq!(used, [(); 2].map(|()| resources("cpus:1")));
    }

    /// semantics 137
    #[test]
    fn whatever_is_held_or_said_of_a_role_makes_it_known_and_all_above() {
        let mut world = World::new();
        world.agent("cpus:4;mem:64;cpus(static/role):1");
        let framework = world.framework(&["used/still"]);
        world.launch(framework, "t", "cpus:1");
        let known = world.state.frameworks[&framework].clone();
        let mut description = statemachine::framework::Description::clone(&known.description);
        description.roles = ["*".into(), "of/framework".into()].into();
        let constraints = known.constraints.clone();
        world.must(Update { framework, description, suppressed: Vec::new(), constraints });
        world.must(Weigh { weights: vec![("weighed/role".into(), 2000)] });
        let limits = Amounts::from([(Name::Cpus, Scalar(1000))]);
        let quota = Quota { limits, ..Quota::default() };
        let quotas = vec![("quota/role".into(), quota)];
        world.must(SetQuotas { quotas, force: true, before: Before::Any });
        let known = roles(&world.state);
        let expected = [
            "*",
            "of",
            "of/framework",
            "quota",
            "quota/role",
            "static",
            "static/role",
            "used",
            "used/still",
            "weighed",
            "weighed/role",
        ];
        assert!(known.keys().map(|role| &**role).eq(expected), "{:?}", known.keys());
        assert!(known[&"weighed/role".into()].weight > 1.9);
    }
}
