//! Tests of single rules of quota: what comes with a guarantee, what is too little, what stays.

use super::SetQuotas;
use super::laws::{guarantee, limit, obstacles, offered, set};
use crate::allocator::Obstacle;
use crate::effect::Effect;
use crate::framework_capability::REVOCABLE_RESOURCES;
use crate::resources::{Name, Scalar};
use crate::testing::{World, plus, resources, revocable};

/// semantics 180, 181: what is reserved, no scalar or revocable is bounded by nothing, and neither is a
/// scalar that the quota does not name.
#[test]
fn what_a_quota_does_not_bound_comes_with_what_it_does() {
    let mut world = World::new();
    let lent = revocable(&resources("cpus:2"));
    let mut hello = world.hello(None, "cpus:4;mem:4096;ports:[1-9];cpus(due):1");
    hello.estimate = lent.clone();
    world.must(hello);
    let greedy = world.framework(&["greedy"]);
    let mut subscribe = world.subscription(None, &["due"]);
    let capabilities = &mut subscribe.description.capabilities;
    *capabilities = capabilities.with(REVOCABLE_RESOURCES);
    let due = world.subscribe(subscribe);
    world.must(set("due", "cpus:3", "cpus:3", false));
    world.allocate();
    // of the 3 that it may have, 1 is reserved for it
    let expected = plus(&resources("cpus:2;mem:4096;ports:[1-9];cpus(due):1"), &lent);
    assert_eq!(offered(&world, due), expected);
    assert_eq!(offered(&world, greedy), resources("cpus:2"), "what is left over its limit");
}

/// semantics 182
#[test]
fn what_a_limit_leaves_of_an_offer_must_be_worth_one() {
    for (limits, offers) in [("cpus:0.005;mem:16", 0), ("cpus:0.005;mem:32", 1)] {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a"]);
        limit(&mut world, "a", limits);
        world.allocate();
        assert_eq!(world.offers(framework).len(), offers, "{limits}");
        assert!(offers == 1 || obstacles(&world).contains(&Obstacle::Limit));
    }
}

/// semantics 183, bettered by gaps 17: what everybody holds is known, so nothing is waited for.
#[test]
fn a_new_leader_offers_at_once_whatever_the_quotas() {
    let mut world = World::new();
    for _ in 0..10 {
        world.agent("cpus:1;mem:64");
    }
    let framework = world.framework(&["a"]);
    guarantee(&mut world, "a", "cpus:2");
    world.lead(2);
    let again = world.subscription(Some("c-0000"), &["a"]);
    world.subscribe(again);
    world.allocate();
    assert_eq!(world.offers(framework).len(), 10, "no agent has come back yet");
    guarantee(&mut world, "b", "cpus:8"); // gaps 16: and what there is in all is known
}

/// semantics 184: nobody is killed for a limit; and nothing more is given.
#[test]
fn what_runs_above_a_lowered_limit_runs_on() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:4096");
    let framework = world.framework(&["a"]);
    world.launch(framework, "t", "cpus:3;mem:64");
    world.sent();
    world.must(set("a", "", "cpus:1", true));
    let directed = world.effects.iter().any(|effect| matches!(effect, Effect::Agent { .. }));
    assert!(!directed, "{:?}", world.effects);
    assert_eq!(world.state.agents[&agent].used.scalar(&Name::Cpus), Scalar(3000));
    world.allocate();
    assert_eq!(offered(&world, framework).scalar(&Name::Cpus), Scalar(0));
}

/// semantics 185: all or nothing; gaps 55: at every depth.
#[test]
fn quotas_are_set_together_or_not_at_all() {
    let mut world = World::new();
    world.agent("cpus:4;mem:4096");
    let both = |first: SetQuotas, second: SetQuotas| SetQuotas {
        quotas: [first.quotas, second.quotas].concat(),
        ..first
    };
    let good = || set("a", "cpus:1", "cpus:2", false);
    let refused = world.ask(both(good(), set("a/b", "", "cpus:3", false))).expect_err("above a's");
    assert!(refused.to_string().contains("limit cpus:2 of role 'a'"), "{refused}");
    assert!(world.state.quotas.is_empty());
    world.must(both(good(), set("a/b", "", "cpus:2", false)));
    assert_eq!(world.state.quotas.len(), 2);
}
