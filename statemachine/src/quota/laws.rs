//! Tests of what quotas do: to offers, to operations and to one another.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Amounts, Before, Bound, Quota, SetQuotas, counts, plain};
use crate::allocator::{Obstacle, Step, allocate};
use crate::offer::{Decline, OffersMade, Operation};
use crate::operation::{Operate, Request};
use crate::resources::{Disk, DiskKind, DiskSource, Name, Quantities, Resource, Resources, Scalar};
use crate::testing::{World, command_task, reserved, resources};
use crate::{AgentId, Context, FrameworkId, Rejection};

/// From `cpus:1;mem:0`.
fn amounts(text: &str) -> Amounts {
    let parts = text.split(';').filter_map(|part| part.split_once(':'));
    let amount = |text: &str| Scalar::from_f64(text.parse().expect("a number"));
    parts.map(|(name, text)| (name.into(), amount(text))).collect()
}

pub(super) fn set(role: &str, guarantees: &str, limits: &str, force: bool) -> SetQuotas {
    let quota = Quota { guarantees: amounts(guarantees), limits: amounts(limits) };
    SetQuotas { quotas: vec![(role.into(), quota)], force, before: Before::Any }
}

pub(super) fn limit(world: &mut World, role: &str, limits: &str) {
    world.must(set(role, "", limits, false));
}

pub(super) fn guarantee(world: &mut World, role: &str, guarantees: &str) {
    world.must(set(role, guarantees, "", false));
}

/// A world with so many agents of 4 CPUs and 4 GB.
fn agents(count: usize) -> World {
    let mut world = World::new();
    (0..count).for_each(|_| {
        world.agent("cpus:4;mem:4096;ports:[1-10]");
    });
    world
}

/// What is offered to a framework in all.
pub(super) fn offered(world: &World, framework: FrameworkId) -> Resources {
    let mut sum = Resources::default();
    for offer in world.state.offers.values().filter(|offer| offer.framework == framework) {
        sum.add_all(&offer.resources);
    }
    sum
}

fn cpus(world: &World, framework: FrameworkId) -> f64 {
    offered(world, framework).scalar(&Name::Cpus).to_f64()
}

pub(super) fn obstacles(world: &World) -> Vec<Obstacle> {
    let settings = world.settings.clone().into();
    let context = Context { now: world.now, seed: 1, principal: None, settings };
    let mut steps: Vec<Step> = Vec::new();
    allocate(&world.state, &context, None, &mut steps);
    let obstacle = |step| match step {
        Step::PassedOver(.., why) => Some(why),
        Step::Skipped(..) | Step::Offered(..) => None,
    };
    steps.into_iter().filter_map(obstacle).collect()
}

/// semantics 181
#[test]
fn no_role_is_offered_more_than_its_limit() {
    let mut world = agents(3);
    let framework = world.framework(&["a"]);
    limit(&mut world, "a", "cpus:6;mem:3000");
    world.allocate();
    let offered = offered(&world, framework);
    assert_eq!(offered.scalar(&Name::Mem), Scalar(3_000_000));
    assert!(offered.scalar(&Name::Cpus) <= Scalar(6000), "{offered}");
    assert!(obstacles(&world).contains(&Obstacle::Limit));
    assert!(!offered.filtered(|it| it.name == Name::Ports).is_empty(), "no scalar, no limit");
}

#[test]
fn a_limit_of_nothing_offers_nothing() {
    let mut world = agents(1);
    let framework = world.framework(&["a"]);
    let other = world.framework(&["b"]);
    limit(&mut world, "a", "cpus:0;mem:0");
    world.allocate();
    assert!(world.offers(framework).is_empty());
    assert_eq!(world.offers(other).len(), 1);
}

/// gaps 55
#[test]
fn a_limit_holds_for_all_below() {
    let mut world = agents(4);
    let frameworks =
        [world.framework(&["a/b"]), world.framework(&["a/c"]), world.framework(&["a"])];
    limit(&mut world, "a", "cpus:5");
    limit(&mut world, "a/b", "cpus:1");
    for _ in 0..4 {
        world.allocate();
    }
    let each = frameworks.map(|framework| cpus(&world, framework));
    assert!(each[0] <= 1.0, "{each:?}");
    assert!((each.iter().sum::<f64>() - 5.0).abs() < 1e-9, "{each:?}");
}

/// semantics 179
#[test]
fn reservations_count_for_whom_they_are_made() {
    let mut world = World::new();
    world.agent("cpus:4;mem:4096;cpus(a):2;mem(a):64");
    world.agent("cpus:4;mem:4096");
    let framework = world.framework(&["a/b"]);
    limit(&mut world, "a", "cpus:3");
    limit(&mut world, "a/b", "cpus:2");
    world.allocate();
    let offered = offered(&world, framework);
    let unreserved = offered.filtered(|it| it.reservations.is_empty());
    assert_eq!(unreserved.scalar(&Name::Cpus), Scalar(1000), "2 of the 3 are reserved");
    assert_eq!(offered.scalar(&Name::Cpus), Scalar(3000), "reservations are offered all the same");
}

/// semantics 180
#[test]
fn guarantees_are_met_first() {
    let mut world = agents(2);
    let greedy = world.framework(&["greedy"]);
    let due = world.framework(&["due"]);
    guarantee(&mut world, "due", "cpus:6;mem:6000");
    world.allocate();
    assert!(cpus(&world, due) >= 6.0);
    assert!(cpus(&world, greedy) <= 2.0);
}

/// semantics 110, 181
#[test]
fn what_is_guaranteed_stays_free_until_it_is_wanted() {
    let mut world = agents(2);
    let greedy = world.framework(&["greedy"]);
    guarantee(&mut world, "due", "cpus:6");
    for _ in 0..3 {
        world.allocate();
    }
    assert!((cpus(&world, greedy) - 2.0).abs() < 1e-9, "{}", cpus(&world, greedy));
    assert!(obstacles(&world).contains(&Obstacle::Guarantees));
    let due = world.framework(&["due"]);
    world.allocate();
    assert!((cpus(&world, due) - 6.0).abs() < 1e-9, "{}", cpus(&world, due));
}

/// gaps 57
#[test]
fn a_guarantee_covers_those_of_the_roles_below() {
    let mut world = agents(4);
    let sibling = world.framework(&["a/c"]);
    let other = world.framework(&["b"]);
    guarantee(&mut world, "a", "cpus:10");
    guarantee(&mut world, "a/b", "cpus:4");
    for _ in 0..4 {
        world.allocate();
    }
    // 4 stay free for a/b; 6 more are a's, which a/c alone can take; the rest are anybody's
    let (sibling, other) = (cpus(&world, sibling), cpus(&world, other));
    assert!((sibling + other - 12.0).abs() < 1e-9, "{sibling} {other}");
    assert!(sibling >= 6.0, "{sibling}");
}

/// semantics 182
#[test]
fn what_is_indivisible_is_never_cut() {
    let mut world = agents(1);
    let framework = world.framework(&["a"]);
    limit(&mut world, "a", "disk:100");
    let state = &world.state;
    let headroom = super::Headroom::new(state);
    let plain = resources("cpus:1;disk:500");
    let source = DiskSource { kind: DiskKind::Mount, payload: Bytes::from_static(b"mount") };
    let mount = Some(Arc::new(Disk { source: Some(source), ..Disk::default() }));
    let whole = |resource: &Resource| {
        let disk = mount.clone().filter(|_| resource.name == Name::Disk);
        Resource { disk, ..resource.clone() }
    };
    let mounted: Resources = plain.iter().map(whole).collect();
    let account = headroom.account("a");
    for (free, want) in [(plain, "cpus:1;disk:100"), (mounted, "cpus:1")] {
        let cut = headroom.cut(account, &free, &Quantities::of(&free));
        assert_eq!(cut, Some((resources(want), Bound::Limit)));
    }
    assert_eq!(world.offers(framework).len(), 0);
}

/// semantics 184; gaps 56
#[test]
fn neither_operators_nor_frameworks_pass_a_limit() {
    let mut world = World::new();
    world.agent("cpus:4;mem:4096;cpus(a):2;mem(a):64");
    let framework = world.framework(&["a/b"]);
    limit(&mut world, "a/b", "cpus:1");
    limit(&mut world, "a", "cpus:4");
    let request = Request::Reserve(Ok(reserved(&resources("cpus:3"), "a")));
    let refused = world.ask(Operate { agent: Some(AgentId(0)), request });
    assert!(matches!(refused, Err(Rejection::Conflict(_))), "{refused:?}");
    let request = Request::Reserve(Ok(reserved(&resources("cpus:1"), "a")));
    world.ask(Operate { agent: Some(AgentId(0)), request }).expect("within the limit");
    // what was reserved for a, and is not any more, would be a/b's own
    let own = reserved(&resources("cpus:1"), "a");
    world.operate(framework, vec![Operation::Convert(Request::Unreserve(Ok(own.clone())), None)]);
    assert!(world.state.agents[&AgentId(0)].total.contains(&own), "it is still reserved");
}

/// semantics 185, 187
#[test]
fn a_quota_that_cannot_be_is_refused() {
    let mut world = agents(2);
    let framework = world.framework(&["a"]);
    world.launch(framework, "t", "cpus:3;mem:64");
    let steps = [
        (set("a", "", "cpus:2", false), "consumes cpus:3 already"),
        (set("a", "cpus:3", "cpus:4", false), ""),
        (set("a/b", "cpus:1", "cpus:5", false), "is more than the limit cpus:4 of role 'a'"),
        (set("a/b", "cpus:5", "", false), "which is more than its limit cpus:4"),
        (set("b", "cpus:6", "", false), "the cluster has cpus:8"),
        (set("b", "cpus:6", "", true), ""),
        (set("b", "cpus:6", "cpus:5", true), "which is more than its limit cpus:5"),
        (set("a", "", "cpus:2", true), ""),
        (set("a", "", "", false), ""),
        (set("b", "", "", false), ""),
    ];
    for (command, says) in steps {
        let before = world.state.quotas.clone();
        match world.ask(command.clone()) {
            Ok(_) => assert!(says.is_empty(), "{command:?} was taken"),
            Err(refused) => {
                assert!(!says.is_empty() && refused.to_string().contains(says), "{refused}");
                assert_eq!(world.state.quotas, before);
            }
        }
    }
    assert!(world.state.quotas.is_empty(), "semantics 187");
}

/// semantics 185
#[test]
fn offers_in_the_way_of_a_quota_are_taken_back() {
    let mut world = agents(2);
    let (a, b) = (world.framework(&["a"]), world.framework(&["b"]));
    world.allocate();
    assert_eq!((cpus(&world, a), cpus(&world, b)), (4.0, 4.0));
    limit(&mut world, "a", "cpus:3");
    assert_eq!((cpus(&world, a), cpus(&world, b)), (0.0, 4.0), "above its limit");
    world.allocate();
    assert_eq!((cpus(&world, a), cpus(&world, b)), (3.0, 5.0));
    for guaranteed in 1..=8 {
        guarantee(&mut world, "c", &format!("cpus:{guaranteed}"));
        let free = 8.0 - cpus(&world, a) - cpus(&world, b);
        assert!(free >= f64::from(guaranteed), "{free} of {guaranteed}");
    }
    world.lead(2);
    assert_eq!(world.state.quotas.len(), 2, "semantics 250");
}

const ROLES: [&str; 5] = ["a", "a/b", "a/c", "d", "e"];

#[derive(Clone, Debug)]
enum Action {
    Framework(usize),
    Quota(usize, u8, u8, bool),
    Allocate,
    Answer(u8),
    Reserve(usize, u8),
    Finish,
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (0usize..5).prop_map(Action::Framework),
        (0usize..5, 0u8..9, 0u8..9, any::<bool>()).prop_map(|(role, guarantee, limit, force)| {
            Action::Quota(role, guarantee, limit, force)
        }),
        Just(Action::Allocate),
        Just(Action::Allocate),
        any::<u8>().prop_map(Action::Answer),
        (0usize..5, 1u8..5).prop_map(|(role, cpus)| Action::Reserve(role, cpus)),
        Just(Action::Finish),
    ]
}

fn act(world: &mut World, number: usize, action: &Action) {
    match action {
        Action::Framework(role) => {
            world.framework(&[ROLES[*role]]);
        }
        Action::Quota(role, guarantee, limit, force) => {
            let guarantees =
                if *guarantee > 0 { format!("cpus:{guarantee}") } else { String::new() };
            let limits = format!("cpus:{limit}");
            let _ = world.ask(set(ROLES[*role], &guarantees, &limits, *force));
        }
        Action::Allocate => world.allocate(),
        Action::Answer(choice) => {
            let offers: Vec<_> = world.state.offers.values().cloned().collect();
            for offer in offers {
                let cpus = offer.resources.filtered(|it| it.name == Name::Cpus);
                let operation = match choice % 3 {
                    0 => {
                        let name = format!("{number}-{}", offer.id);
                        let mut task = command_task(&name, offer.agent, "");
                        task.resources = cpus;
                        Operation::Launch(vec![task])
                    }
                    1 => Operation::reserve(Ok(reserved(&cpus, &offer.role))),
                    _ => {
                        let (framework, offers) = (offer.framework, vec![offer.id]);
                        world.must(Decline { framework, offers, refuse_seconds: Some(0.0) });
                        continue;
                    }
                };
                world.accept(offer.framework, &[offer.id], vec![operation]);
            }
        }
        Action::Reserve(role, cpus) => {
            let some = reserved(&resources(&format!("cpus:{cpus}")), ROLES[*role]);
            let request = Request::Reserve(Ok(some));
            let _ = world.ask(Operate { agent: Some(AgentId(0)), request });
        }
        Action::Finish => {
            if let Some(task) = world.state.tasks.values().next().cloned() {
                let framework = task.key.framework;
                let _ = world.update(framework, &task.key.task, crate::TaskState::Finished, 1);
                world.acknowledge(framework, &task.key.task, 1);
            }
        }
    }
}

fn owned(world: &World) -> BTreeMap<String, Quantities> {
    let consumption = world.state.consumption().into_iter();
    consumption.map(|(role, consumed)| (role.to_owned(), consumed)).collect()
}

/// What is offered does not depend on whether anybody listens, which makes searches longer; and giving
/// out step by step leaves as much room as a count afterwards.
fn check_shortcuts(world: &World) {
    let settings = world.settings.clone().into();
    let context = Context { now: world.now, seed: 5, principal: None, settings };
    let mut steps: Vec<Step> = Vec::new();
    let offers = allocate(&world.state, &context, None, &mut ());
    assert_eq!(offers, allocate(&world.state, &context, None, &mut steps), "{steps:?}");
    let mut headroom = super::Headroom::new(&world.state);
    for offer in &offers {
        let counted = Quantities::of(offer.resources.iter().filter(|it| counts(it)));
        headroom.charge(headroom.account(&offer.role), &counted);
    }
    let mut after = world.state.clone();
    let event = OffersMade { offers: offers.clone(), until: None }.into();
    crate::apply(&mut after, world.now, &event, &mut Vec::new());
    assert_eq!(plain::rooms(&headroom), plain::rooms(&super::Headroom::new(&after)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// gaps 56 and 61: whatever happens, a role gets no more of what it has more of than its limit, and what is free
    /// covers what the guarantees still need, if it did before.
    #[test]
    fn no_decision_passes_a_limit(actions in prop::collection::vec(any_action(), 1..60)) {
        let mut world = agents(4);
        for (number, action) in actions.iter().enumerate() {
            let before = owned(&world);
            let forced = matches!(action, Action::Quota(.., true));
            let lacked = super::Headroom::new(&world.state).lacking().count();
            if matches!(action, Action::Allocate) {
                check_shortcuts(&world);
            }
            act(&mut world, number, action);
            plain::check(&world.state);
            for (role, quota) in &world.state.quotas {
                let consumed = |of: &BTreeMap<String, Quantities>, name: &Name| {
                    of.get(&**role).map_or(Scalar(0), |consumed| consumed.get(name))
                };
                for (name, limit) in &quota.limits {
                    let now = consumed(&owned(&world), name);
                    let then = consumed(&before, name);
                    prop_assert!(
                        now <= *limit || now <= then || forced,
                        "{role} has {now} of {name}, its limit is {limit}, after {action:?}"
                    );
                }
            }
            if matches!(action, Action::Allocate) && lacked == 0 {
                prop_assert_eq!(super::Headroom::new(&world.state).lacking().count(), 0);
            }
        }
    }
}
