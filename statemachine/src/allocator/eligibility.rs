//! Tests of who can take what: filters, reservations, capabilities, and what is too little.

use std::sync::Arc;

use super::{Allocate, Obstacle, Skip, Step, allocate};
use crate::agent::{Attribute, Domain};
use crate::framework::{Description, Revive, Suppress, Update};
use crate::framework_capability as capability;
use crate::offer::{Constraint, Decline, OfferConstraints, Operation, Predicate, Selector};
use crate::quota::Amounts;
use crate::resources::{Name, Resources, Scalar};
use crate::testing::{World, command_task, plus, reserved, resources, revocable, shared, volume};
use crate::{AgentId, Capabilities, Context, FrameworkId};

/// What a framework is offered in one cycle, in all.
fn offered(world: &mut World, framework: FrameworkId) -> Resources {
    world.allocate();
    let offers = world.offers(framework);
    offers.iter().flat_map(|id| &world.state.offers[id].resources).cloned().collect()
}

fn check(world: &mut World, framework: FrameworkId, want: &str) {
    let found = offered(world, framework);
    assert_eq!(found, resources(want), "{found}");
}

/// What a cycle over agent 0 would look at.
fn steps(world: &World) -> Vec<Step> {
    let context = Context {
        now: world.now,
        seed: 0,
        principal: None,
        settings: world.settings.clone().into(),
    };
    let mut steps = Vec::new();
    allocate(&world.state, &context, Some(&[AgentId(0)]), &mut steps);
    steps
}

fn passed_over(world: &World) -> Vec<(FrameworkId, Obstacle)> {
    let steps = steps(world).into_iter();
    steps
        .filter_map(|step| match step {
            Step::PassedOver(_, framework, _, why) => Some((framework, why)),
            Step::Skipped(..) | Step::Offered(..) => None,
        })
        .collect()
}

fn decline(world: &mut World, framework: FrameworkId, refuse_seconds: Option<f64>) {
    let offers = world.offers(framework);
    world.must(Decline { framework, offers, refuse_seconds });
}

fn able(world: &mut World, roles: &[&str], capabilities: &[i32]) -> FrameworkId {
    let mut subscribe = world.subscription(None, roles);
    let none = Capabilities::default();
    subscribe.description.capabilities =
        capabilities.iter().fold(none, |sum, capability| sum.with(*capability));
    world.subscribe(subscribe)
}

#[test]
fn all_that_is_free_on_an_agent_is_one_offer() {
    let mut world = World::new();
    let has = "cpus:4;mem:1024;disk:100;ports:[1-9]";
    world.agent(has);
    let framework = world.framework(&["*"]);
    check(&mut world, framework, has);
    assert_eq!(world.offers(framework).len(), 1);
    assert!(world.state.book.free.is_empty(), "nothing is left to look at");
    let other = world.framework(&["*"]);
    check(&mut world, other, "");
}

#[test]
fn an_agent_named_twice_is_offered_once() {
    let mut world = World::new();
    let agents = [world.agent("cpus:1;mem:64"), world.agent("cpus:2;mem:64")];
    let framework = world.framework(&["*"]);
    world.must(Allocate { agents: Some(vec![agents[1], agents[1], AgentId(9)]) });
    let offers = world.offers(framework);
    let named: Vec<_> = offers.iter().map(|id| world.state.offers[id].agent).collect();
    assert_eq!(named, [agents[1]]);
}

#[test]
fn too_little_is_not_offered() {
    for (has, offers) in [
        ("cpus:0.009;mem:31.999;disk:9999", 0),
        ("cpus:0.01", 1),
        ("mem:32", 1),
        ("ports:[1-1000]", 0),
    ] {
        let mut world = World::new();
        world.agent(has);
        let framework = world.framework(&["*"]);
        world.allocate();
        assert_eq!(world.offers(framework).len(), offers, "semantics 178: {has}");
    }
}

#[test]
fn a_refusal_counts_until_it_ends_or_there_is_more() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:1024");
    let framework = world.framework(&["*"]);
    world.launch(framework, "t", "cpus:1;mem:24");
    check(&mut world, framework, "cpus:3;mem:1000");
    decline(&mut world, framework, None);
    world.pass_ms(4_999);
    check(&mut world, framework, ""); // semantics 104
    assert_eq!(passed_over(&world), [(framework, Obstacle::Filter)]);
    world.pass_ms(1);
    check(&mut world, framework, "cpus:3;mem:1000");
    decline(&mut world, framework, Some(3600.0));
    check(&mut world, framework, "");
    world.update(framework, "t", crate::TaskState::Finished, 1).expect("taken");
    check(&mut world, framework, "cpus:4;mem:1024"); // semantics 107
    assert_eq!(world.state.offers.values().next().expect("an offer").agent, agent);
}

#[test]
fn what_one_refuses_others_are_offered() {
    let mut world = World::new();
    world.agent("cpus:4;mem:1024");
    let first = world.framework(&["a", "b"]);
    world.allocate();
    let role = world.state.offers.values().next().expect("an offer").role.clone();
    decline(&mut world, first, Some(60.0));
    world.allocate();
    let again = world.state.offers.values().next().expect("an offer");
    assert_ne!(again.role, role, "semantics 108: filters are per role");
    decline(&mut world, first, Some(60.0));
    check(&mut world, first, "");
    let second = world.framework(&["a"]);
    check(&mut world, second, "cpus:4;mem:1024");
}

#[test]
fn revive_forgets_refusals_and_suppress_does_not() {
    let mut world = World::new();
    world.agent("cpus:4;mem:1024");
    let framework = world.framework(&["*"]);
    world.allocate();
    decline(&mut world, framework, Some(60.0));
    world.must(Suppress { framework, roles: Vec::new() });
    assert_eq!(world.state.book.filters.len(), 1, "semantics 110");
    world.must(Revive { framework, roles: Vec::new() });
    assert!(world.state.book.filters.is_empty(), "semantics 109");
    check(&mut world, framework, "cpus:4;mem:1024");
    decline(&mut world, framework, None);
    world.must(Suppress { framework, roles: Vec::new() });
    world.pass_ms(10_000);
    check(&mut world, framework, "");
}

#[test]
fn refusals_do_not_outlive_their_time_agent_or_framework() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:1024");
    let framework = world.framework(&["*"]);
    let refuse = |world: &mut World, framework: FrameworkId, seconds: f64| {
        world.allocate();
        decline(world, framework, Some(seconds));
        assert_eq!(world.state.book.filters.len(), 1);
    };
    refuse(&mut world, framework, 2.0);
    world.pass_ms(2_000);
    refuse(&mut world, framework, 2.0); // the old one is gone, with no tick of its own
    world.pass_ms(2_000);
    refuse(&mut world, framework, 1e9);
    let session = world.state.frameworks[&framework].session().expect("connected");
    world.must(crate::framework::Disconnect { framework, session });
    assert!(world.state.book.filters.is_empty(), "semantics 113");
    let other = world.framework(&["*"]);
    refuse(&mut world, other, 1e9);
    let session = world.state.agents[&agent].session().expect("connected");
    world.must(crate::agent::Unregister { agent, session });
    assert!(world.state.book.filters.is_empty());
}

#[test]
fn only_what_can_be_reached_is_offered() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:1024");
    let framework = world.framework(&["*"]);
    world.disconnect(agent);
    check(&mut world, framework, "");
    assert_eq!(steps(&world), [Step::Skipped(agent, Skip::Inactive)]);
    let again = world.hello(Some(agent), "cpus:4;mem:1024");
    world.must(again);
    check(&mut world, framework, "cpus:4;mem:1024");
    assert_eq!(steps(&world), [Step::Skipped(agent, Skip::TooLittle)]);
}

#[test]
fn reservations_are_for_their_role_and_those_below() {
    let mut world = World::new();
    world.agent("cpus:1;mem:64;cpus(eng):2;mem(eng):64;cpus(eng/web):4;cpus(db):8");
    let web = world.framework(&["eng/web"]);
    check(&mut world, web, "cpus:1;mem:64;cpus(eng):2;mem(eng):64;cpus(eng/web):4"); // semantics 175
    decline(&mut world, web, Some(0.0));
    world.must(Suppress { framework: web, roles: Vec::new() });
    let eng = world.framework(&["eng"]);
    check(&mut world, eng, "cpus:1;mem:64;cpus(eng):2;mem(eng):64");
    let db = world.framework(&["db"]);
    check(&mut world, db, "cpus(db):8");
    let ops = world.framework(&["ops"]);
    check(&mut world, ops, "");
}

#[test]
fn reserved_resources_go_out_when_nothing_else_is_left() {
    let mut world = World::new();
    world.agent("cpus:1;mem:64;disk:10;cpus(eng):2;mem(eng):64");
    let star = world.framework(&["*"]);
    check(&mut world, star, "cpus:1;mem:64;disk:10");
    let below = world.framework(&["eng/web/a"]);
    check(&mut world, below, "cpus(eng):2;mem(eng):64");
}

#[test]
fn agents_with_gpus_are_for_those_who_ask() {
    let mut world = World::new();
    world.agent("cpus:4;mem:1024;gpus:2");
    let plain = able(&mut world, &["*"], &[]);
    check(&mut world, plain, "");
    assert_eq!(passed_over(&world), [(plain, Obstacle::Gpus)]); // semantics 176
    let able = able(&mut world, &["*"], &[capability::GPU_RESOURCES]);
    check(&mut world, able, "cpus:4;mem:1024;gpus:2");
}

#[test]
fn revocable_resources_are_for_those_who_ask() {
    let mut world = World::new();
    let lent = revocable(&resources("cpus:2"));
    let mut hello = world.hello(None, "cpus:1;mem:64");
    hello.estimate = lent.clone();
    world.must(hello);
    let plain = able(&mut world, &["*"], &[]);
    check(&mut world, plain, "cpus:1;mem:64");
    assert_eq!(passed_over(&world), [(plain, Obstacle::TooLittle)]);
    let able = able(&mut world, &["*"], &[capability::REVOCABLE_RESOURCES]);
    assert_eq!(offered(&mut world, able), lent, "semantics 176");
}

#[test]
fn refined_reservations_are_for_those_who_understand() {
    let mut world = World::new();
    world.agent("cpus:1;mem:64;cpus(eng):2");
    let refined = reserved(&resources("cpus(eng):2"), "eng/web");
    let full = world.framework(&["eng/web"]);
    world.operate(full, vec![Operation::reserve(Ok(refined.clone()))]);
    world.must(Suppress { framework: full, roles: Vec::new() });
    let plain = able(&mut world, &["eng/web"], &[]);
    check(&mut world, plain, "cpus:1;mem:64"); // semantics 131, 176
    world.must(Revive { framework: full, roles: Vec::new() });
    assert_eq!(offered(&mut world, full), refined);
}

#[test]
fn shared_volumes_are_offered_while_in_use_to_those_who_understand() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:1024;disk:64");
    let volume = shared(&volume("v", "a", 64));
    let abilities = [capability::SHARED_RESOURCES];
    let first = able(&mut world, &["a"], &abilities);
    let mut task = command_task("t", agent, "cpus:1;mem:64");
    task.resources.add_all(&volume);
    let operations = vec![
        Operation::reserve(Ok(reserved(&resources("disk:64"), "a"))),
        Operation::create(Ok(volume.clone())),
        Operation::Launch(vec![task]),
    ];
    world.operate(first, operations);
    world.must(Suppress { framework: first, roles: Vec::new() });
    let plain = able(&mut world, &["a"], &[]);
    check(&mut world, plain, "cpus:3;mem:960"); // semantics 176
    decline(&mut world, plain, Some(60.0));
    let second = able(&mut world, &["a"], &abilities);
    assert_eq!(offered(&mut world, second), plus(&resources("cpus:3;mem:960"), &volume));
}

#[test]
fn a_shared_volume_counts_once_in_a_share() {
    let mut world = World::new();
    let agent = world.agent("cpus:4;mem:1024;disk:100");
    let volume = shared(&volume("v", "a", 60));
    let framework = able(&mut world, &["a"], &[capability::SHARED_RESOURCES]);
    let tasks = ["t", "u"].map(|id| {
        let mut task = command_task(id, agent, "cpus:1;mem:64");
        task.resources.add_all(&volume);
        task
    });
    let operations = vec![
        Operation::reserve(Ok(reserved(&resources("disk:60"), "a"))),
        Operation::create(Ok(volume)),
        Operation::Launch(tasks.to_vec()),
    ];
    world.operate(framework, operations);
    assert_eq!(world.state.tasks.len(), 2, "semantics 101");
    let held = &world.state.book.held.of(&(framework, "a".into())).expect("something").quantities;
    let share = held.share_of(&world.state.book.total);
    assert!((share - 0.6).abs() < 1e-9, "semantics 174: {share}");
}

/// semantics 72
#[test]
fn constraints_say_which_agents_are_offered() {
    let mut world = World::new();
    for (host, rack) in [("node-1", "a"), ("node-2", "b")] {
        let mut hello = world.hello(None, "cpus:1;mem:64");
        hello.description.hostname = host.into();
        hello.description.attributes =
            vec![Attribute { name: "rack".into(), text: Some(rack.into()) }];
        world.must(hello);
    }
    let mut subscribe = world.subscription(None, &["a", "b"]);
    let rack = Constraint {
        selector: Selector::Attribute("rack".into()),
        predicate: Predicate::TextEquals("b".into()),
    };
    let groups = vec![vec![rack]];
    let of_a = OfferConstraints(Arc::new([("a".into(), groups.clone())].into()));
    let of_both = [("a".into(), groups.clone()), ("b".into(), groups)];
    subscribe.constraints = OfferConstraints(Arc::new(of_both.into()));
    let framework = world.subscribe(subscribe);
    world.allocate();
    let [offer] = world.offers(framework)[..] else { panic!("one offer") };
    assert_eq!(world.state.offers[&offer].agent, AgentId(1));
    assert_eq!(passed_over(&world), [(framework, Obstacle::Constraints); 2]);
    // another change of what it wants, and role b takes any agent
    let description = Description::clone(&world.state.frameworks[&framework].description);
    let (suppressed, constraints) = (Vec::new(), of_a);
    world.must(Update { framework, description, suppressed, constraints });
    world.lead(2);
    let again = world.subscription(Some("c-0000"), &["a", "b"]);
    world.allocate();
    assert_eq!(world.offers(framework).len(), 1, "it is not back yet");
    world.subscribe(again);
    world.allocate();
    assert_eq!(world.offers(framework).len(), 2, "semantics 62: none are asked for any more");
}

/// semantics 178
#[test]
fn minimums_say_what_is_worth_an_offer() {
    let least = |text: &str| -> Vec<Amounts> {
        let texts = text.split('|').filter(|text| !text.is_empty());
        let amounts = |text: &str| {
            let parts = resources(text);
            parts.iter().map(|it| (it.name.clone(), Scalar(it.value.thousandths()))).collect()
        };
        texts.map(amounts).collect()
    };
    for (everybodys, own, offered) in [
        ("cpus:2|mem:100", None, false),
        ("cpus:2|mem:64", None, true),
        ("cpus:1;mem:100", None, false),
        ("cpus:1;mem:64", None, true),
        ("", None, true),
        ("cpus:2", Some("cpus:1"), true),
        ("cpus:2", Some(""), true),
        ("cpus:1", Some("cpus:2"), false),
        ("", Some("gpus:1|disk:1"), false),
    ] {
        let mut world = World::new();
        world.settings.offer_minimums = least(everybodys);
        world.agent("cpus:1;mem:64");
        let mut subscribe = world.subscription(None, &["a"]);
        let minimums = &mut subscribe.description.minimums;
        minimums.extend(own.map(|own| ("a".into(), least(own))));
        let framework = world.subscribe(subscribe);
        world.allocate();
        let found = !world.offers(framework).is_empty();
        assert_eq!(found, offered, "{everybodys} for all, {own:?} for the role");
    }
}

/// semantics 176
#[test]
fn remote_agents_are_for_those_who_know_of_regions() {
    let mut world = World::new();
    world.settings.region = Some("eu".into());
    for region in ["eu", "us"] {
        let mut hello = world.hello(None, "cpus:1;mem:64");
        hello.description.domain = Some(Domain { region: region.into(), zone: "z".into() });
        world.must(hello);
    }
    let framework = world.framework(&["a"]);
    world.allocate();
    let [offer] = world.offers(framework)[..] else { panic!("one offer") };
    assert_eq!(world.state.offers[&offer].agent, AgentId(0));
    let mut subscribe = world.subscription(None, &["a"]);
    let capabilities = &mut subscribe.description.capabilities;
    *capabilities = capabilities.with(capability::REGION_AWARE);
    let aware = world.subscribe(subscribe);
    world.allocate();
    assert_eq!(world.offers(aware).len(), 1);
}

/// semantics 174, 176
#[test]
fn operators_say_what_counts_and_whether_gpus_are_kept() {
    let mut world = World::new();
    world.settings.filter_gpu_resources = false;
    world.agent("cpus:8;mem:6400;gpus:1");
    let framework = world.framework(&["a"]);
    world.launch(framework, "t", "gpus:1");
    for (unshared, expected) in [(vec![], 1.0), (vec![Name::Gpus], 0.0)] {
        world.settings.unshared = unshared;
        let tree = super::tree::Tree::new(&world.state, &world.settings);
        let role =
            tree.children(super::tree::ROOT, super::line::Lookout::ALL).next().expect("a role");
        assert!((tree.share(role) - expected).abs() < 1e-9, "{}", tree.share(role));
    }
}
