//! Tests of oversubscription.

use super::*;
use crate::effect::FrameworkMessage;
use crate::framework_capability::REVOCABLE_RESOURCES;
use crate::id::{FrameworkId, OfferId};
use crate::offer::{Decline, Operation};
use crate::quota::{Before, Quota, SetQuotas};
use crate::resources::{Name, Scalar};
use crate::status::TaskState;
use crate::testing::{World, command_task, plus, reserved, resources, revocable};

const HAS: &str = "cpus:4;mem:4096";

fn lend(world: &mut World, agent: AgentId, text: &str) {
    let session = world.state.agents[&agent].session().expect("connected");
    world.must(Oversubscribe { agent, session, estimate: revocable(&resources(text)) });
}

/// A framework that takes what is revocable.
fn taker(world: &mut World) -> FrameworkId {
    let mut subscribe = world.subscription(None, &["a"]);
    let capabilities = subscribe.description.capabilities;
    subscribe.description.capabilities = capabilities.with(REVOCABLE_RESOURCES);
    world.subscribe(subscribe)
}

/// The resources of each of a framework's offers.
fn offered(world: &World, framework: FrameworkId) -> Vec<Resources> {
    let offers = world.offers(framework).into_iter();
    offers.map(|offer| world.state.offers[&offer].resources.clone()).collect()
}

/// An agent that lends out `text`, and a framework that holds both its offers: what is firm, and what
/// is revocable.
fn lending(text: &str) -> (World, AgentId, FrameworkId, [OfferId; 2]) {
    let mut world = World::new();
    let agent = world.agent(HAS);
    let framework = taker(&mut world);
    lend(&mut world, agent, text);
    world.allocate();
    let offers = world.offers(framework).try_into().expect("two offers");
    world.sent();
    (world, agent, framework, offers)
}

fn rescinded(world: &mut World, framework: FrameworkId) -> Vec<OfferId> {
    let told = world.told(framework).into_iter();
    told.filter_map(|message| match message {
        FrameworkMessage::Rescinded(offer) => Some(offer),
        _ => None,
    })
    .collect()
}

/// Launches `t` on `text` of the revocable offer.
fn launch(world: &mut World, framework: FrameworkId, offer: OfferId, text: &str) {
    let mut task = command_task("t", world.state.offers[&offer].agent, "");
    task.resources = revocable(&resources(text));
    world.accept(framework, &[offer], vec![Operation::Launch(vec![task])]);
    assert_eq!(world.state.tasks.len(), 1, "launched");
}

fn total(world: &World, agent: AgentId) -> Resources {
    world.state.agents[&agent].total.clone()
}

fn with(text: &str) -> Resources {
    plus(&resources(HAS), &revocable(&resources(text)))
}

/// semantics 176, gaps 62
#[test]
fn what_is_revocable_is_offered_apart() {
    let (world, agent, framework, _) = lending("cpus:2;mem:64");
    let apart = [resources(HAS), revocable(&resources("cpus:2;mem:64"))];
    assert_eq!(offered(&world, framework), apart);
    assert_eq!(total(&world, agent), with("cpus:2;mem:64"));
}

/// semantics 107: each kind of offer is refused by itself
#[test]
fn a_refusal_of_one_kind_says_nothing_of_the_other() {
    let (mut world, agent, framework, [firm, lent]) = lending("cpus:2");
    world.must(Decline { framework, offers: vec![firm, lent], refuse_seconds: Some(3600.0) });
    world.allocate();
    assert_eq!(world.offers(framework), []);
    lend(&mut world, agent, "cpus:3");
    world.allocate();
    assert_eq!(offered(&world, framework), [revocable(&resources("cpus:3"))]);
}

/// gaps 62
#[test]
fn a_lower_estimate_rescinds_what_is_revocable_and_nothing_else() {
    let (mut world, agent, framework, [firm, lent]) = lending("cpus:2");
    lend(&mut world, agent, "cpus:3");
    assert_eq!(rescinded(&mut world, framework), [], "more is no reason");
    lend(&mut world, agent, "cpus:2.5");
    assert_eq!(rescinded(&mut world, framework), [lent]);
    assert_eq!(world.offers(framework), [firm]);
    lend(&mut world, agent, "");
    assert_eq!(total(&world, agent), resources(HAS));
}

#[test]
fn what_is_in_use_beyond_the_estimate_is_not_offered_again() {
    let (mut world, agent, framework, [_, lent]) = lending("cpus:2;mem:64");
    launch(&mut world, framework, lent, "cpus:2");
    lend(&mut world, agent, "cpus:0.5");
    assert_eq!(total(&world, agent), with("cpus:2"));
    world.allocate();
    assert_eq!(world.offers(framework).len(), 1, "nothing revocable is left");
    world.update(framework, "t", TaskState::Finished, 1).expect("taken");
    assert_eq!(total(&world, agent), with("cpus:0.5"));
    world.allocate();
    assert_eq!(offered(&world, framework)[1], revocable(&resources("cpus:0.5")));
}

/// semantics 179
#[test]
fn what_is_revocable_counts_for_no_quota() {
    let (mut world, _, framework, [_, lent]) = lending("cpus:2");
    launch(&mut world, framework, lent, "cpus:2");
    let limits = [(Name::Cpus, Scalar(4000))].into();
    let quotas = vec![("a".into(), Quota { limits, ..Quota::default() })];
    world.must(SetQuotas { quotas, force: false, before: Before::Any });
    let consumed = world.state.consumption()["a"].get(&Name::Cpus);
    assert_eq!(consumed, Scalar(4000), "what is offered of the firm ones");
}

/// semantics 126, 127
#[test]
fn only_plain_resources_are_lent_out() {
    let mut world = World::new();
    let agent = world.agent(HAS);
    let session = world.state.agents[&agent].session().expect("connected");
    for wrong in [
        resources("cpus:1"),
        revocable(&resources("cpus(a):1")),
        revocable(&reserved(&resources("cpus:1"), "a")),
        revocable(&crate::testing::volume("v", "a", 64)),
    ] {
        let refused = world.ask(Oversubscribe { agent, session, estimate: wrong.clone() });
        assert!(matches!(refused, Err(Rejection::Invalid(_))), "{wrong}");
        let mut hello = world.hello(Some(agent), HAS);
        hello.estimate = wrong.clone();
        let refused = world.ask(hello);
        assert!(matches!(refused, Err(Rejection::Invalid(_))), "{wrong}");
    }
    let mut hello = world.hello(None, HAS);
    hello.description.resources = with("cpus:1");
    world.ask(hello).expect_err("its own are not revocable");
}

#[test]
fn an_old_stream_has_no_say() {
    let (mut world, agent, ..) = lending("cpus:2");
    let old = world.state.agents[&agent].session().expect("connected");
    let mut back = world.hello(Some(agent), HAS);
    back.estimate = revocable(&resources("cpus:1"));
    world.must(back);
    let estimate = revocable(&resources("cpus:9"));
    world.ask(Oversubscribe { agent, session: old, estimate }).expect_err("not its stream");
    assert_eq!(total(&world, agent), with("cpus:1"));
}

/// Offers stand over a change of leader, and the estimate of the Hello that follows is what counts.
#[test]
fn an_estimate_outlives_the_leader_until_the_agent_gives_another() {
    for (again, rest) in [("cpus:2", 2), ("", 1)] {
        let (mut world, agent, framework, _) = lending("cpus:2");
        world.lead(2);
        assert_eq!(total(&world, agent), with("cpus:2"));
        let mut back = world.hello(Some(agent), HAS);
        back.estimate = revocable(&resources(again));
        world.must(back);
        assert_eq!(world.offers(framework).len(), rest, "{again:?}");
        assert_eq!(total(&world, agent), with(again));
    }
}

#[test]
fn a_task_on_revocable_resources_returns_with_its_agent() {
    let (mut world, agent, framework, [_, lent]) = lending("cpus:2");
    launch(&mut world, framework, lent, "cpus:2");
    let task = world.state.tasks.values().next().expect("launched").clone();
    world.disconnect(agent);
    world.pass_ms(600_000);
    assert!(world.state.agents[&agent].used.is_empty());
    let mut back = world.hello(Some(agent), HAS);
    back.last_launch = task.launched;
    back.tasks = vec![crate::agent::TaskReport {
        framework: "c-0000".into(),
        task: "t".into(),
        state: TaskState::Running,
    }];
    world.must(back);
    assert_eq!(world.state.agents[&agent].used, revocable(&resources("cpus:2")));
    assert_eq!(total(&world, agent), with("cpus:2"), "though it lends out nothing any more");
}

#[test]
fn other_flags_keep_what_is_lent_out() {
    let (mut world, agent, framework, [_, lent]) = lending("cpus:2");
    launch(&mut world, framework, lent, "cpus:2");
    let launched = world.state.tasks.values().next().expect("launched").launched;
    let mut back = world.hello(Some(agent), "cpus:8;mem:4096");
    back.last_launch = launched;
    back.estimate = revocable(&resources("cpus:3"));
    world.must(back);
    let expected = plus(&resources("cpus:8;mem:4096"), &revocable(&resources("cpus:3")));
    assert_eq!(total(&world, agent), expected);
}
