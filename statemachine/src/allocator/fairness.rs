//! Tests of who comes first: the examples of the DRF and hierarchical DRF papers and of Mesos.

use std::collections::BTreeMap;

use crate::offer::{Accept, Decline, Operation};
use crate::resources::Resources;
use crate::testing::{World, command_task, resources};
use crate::{FrameworkId, OfferId, Role};

/// Frameworks that launch task after task of one size each, for as long as they fit. One without a
/// size refuses all that it is offered, for no longer than it takes to say so.
struct Race {
    world: World,
    demands: BTreeMap<FrameworkId, Resources>,
    launched: BTreeMap<FrameworkId, u32>,
}

impl Race {
    /// On one agent; each framework has a role and a demand.
    fn new(agent: &str, racers: &[(&str, &str)]) -> Self {
        let mut world = World::new();
        world.agent(agent);
        let demands = racers.iter().map(|(role, demand)| (world.framework(&[*role]), *demand));
        let demands: Vec<_> = demands.collect();
        let demands = demands.into_iter().map(|(id, demand)| (id, resources(demand))).collect();
        Self { world, demands, launched: BTreeMap::new() }
    }

    fn weigh(&mut self, role: &str, thousandths: u64) {
        self.world.state.weights.insert(role.into(), thousandths);
        self.world.replica.weights.insert(role.into(), thousandths);
    }

    /// Until nobody has use for an offer; says how many tasks each has launched.
    fn run(mut self) -> Vec<u32> {
        let mut idle = 0;
        while idle < self.demands.len() {
            self.world.allocate();
            let offers: Vec<_> = self.world.state.offers.values().cloned().collect();
            let before = self.world.state.tasks.len();
            for offer in offers {
                self.turn(offer.framework, offer.id);
            }
            idle = if self.world.state.tasks.len() > before { 0 } else { idle + 1 };
        }
        let launched = self.demands.keys().map(|id| self.launched.get(id).copied());
        launched.map(Option::unwrap_or_default).collect()
    }

    fn turn(&mut self, framework: FrameworkId, id: OfferId) {
        let offer = self.world.state.offers[&id].clone();
        let demand = &self.demands[&framework];
        if demand.is_empty() || !offer.resources.contains(demand) {
            let refuse_seconds = Some(if demand.is_empty() { 0.0 } else { 3600.0 });
            self.world.must(Decline { framework, offers: vec![id], refuse_seconds });
            return;
        }
        let launched = self.launched.entry(framework).or_default();
        *launched += 1;
        let mut task = command_task(&format!("t{launched}"), offer.agent, "");
        task.resources = demand.clone();
        self.world.accept(framework, &[id], vec![Operation::Launch(vec![task])]);
    }
}

fn check(agent: &str, racers: &[(&str, &str)], want: &[u32]) {
    assert_eq!(Race::new(agent, racers).run(), want, "{racers:?} on {agent}");
}

/// semantics 173
#[test]
fn the_example_of_the_drf_paper() {
    // A is bound by memory, B by CPUs; both end with two thirds (Ghodsi et al. 2011, section 4.1)
    check("cpus:9;mem:18000", &[("a", "cpus:1;mem:4000"), ("b", "cpus:3;mem:1000")], &[3, 2]);
    // the same within one role
    check("cpus:9;mem:18000", &[("a", "cpus:1;mem:4000"), ("a", "cpus:3;mem:1000")], &[3, 2]);
}

#[test]
fn equal_demands_get_equal_shares() {
    let one = "cpus:1;mem:100";
    check("cpus:12;mem:12000", &[("a", one), ("b", one), ("c", one)], &[4, 4, 4]);
    // roles share, not frameworks
    check("cpus:12;mem:12000", &[("a", one), ("a", one), ("b", one)], &[3, 3, 6]);
}

#[test]
fn what_one_cannot_use_goes_to_the_others() {
    let (small, large) = ("cpus:1;mem:100", "cpus:7;mem:100");
    check("cpus:12;mem:12000", &[("a", small), ("b", large)], &[5, 1]);
}

/// decision 0021
#[test]
fn those_who_refuse_everything_change_nothing() {
    let (a, b) = ("cpus:1;mem:4000", "cpus:3;mem:1000");
    check("cpus:9;mem:18000", &[("x", ""), ("a", a), ("b", b), ("y", "")], &[0, 3, 2, 0]);
    check("cpus:9;mem:18000", &[("a", ""), ("a", a), ("a", ""), ("a", b)], &[0, 3, 0, 2]);
    check("cpus:9;mem:18000", &[("a/x", ""), ("a/y", a), ("a", ""), ("b", b)], &[0, 3, 0, 2]);
}

/// semantics 173
#[test]
fn sub_roles_share_what_their_parent_has() {
    let one = "cpus:1;mem:100";
    let racers = [("eng/a", one), ("eng/b", one), ("ops", one)];
    check("cpus:12;mem:12000", &racers, &[3, 3, 6]);
    // frameworks of a role itself count as one more sub-role
    let racers = [("eng", one), ("eng/a", one), ("eng/b", one), ("ops", one)];
    check("cpus:12;mem:12000", &racers, &[2, 2, 2, 6]);
}

/// semantics 173
#[test]
fn weights_multiply_shares_at_their_level() {
    let one = "cpus:1;mem:100";
    let mut race = Race::new("cpus:12;mem:12000", &[("a", one), ("b", one)]);
    race.weigh("a", 2000);
    assert_eq!(race.run(), [8, 4]);
    let mut race = Race::new("cpus:12;mem:12000", &[("eng/a", one), ("eng/b", one), ("ops", one)]);
    race.weigh("eng/a", 2000); // bears on eng/b alone
    assert_eq!(race.run(), [4, 2, 6]);
    let mut race = Race::new("cpus:12;mem:12000", &[("eng/a", one), ("ops", one)]);
    race.weigh("eng", 500);
    assert_eq!(race.run(), [4, 8]);
}

#[test]
fn what_the_inactive_hold_counts_in_their_roles_share() {
    let one = "cpus:1;mem:100";
    let mut race = Race::new("cpus:12;mem:12000", &[("eng/a", one), ("eng/b", one), ("ops", one)]);
    let away = *race.demands.keys().next().expect("one");
    let task = command_task("t", crate::AgentId(0), "cpus:4;mem:100");
    race.world.must(crate::framework::Suppress { framework: FrameworkId(1), roles: Vec::new() });
    race.world.must(crate::framework::Suppress { framework: FrameworkId(2), roles: Vec::new() });
    race.world.operate(away, vec![Operation::Launch(vec![task])]);
    race.world.must(crate::framework::Suppress { framework: away, roles: Vec::new() });
    for framework in [FrameworkId(1), FrameworkId(2)] {
        race.world.must(crate::framework::Revive { framework, roles: Vec::new() });
    }
    // of the 8 left, 6 to ops and 2 to eng, which then both have 6
    assert_eq!(race.run(), [0, 2, 6]);
}

#[test]
fn of_equals_the_one_with_fewer_offers_comes_first() {
    let mut world = World::new();
    world.agent("cpus:1;mem:100");
    let frameworks: Vec<_> = (0..4).map(|_| world.framework(&["a"])).collect();
    let mut order = Vec::new();
    for _ in 0..8 {
        world.allocate();
        let offer = world.state.offers.values().next().expect("an offer").clone();
        order.push(offer.framework);
        let (framework, offers) = (offer.framework, vec![offer.id]);
        world.must(Decline { framework, offers, refuse_seconds: Some(0.0) });
    }
    assert_eq!(order, [&frameworks[..], &frameworks[..]].concat(), "semantics 173");
}

#[test]
fn the_example_of_mesos_architecture_page() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:4096");
    let first = world.framework(&["*"]);
    world.allocate();
    let second = world.framework(&["*"]);
    let offers = world.offers(first);
    assert_eq!(world.state.offers[&offers[0]].resources, resources("cpus:4;mem:4096"));
    let tasks = vec![
        command_task("a", agent, "cpus:2;mem:1024"),
        command_task("b", agent, "cpus:1;mem:2048"),
    ];
    world.must(Accept {
        framework: first,
        offers: vec![world.reference(offers[0])],
        operations: vec![Operation::Launch(tasks)],
        refuse_seconds: None,
    });
    world.allocate();
    let offers = world.offers(second);
    assert_eq!(world.state.offers[&offers[0]].resources, resources("cpus:1;mem:1024"));
    assert_eq!(world.state.offers[&offers[0]].role, Role::from("*"));
}
