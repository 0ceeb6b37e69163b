//! Tests of drains.

use bytes::Bytes;

use super::*;
use crate::agent::{Reactivate, TaskReport};
use crate::effect::{Directive, FrameworkMessage};
use crate::framework::Teardown;
use crate::id::{FrameworkId, TaskId, TaskKey};
use crate::offer::Operation;
use crate::operation::{Confirm, Request};
use crate::task::Kill;
use crate::testing::{World, reserved, resources, told_states};

const HAS: &str = "cpus:4;mem:4096";

/// An agent with a running task `t` of a framework, and something left to offer.
fn running(aware: bool) -> (World, FrameworkId, AgentId) {
    let mut world = World::new();
    let agent = world.agent(HAS);
    let subscribe = world.subscription_of(aware);
    let framework = world.subscribe(subscribe);
    world.run(framework, "cpus:1;mem:64");
    world.allocate();
    world.sent();
    (world, framework, agent)
}

fn drain(world: &mut World, agent: AgentId, mark_gone: bool) {
    world.must(DrainAgent { agent, max_grace_ns: Some(7), mark_gone });
}

/// Kills that were sent, with the longest grace period each.
fn kills(world: &mut World) -> Vec<(TaskId, Option<u64>)> {
    let kill = |effect| match effect {
        Effect::Agent { directive: Directive::Kill { task, max_grace_ns, .. }, .. } => {
            Some((task, max_grace_ns))
        }
        _ => None,
    };
    world.sent().into_iter().filter_map(kill).collect()
}

fn progress(world: &World, agent: AgentId) -> Option<DrainState> {
    let agent = world.state.agents.get(&agent)?;
    assert!(agent.deactivated, "whatever drains is not offered");
    agent.drain.as_ref().map(|drain| drain.state)
}

fn end(world: &mut World, framework: FrameworkId, number: u8) {
    world.update(framework, "t", TaskState::Killed, number).expect("taken");
    world.acknowledge(framework, "t", number);
}

/// semantics 237
#[test]
fn draining_withdraws_offers_and_kills_tasks() {
    let (mut world, framework, agent) = running(true);
    drain(&mut world, agent, false);
    let sent = world.effects.clone();
    assert_eq!(kills(&mut world), [("t".into(), Some(7))]);
    let rescinded = sent.iter().any(|effect| {
        matches!(effect, Effect::Framework { message: FrameworkMessage::Rescinded(_), .. })
    });
    assert!(rescinded);
    world.allocate();
    assert_eq!(world.offers(framework), []);
}

/// semantics 237
#[test]
fn a_kill_of_the_framework_is_held_to_the_grace_of_the_drain() {
    let (mut world, framework, agent) = running(true);
    drain(&mut world, agent, false);
    world.sent();
    let policy = Bytes::from_static(b"policy");
    world.must(Kill { framework, task: "t".into(), agent: None, policy });
    assert_eq!(kills(&mut world), [("t".into(), Some(7))]);
}

/// semantics 239
#[test]
fn drained_is_only_what_has_no_task_left() {
    let (mut world, framework, agent) = running(true);
    drain(&mut world, agent, false);
    world.update(framework, "t", TaskState::Killed, 2).expect("taken");
    assert_eq!(progress(&world, agent), Some(DrainState::Draining), "not acknowledged");
    world.acknowledge(framework, "t", 2);
    assert_eq!(progress(&world, agent), Some(DrainState::Drained));
    let idle = world.agent(HAS);
    drain(&mut world, idle, false);
    assert_eq!(progress(&world, idle), Some(DrainState::Drained), "at once");
}

/// semantics 239
#[test]
fn an_agent_to_be_marked_gone_is_when_it_is_drained() {
    let (mut world, framework, agent) = running(true);
    drain(&mut world, agent, true);
    world.sent();
    end(&mut world, framework, 2);
    assert!(world.state.agents.is_empty());
    assert!(world.state.gone_agents.contains_key(&agent));
    let leaves = world
        .sent()
        .into_iter()
        .any(|effect| matches!(effect, Effect::Agent { directive: Directive::Leave { .. }, .. }));
    assert!(leaves);
}

/// semantics 238
#[test]
fn frameworks_hear_why_their_tasks_are_killed() {
    for (aware, mark_gone, last) in [
        (true, false, TaskState::Killed),
        (true, true, TaskState::GoneByOperator),
        (false, true, TaskState::Killed),
    ] {
        let (mut world, framework, agent) = running(aware);
        drain(&mut world, agent, mark_gone);
        world.sent();
        world.update(framework, "t", TaskState::Killing, 2).expect("taken");
        world.acknowledge(framework, "t", 2);
        for _ in 0..2 {
            world.update(framework, "t", TaskState::Killed, 3).expect("taken");
        }
        let reason = Reason::AGENT_DRAINING;
        let killing = (TaskState::Killing, reason);
        let told = told_states(&world.told(framework));
        assert_eq!(told, [killing, (last, reason), (last, reason)], "{aware} {mark_gone}");
        let key = TaskKey { framework, task: "t".into() };
        assert_eq!(world.state.tasks[&key].state, last);
    }
}

/// semantics 238: other ends are told as they are
#[test]
fn a_task_that_ends_by_itself_is_told_as_it_is() {
    let (mut world, framework, agent) = running(true);
    drain(&mut world, agent, true);
    world.sent();
    world.update(framework, "t", TaskState::Finished, 2).expect("taken");
    assert_eq!(told_states(&world.told(framework)), [(TaskState::Finished, Reason(0))]);
}

/// semantics 241
#[test]
fn an_agent_that_returns_is_drained_on() {
    let (mut world, framework, agent) = running(true);
    drain(&mut world, agent, false);
    world.lead(2);
    world.sent();
    let again = world.subscription(Some("c-0000"), &["*"]);
    world.subscribe(again);
    let key = TaskKey { framework, task: "t".into() };
    for away_ms in [0, 600_000] {
        let mut back = world.hello(Some(agent), HAS);
        back.last_launch = world.state.tasks[&key].launched;
        back.tasks = vec![TaskReport {
            framework: "c-0000".into(),
            task: "t".into(),
            state: TaskState::Running,
        }];
        world.must(back);
        assert_eq!(kills(&mut world), [("t".into(), Some(7))], "away for {away_ms} ms");
        assert_eq!(progress(&world, agent), Some(DrainState::Draining));
        world.disconnect(agent);
        world.pass_ms(600_000);
    }
    let back = world.hello(Some(agent), HAS);
    world.must(back);
    end(&mut world, framework, 2);
    assert_eq!(progress(&world, agent), Some(DrainState::Drained));
}

/// gaps 50
#[test]
fn a_drain_can_be_called_off() {
    let (mut world, framework, agent) = running(true);
    world.disconnect(agent);
    drain(&mut world, agent, true);
    world.must(Reactivate { agent });
    world.sent();
    let mut back = world.hello(Some(agent), HAS);
    let key = TaskKey { framework, task: "t".into() };
    back.last_launch = world.state.tasks[&key].launched;
    world.must(back);
    assert_eq!(kills(&mut world), [], "the agent never heard of it");
    end(&mut world, framework, 2);
    assert_eq!(told_states(&world.told(framework)), [(TaskState::Killed, Reason(0))]);
    assert!(world.state.agents[&agent].is_active(), "and does not go");
}

/// semantics 236
#[test]
fn agents_must_be_known_and_able_to_drain() {
    let mut world = World::new();
    let asked = DrainAgent { agent: AgentId(9), max_grace_ns: None, mark_gone: false };
    let refused = world.ask(asked).expect_err("unknown");
    assert!(matches!(refused, Rejection::AgentUnknown(_)), "{refused}");
    let mut hello = world.hello(None, HAS);
    hello.description.capabilities = crate::Capabilities::default();
    world.must(hello);
    let asked = DrainAgent { agent: AgentId(0), max_grace_ns: None, mark_gone: false };
    let refused = world.ask(asked).expect_err("an old agent");
    assert!(refused.to_string().contains("AGENT_DRAINING"), "{refused}");
}

/// semantics 239: what the agent has not confirmed is not over
#[test]
fn a_drain_waits_for_pending_operations() {
    for mark_gone in [false, true] {
        let mut world = World::new();
        let agent = world.agent(HAS);
        let framework = world.framework(&["a"]);
        let some = Request::Reserve(Ok(reserved(&resources("cpus:1"), "a")));
        world.operate(framework, vec![Operation::Convert(some, Some("o".into()))]);
        drain(&mut world, agent, mark_gone);
        assert_eq!(progress(&world, agent), Some(DrainState::Draining));
        let session = world.state.agents[&agent].session().expect("connected");
        let directive = world.state.operations_of(framework).next().expect("pending").directive;
        world.must(Confirm { agent, session, directive });
        let expected = (!mark_gone).then_some(DrainState::Drained);
        assert_eq!(progress(&world, agent), expected);
        assert_eq!(world.state.gone_agents.contains_key(&agent), mark_gone);
    }
}

/// semantics 239: an operation whose framework is over is waited for no more
#[test]
fn a_drain_ends_with_the_framework_it_waited_for() {
    let mut world = World::new();
    let agent = world.agent(HAS);
    let framework = world.framework(&["a"]);
    let some = Request::Reserve(Ok(reserved(&resources("cpus:1"), "a")));
    world.operate(framework, vec![Operation::Convert(some, Some("o".into()))]);
    drain(&mut world, agent, false);
    world.must(Teardown { framework });
    assert_eq!(progress(&world, agent), Some(DrainState::Drained));
}
