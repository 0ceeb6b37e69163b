//! What the allocator knows of each role: shares, filters and quotas.

use std::collections::{BTreeMap, BTreeSet};

use statemachine::resources::{Name, Quantities};
use statemachine::{Role, Settings, State};

use super::name::{Kind, Labelled, Metrics};

/// Adds all roles that somebody is in, that hold something or that have a quota.
pub(super) fn add(metrics: &mut Metrics, state: &State, settings: &Settings) {
    let held = held(state);
    let filters = state.book.filters.by_role(state.cluster.now);
    for (role, quantities) in &held {
        let weight = state.weights.get(role).map_or(1.0, |weight| *weight as f64 / 1000.0);
        let share = share(state, settings, quantities) / weight;
        gauge(metrics, ("roles", role, "shares/dominant"), share);
        let filters = filters.get(role).copied().unwrap_or(0);
        gauge(metrics, ("offer_filters/roles", role, "active"), filters as f64);
    }
    let consumption = state.consumption();
    for (role, quota) in &state.quotas {
        let names: BTreeSet<&Name> = quota.guarantees.keys().chain(quota.limits.keys()).collect();
        for name in names {
            let consumed = consumption.get(&**role).map(|consumed| consumed.get(name));
            let amounts = [
                ("guarantee", quota.guarantees.get(name).copied()),
                ("limit", quota.limits.get(name).copied()),
                ("consumed", consumed),
                ("offered_or_allocated", held.get(role).map(|held| held.get(name))),
            ];
            for (what, amount) in amounts {
                let Some(amount) = amount else { continue };
                let after = format!("resources/{name}/{what}");
                gauge(metrics, ("quota/roles", role, &after), amount.to_f64());
            }
        }
    }
}

fn gauge(metrics: &mut Metrics, (what, role, after): (&str, &Role, &str), value: f64) {
    let before = format!("allocator/mesos/{what}");
    let labels = [("role", &**role)];
    metrics.labelled(Kind::Gauge, Labelled { before: &before, labels: &labels, after }, value);
}

/// What each role holds with all below it, used or offered.
fn held(state: &State) -> BTreeMap<Role, Quantities> {
    let mut held: BTreeMap<Role, Quantities> = BTreeMap::new();
    for (role, holding) in state.book.held.by_role() {
        for role in role.ancestors().chain([role.clone()]) {
            held.entry(role).or_default().add_all(&holding.quantities);
        }
    }
    let subscribed = state.frameworks.values().flat_map(|it| it.description.roles.iter());
    for role in subscribed.chain(state.quotas.keys()) {
        for role in role.ancestors().chain([role.clone()]) {
            held.entry(role).or_default();
        }
    }
    held
}

/// The largest part that these are of what there is; of what counts for nobody's share, no part.
fn share(state: &State, settings: &Settings, held: &Quantities) -> f64 {
    let mut total = state.book.total.clone();
    settings.unshared.iter().for_each(|name| total.clear(name));
    held.share_of(&total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statemachine::cluster::Weigh;
    use statemachine::offer::Decline;
    use statemachine::quota::{Before, Quota, SetQuotas};
    use statemachine::resources::Scalar;
    use statemachine::testing::World;

    fn check(world: &World, expected: &[(&str, f64)]) {
        let mut metrics = Metrics::default();
        add(&mut metrics, &world.state, &world.settings);
        let values: BTreeMap<_, _> = metrics.values().collect();
        for (name, value) in expected {
            let found = values.get(format!("allocator/mesos/{name}").as_str());
            assert_eq!(found, Some(value), "{name}");
        }
    }

    #[test]
    fn roles_have_shares_filters_and_quotas() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a/b"]);
        let limits = [(Name::Cpus, Scalar(3000))].into();
        let quota = Quota { guarantees: [(Name::Cpus, Scalar(2000))].into(), limits };
        let quotas = vec![("a".into(), quota)];
        world.must(SetQuotas { quotas, force: true, before: Before::Any });
        world.must(Weigh { weights: vec![("a".into(), 2000)] });
        world.launch(framework, "t", "cpus:1;mem:2048");
        check(
            &world,
            &[
                ("roles/a/shares/dominant", 0.25),
                ("roles/a/b/shares/dominant", 0.5),
                ("offer_filters/roles/a/b/active", 0.0),
                ("quota/roles/a/resources/cpus/guarantee", 2.0),
                ("quota/roles/a/resources/cpus/limit", 3.0),
                ("quota/roles/a/resources/cpus/consumed", 1.0),
                ("quota/roles/a/resources/cpus/offered_or_allocated", 1.0),
            ],
        );
        world.allocate();
        check(&world, &[("quota/roles/a/resources/cpus/offered_or_allocated", 3.0)]);
        let offers = world.offers(framework);
        world.must(Decline { framework, offers, refuse_seconds: Some(60.0) });
        check(&world, &[("offer_filters/roles/a/b/active", 1.0)]);
    }
}
