//! Tests of single rules of allocation that are nobody else's: the order of agents, and what counts.

use std::collections::BTreeSet;

use super::line::Lookout;
use super::tree::{ROOT, Tree};
use super::{Allocate, allocate};
use crate::offer::Operation;
use crate::testing::{World, command_task, resources};
use crate::{AgentId, Context, FrameworkId};

fn context(world: &World, seed: u64) -> Context {
    let settings = world.settings.clone().into();
    Context { now: world.now, seed, principal: None, settings }
}

/// semantics 172, gaps 32: which agent comes when is drawn by a seed that the journal's readers can use
/// again; each goes whole to whoever is first then.
#[test]
fn agents_come_in_any_order_and_go_to_one_each() {
    let mut world = World::new();
    let agents: BTreeSet<_> = (0..12).map(|_| world.agent("cpus:1;mem:64")).collect();
    let frameworks = [world.framework(&["a"]), world.framework(&["b"])];
    let mut orders = BTreeSet::new();
    for seed in 0..4 {
        let offers = allocate(&world.state, &context(&world, seed), None, &mut ());
        let order: Vec<AgentId> = offers.iter().map(|offer| offer.agent).collect();
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), agents);
        assert_eq!(order.len(), agents.len(), "no agent is split");
        let takers: Vec<_> = offers.iter().map(|offer| offer.framework).collect();
        let in_turn = frameworks.iter().cycle().take(agents.len());
        assert!(takers.iter().eq(in_turn), "the sorter decides who, not the agents: {takers:?}");
        assert!(offers.iter().all(|offer| offer.resources == resources("cpus:1;mem:64")));
        orders.insert(order);
    }
    assert!(orders.len() > 1, "the order of agents depends on the seed");
}

/// The share of the only role after something was done with an agent that has 8 CPUs, 4 of them
/// reserved, and 4 GB.
fn check_share(act: impl FnOnce(&mut World, FrameworkId), expected: f64) {
    let mut world = World::new();
    world.agent("cpus:4;mem:4096;ports:[1-10];cpus(a):4");
    let framework = world.framework(&["a"]);
    act(&mut world, framework);
    let tree = Tree::new(&world.state, &world.settings);
    let role = tree.children(ROOT, Lookout::ALL).next().expect("a role");
    let share = tree.share(role);
    assert!((share - expected).abs() < 1e-9, "{share} is not {expected}");
}

fn run(text: &'static str) -> impl FnOnce(&mut World, FrameworkId) {
    move |world, framework| {
        let task = command_task("t", AgentId(0), text);
        world.operate(framework, vec![Operation::Launch(vec![task])]);
        assert_eq!(world.state.tasks.len(), 1);
    }
}

/// semantics 174
#[test]
fn a_share_counts_what_is_used_and_what_is_offered() {
    check_share(|_, _| {}, 0.0);
    check_share(|world, _| world.allocate(), 1.0); // all of it is on the table
    check_share(run("cpus:2;mem:64"), 0.25);
    check_share(run("cpus:1;mem:2048"), 0.5); // the larger of the two
    check_share(run("cpus(a):2;mem:64"), 0.25); // reserved or not
    check_share(run("ports:[1-10]"), 0.0); // no scalar
}

/// semantics 171: whoever wants agents looked at names them, and others are left alone.
#[test]
fn only_the_agents_that_are_named_are_looked_at() {
    let mut world = World::new();
    let agents = [world.agent("cpus:1;mem:64"), world.agent("cpus:1;mem:64")];
    let framework = world.framework(&["a"]);
    world.must(Allocate { agents: Some(vec![agents[1]]) });
    let offered: Vec<_> =
        world.offers(framework).iter().map(|id| world.state.offers[id].agent).collect();
    assert_eq!(offered, [agents[1]]);
}
