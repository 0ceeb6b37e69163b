//! What lingers of frameworks that are over, from their end to that of their processes (gaps 51). That the sums are right
//! at each step, [`World`] checks.

use super::Stopped;
use crate::agent::{DrainAgent, DrainState, MarkGone, Register, Unregister};
use crate::effect::{Directive, Effect};
use crate::framework::{Disconnect, Teardown};
use crate::id::{AgentId, FrameworkId, Session};
use crate::offer::Operation;
use crate::operation::{Operate, Request};
use crate::quota::{Amounts, Before, Quota, SetQuotas};
use crate::resources::{Name, Resources, Scalar};
use crate::task::ExecutorSpec;
use crate::testing::{World, command_task, plus, reserved, resources, shared, volume};
use crate::{Event, Rejection};

const HAS: &str = "cpus:4;mem:4096";
const USED: &str = "cpus:1;mem:64";
const AGENT: AgentId = AgentId(0);

/// An agent with a running task of a framework.
fn running() -> (World, FrameworkId) {
    let mut world = World::new();
    world.agent(HAS);
    let framework = world.framework(&["a"]);
    world.run(framework, USED);
    (world, framework)
}

/// The same once the framework is over.
fn torn_down() -> World {
    let (mut world, framework) = running();
    world.must(Teardown { framework });
    world.sent();
    world
}

fn used(world: &World) -> Resources {
    world.state.agents[&AGENT].used.clone()
}

fn session(world: &World) -> Session {
    world.state.agents[&AGENT].session().unwrap_or_default()
}

/// The agent says that a framework has stopped.
fn stop(world: &mut World, framework: &str) {
    let (session, framework) = (session(world), framework.into());
    world.must(Stopped { agent: AGENT, session, framework });
}

/// The agent's Hello, and whether it names the framework that is over as running.
fn back(world: &mut World, is_running: bool) -> Register {
    let mut hello = world.hello(Some(AGENT), HAS);
    hello.last_launch = world.state.cluster.events;
    hello.running = is_running.then(|| "c-0000".into()).into_iter().collect();
    hello
}

/// How often the agent is told to shut the framework down.
fn shutdowns(world: &mut World) -> usize {
    let is_shutdown = |effect: &&Effect| {
        matches!(effect, Effect::Agent { directive: Directive::ShutdownFramework { framework, .. }, .. }
            if **framework == *"c-0000")
    };
    world.sent().iter().filter(is_shutdown).count()
}

/// gaps 51
#[test]
fn what_a_framework_had_is_offered_once_its_agent_says_that_it_has_stopped() {
    let mut world = torn_down();
    assert_eq!(used(&world), resources(USED));
    let other = world.framework(&["a"]);
    world.allocate();
    let rest = resources("cpus:3;mem:4032");
    assert_eq!(world.state.agents[&AGENT].offered, rest);
    stop(&mut world, "c-0000");
    assert!(matches!(world.events.last(), Some(Event::FrameworkStopped(_))));
    assert_eq!(used(&world), resources(""));
    world.allocate();
    assert_eq!(world.state.agents[&AGENT].offered, resources(HAS));
    assert_eq!(world.offers(other).len(), 2);
    let left = world.state.book.held.iter().filter(|(client, _)| client.0 != other);
    assert_eq!(left.count(), 0, "nothing is known of who is over");
}

#[test]
fn only_news_is_recorded() {
    let (mut world, _) = running();
    let before = world.events.len();
    stop(&mut world, "c-0000");
    stop(&mut world, "never");
    assert_eq!(world.events.len(), before, "it is not over");
    let mut world = torn_down();
    let before = world.events.len();
    let old = Stopped { agent: AGENT, session: Session(9999), framework: "c-0000".into() };
    world.must(old);
    assert_eq!(world.events.len(), before, "said over an old stream");
    stop(&mut world, "c-0000");
    stop(&mut world, "c-0000");
    assert_eq!(world.events.len(), before + 1, "said twice");
}

#[test]
fn a_framework_that_does_not_come_back_lingers_too() {
    let (mut world, framework) = running();
    let session = world.state.frameworks[&framework].session().expect("connected");
    world.must(Disconnect { framework, session });
    world.pass_ms(60_000);
    assert!(world.state.frameworks.is_empty());
    assert_eq!(used(&world), resources(USED));
}

#[test]
fn executors_linger_with_their_tasks() {
    let mut world = World::new();
    world.agent(HAS);
    let framework = world.framework(&["a"]);
    let mut task = command_task("t", AGENT, USED);
    let (id, needs) = ("e".into(), resources("cpus:1;mem:32"));
    task.executor =
        Some(ExecutorSpec { id, resources: needs.clone(), payload: bytes::Bytes::new() });
    world.operate(framework, vec![Operation::Launch(vec![task])]);
    world.must(Teardown { framework });
    assert_eq!(used(&world), plus(&needs, &resources(USED)));
    stop(&mut world, "c-0000");
    assert_eq!(used(&world), resources(""));
}

/// What an agent says when it comes back, after so long, decides.
fn check_return(away_ms: Option<u64>, over_first: bool, is_running: bool) {
    let (mut world, framework) = running();
    if over_first {
        world.must(Teardown { framework });
    }
    match away_ms {
        Some(away_ms) => {
            world.disconnect(AGENT);
            world.pass_ms(away_ms);
        }
        None => world.lead(2),
    }
    let is_unreachable = away_ms.is_some_and(|it| it >= 600_000);
    if over_first {
        let kept = if is_unreachable { "" } else { USED };
        assert_eq!(used(&world), resources(kept), "as its tasks would be");
    } else {
        let again = world.subscription(Some("c-0000"), &["a"]);
        world.subscribe(again);
        world.must(Teardown { framework });
    }
    world.sent();
    let hello = back(&mut world, is_running);
    world.must(hello);
    let case = format!("away {away_ms:?}, over before: {over_first}, runs: {is_running}");
    assert_eq!(shutdowns(&mut world), usize::from(is_running), "{case}");
    let expected = if is_running { USED } else { "" };
    assert_eq!(used(&world), resources(expected), "{case}");
    stop(&mut world, "c-0000");
    assert_eq!(used(&world), resources(""), "{case}");
}

/// semantics 225, bettered: gaps 51
#[test]
fn an_agent_that_is_back_says_what_still_runs() {
    for away_ms in [None, Some(1000), Some(600_000)] {
        for over_first in [true, false] {
            check_return(away_ms, over_first, true);
            check_return(away_ms, over_first, false);
        }
    }
}

/// With what runs named, an agent whose resources have become less finds its place, or does not.
#[test]
fn what_lingers_counts_when_an_agent_comes_back_with_less() {
    for (away_ms, is_running, is_taken) in
        [(0, true, false), (0, false, true), (600_000, true, false), (600_000, false, true)]
    {
        let mut world = torn_down();
        world.disconnect(AGENT);
        world.pass_ms(away_ms);
        let mut hello = back(&mut world, is_running);
        hello.description.resources = resources("cpus:0.5;mem:4096");
        assert_eq!(world.ask(hello).is_ok(), is_taken, "{away_ms} {is_running}");
    }
}

#[test]
fn who_does_not_tell_is_not_waited_for() {
    let mut world = World::new();
    let mut hello = world.hello(None, HAS);
    hello.description.tells_stops = false;
    world.must(hello);
    let framework = world.framework(&["a"]);
    world.run(framework, USED);
    world.must(Teardown { framework });
    assert_eq!(used(&world), resources(""));
    // one that no longer tells
    let mut world = torn_down();
    let mut hello = back(&mut world, true);
    hello.description.tells_stops = false;
    world.must(hello);
    assert_eq!(used(&world), resources(""));
}

#[test]
fn what_lingers_goes_with_its_agent() {
    let check = |go: fn(&mut World)| {
        let mut world = torn_down();
        go(&mut world);
        assert!(!world.state.agents.contains_key(&AGENT));
        assert_eq!(world.state.book.held.iter().count(), 0, "nothing is left");
    };
    check(|world| _ = world.must(MarkGone { agent: AGENT }));
    check(|world| {
        let session = session(world);
        world.must(Unregister { agent: AGENT, session });
    });
    check(|world| {
        world.disconnect(AGENT);
        world.pass_ms(600_000);
        world.pass_ms(world.settings.agent_memory_ms);
    });
    check(|world| {
        world.disconnect(AGENT);
        let mut hello = world.hello(None, HAS);
        hello.description.address = world.state.agents[&AGENT].description.address.clone();
        world.must(hello);
    });
}

/// semantics 239, bettered
#[test]
fn a_drain_waits_for_what_lingers() {
    let drain = DrainAgent { agent: AGENT, max_grace_ns: None, mark_gone: false };
    for drained_first in [true, false] {
        let (mut world, framework) = running();
        if drained_first {
            world.must(drain.clone());
        }
        world.must(Teardown { framework });
        if !drained_first {
            world.must(drain.clone());
        }
        let state = |world: &World| world.state.agents[&AGENT].drain.as_ref().map(|it| it.state);
        assert_eq!(state(&world), Some(DrainState::Draining), "{drained_first}");
        stop(&mut world, "c-0000");
        assert_eq!(state(&world), Some(DrainState::Drained), "{drained_first}");
    }
}

#[test]
fn volumes_of_who_is_over_stay_while_they_are_used() {
    for is_shared in [false, true] {
        let made = volume("v", "a", 64);
        let made = if is_shared { shared(&made) } else { made };
        let mut world = World::new();
        world.agent("cpus:4;mem:4096;disk:100");
        let mut subscribe = world.subscription(None, &["a"]);
        let capabilities = &mut subscribe.description.capabilities;
        *capabilities = capabilities.with(crate::framework_capability::SHARED_RESOURCES);
        let framework = world.subscribe(subscribe);
        let mut tasks = vec![command_task("t", AGENT, "cpus:1;mem:32")];
        if is_shared {
            tasks.push(command_task("u", AGENT, "cpus:1;mem:32"));
        }
        for task in &mut tasks {
            task.resources.add_all(&made);
        }
        let space = reserved(&resources("disk:64"), "a");
        world.operate(
            framework,
            vec![
                Operation::reserve(Ok(space)),
                Operation::create(Ok(made.clone())),
                Operation::Launch(tasks),
            ],
        );
        assert!(used(&world).contains(&made));
        world.must(Teardown { framework });
        let destroy = Operate { agent: Some(AGENT), request: Request::Destroy(Ok(made.clone())) };
        world.ask(destroy.clone()).expect_err("it is in use");
        stop(&mut world, "c-0000");
        world.must(destroy);
    }
}

/// gaps 56: what is in use counts, whoever uses it.
#[test]
fn what_lingers_counts_for_the_limit_of_its_role() {
    let mut world = torn_down();
    let limits = Amounts::from([(Name::Cpus, Scalar(1500))]);
    let quotas = vec![("a".into(), Quota { limits, ..Quota::default() })];
    world.must(SetQuotas { quotas, force: true, before: Before::Any });
    let framework = world.framework(&["a"]);
    let offered = |world: &World| -> i64 {
        let offers = world.offers(framework).into_iter();
        offers.map(|id| world.state.offers[&id].resources.scalar(&Name::Cpus).0).sum()
    };
    world.allocate();
    assert_eq!(offered(&world), 500);
    stop(&mut world, "c-0000");
    world.allocate();
    assert_eq!(offered(&world), 1500);
}

/// It is over for those who ask, whatever still runs.
#[test]
fn who_lingers_does_not_come_back() {
    let mut world = torn_down();
    let again = world.subscription(Some("c-0000"), &["a"]);
    let refused = world.ask(again).expect_err("it is over");
    assert!(matches!(refused, Rejection::FrameworkRemoved), "{refused}");
}
