//! Tests of updates, acknowledgements, messages and the ends of executors, as agents, frameworks and
//! operators see them together.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::agent::{Cause, Disconnect};
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage};
use crate::id::{FrameworkId, Session};
use crate::offer::Operation;
use crate::status::{Reason, Source};
use crate::testing::{World, command_task, resources, told_states};

const AGENT: AgentId = AgentId(0);

/// A framework, an agent, and a task `t` on the executor `e` there.
fn launched() -> (World, FrameworkId) {
    let mut world = World::new();
    world.agent("cpus:4;mem:4096");
    let framework = world.framework(&["*"]);
    let mut task = command_task("t", AGENT, "cpus:1;mem:64");
    let (id, needs, payload) = ("e".into(), resources("cpus:1;mem:32"), Bytes::new());
    task.executor = Some(ExecutorSpec { id, resources: needs, payload });
    world.operate(framework, vec![Operation::Launch(vec![task])]);
    world.sent();
    (world, framework)
}

fn session(world: &World) -> Session {
    world.state.agents[&AGENT].session().expect("connected")
}

fn key(framework: FrameworkId) -> TaskKey {
    TaskKey { framework, task: "t".into() }
}

/// A status as an agent sends it; `number` names the update.
fn status(world: &World, state: TaskState, number: u8) -> Status {
    Status {
        source: Source::Executor,
        reason: None,
        update: Some(UpdateId([number; 16])),
        ..Status::by_master(state, Reason(0), "reported", world.now)
    }
}

/// The agent reports this; `latest` is where the task is by then.
fn report(world: &mut World, status: Status, latest: TaskState) {
    world.must(Update {
        agent: AGENT,
        session: session(world),
        framework: "c-0000".into(),
        task: "t".into(),
        executor: Some("e".into()),
        status: Arc::new(status),
        latest,
    });
}

/// Updates that the agent is told are acknowledged.
fn acknowledged(world: &mut World) -> Vec<UpdateId> {
    let update = |effect| match effect {
        Effect::Agent { directive: Directive::Acknowledge { update, .. }, .. } => Some(update),
        _ => None,
    };
    world.sent().into_iter().filter_map(update).collect()
}

/// semantics 194, bettered: an acknowledgement counts though its agent is away, which hears of it when
/// it repeats the update. What names nothing that is known means nothing.
#[test]
fn an_acknowledgement_does_not_need_its_agent() {
    let (mut world, framework) = launched();
    world.update(framework, "t", TaskState::Finished, 1).expect("taken");
    world.disconnect(AGENT);
    for agent in [None, Some(AgentId(7)), Some(AGENT)] {
        let (task, update) = ("other".into(), UpdateId([1; 16]));
        world.sent();
        world.must(Acknowledge { framework, agent, task, update });
        assert_eq!(world.sent(), [], "{agent:?}");
    }
    for agent in [None, Some(AgentId(7))] {
        let (task, update) = ("t".into(), UpdateId([1; 16]));
        world.must(Acknowledge { framework, agent, task, update });
        assert_eq!(world.state.tasks.len(), 1, "{agent:?} never had it");
    }
    world.acknowledge(framework, "t", 1);
    assert!(world.state.tasks.is_empty(), "it is over and its framework knows");
    let back = world.hello(Some(AGENT), "cpus:4;mem:4096");
    world.must(back);
    world.sent();
    world.update(framework, "t", TaskState::Finished, 1).expect("taken");
    let sent = world.effects.clone();
    assert_eq!(told_states(&world.told(framework)), []);
    world.effects = sent;
    assert_eq!(acknowledged(&mut world), [UpdateId([1; 16])]);
}

/// semantics 196
#[test]
fn what_the_books_do_not_wait_for_is_left_to_the_agent() {
    let (mut world, framework) = launched();
    world.update(framework, "t", TaskState::Running, 1).expect("taken");
    world.sent();
    world.acknowledge(framework, "t", 9);
    assert_eq!(acknowledged(&mut world), [UpdateId([9; 16])]);
    assert!(world.state.tasks[&key(framework)].pending.is_some(), "the real one is still owed");
}

/// semantics 197
#[test]
fn of_one_state_the_newest_status_is_kept_without_its_data() {
    let (mut world, framework) = launched();
    let data = Bytes::from_static(b"data");
    let steps = [
        (TaskState::Starting, None),
        (TaskState::Running, None),
        (TaskState::Running, Some(false)),
        (TaskState::Running, Some(true)),
    ];
    for (number, (state, healthy)) in (1..).zip(steps) {
        world.sent();
        let sent = Status { healthy, data: data.clone(), ..status(&world, state, number) };
        report(&mut world, sent, state);
        let told = world.told(framework);
        let [FrameworkMessage::Updated(update)] = &told[..] else { panic!("{told:?}") };
        assert_eq!(update.status.data, data, "its framework gets it");
        world.acknowledge(framework, "t", number);
    }
    let kept = &world.state.tasks[&key(framework)].statuses;
    let kept: Vec<_> = kept.iter().map(|it| (it.state, it.healthy, it.data.len())).collect();
    assert_eq!(kept, [(TaskState::Starting, None, 0), (TaskState::Running, Some(true), 0)]);
}

/// What operators hear of an update: the state it names, and the task's by then.
fn heard(world: &mut World) -> Vec<(TaskState, TaskState)> {
    let update = |effect| match effect {
        Effect::Operators(OperatorMessage::TaskUpdated(task, said)) => {
            Some((said.state, task.state))
        }
        _ => None,
    };
    world.sent().into_iter().filter_map(update).collect()
}

/// semantics 198; gaps 25
#[test]
fn operators_hear_of_new_states_and_of_every_check() {
    let (mut world, framework) = launched();
    let running = (TaskState::Running, TaskState::Running);
    let (check, health) =
        (Reason::TASK_CHECK_STATUS_UPDATED, Reason::TASK_HEALTH_CHECK_STATUS_UPDATED);
    let steps = [
        (None, None, true),
        (None, None, false),
        (Some(check), None, true),
        (Some(check), None, true),
        (Some(health), Some(true), true),
        (Some(health), Some(true), true),
        (None, Some(true), false),
    ];
    for (number, (reason, healthy, is_news)) in (1..).zip(steps) {
        world.sent();
        let sent = Status { reason, healthy, ..status(&world, TaskState::Running, number) };
        report(&mut world, sent.clone(), TaskState::Running);
        assert_eq!(heard(&mut world), vec![running; usize::from(is_news)], "step {number}");
        report(&mut world, sent, TaskState::Running);
        assert_eq!(heard(&mut world), [], "it is only repeated");
        world.acknowledge(framework, "t", number);
    }
    let sent = status(&world, TaskState::Killing, 99);
    report(&mut world, sent, TaskState::Killed);
    assert_eq!(heard(&mut world), [(TaskState::Killing, TaskState::Killed)]);
}

/// semantics 208
#[test]
fn messages_to_those_who_are_not_there_are_dropped() {
    let (mut world, framework) = launched();
    let (executor, data): (ExecutorId, Bytes) = ("e".into(), Bytes::from_static(b"data"));
    let message = |agent| MessageExecutor {
        framework,
        agent,
        executor: executor.clone(),
        data: data.clone(),
    };
    world.must(message(Some(AGENT)));
    assert_eq!(world.sent().len(), 1, "the agent is there");
    let from = |world: &World, framework: &str| MessageFramework {
        agent: AGENT,
        session: session(world),
        framework: framework.into(),
        executor: executor.clone(),
        data: data.clone(),
    };
    world.must(from(&world, "c-0000"));
    assert!(matches!(world.told(framework)[..], [FrameworkMessage::Message { .. }]));
    world.must(from(&world, "stranger"));
    world.disconnect(AGENT);
    let events = world.events.len();
    for agent in [None, Some(AgentId(7)), Some(AGENT)] {
        world.must(message(agent));
    }
    assert_eq!(world.sent(), []);
    assert_eq!(world.events.len(), events);
}

fn shutdowns(world: &mut World) -> usize {
    let is_shutdown = |effect: &Effect| {
        matches!(effect, Effect::Agent { directive: Directive::ShutdownExecutor { .. }, .. })
    };
    world.sent().iter().filter(|effect| is_shutdown(effect)).count()
}

/// semantics 208, bettered: the wish that an executor ends is kept for an agent that is away.
#[test]
fn a_shutdown_reaches_an_agent_that_comes_back() {
    let (mut world, framework) = launched();
    let launched_at = world.state.tasks[&key(framework)].launched;
    world.disconnect(AGENT);
    for agent in [None, Some(AgentId(7))] {
        world.must(ShutdownExecutor { framework, agent, executor: "e".into() });
    }
    world.must(ShutdownExecutor { framework, agent: Some(AGENT), executor: "other".into() });
    assert_eq!(world.sent(), []);
    world.must(ShutdownExecutor { framework, agent: Some(AGENT), executor: "e".into() });
    assert_eq!(shutdowns(&mut world), 0);
    let mut back = world.hello(Some(AGENT), "cpus:4;mem:4096");
    back.last_launch = launched_at;
    back.executors =
        vec![crate::agent::ExecutorReport { framework: "c-0000".into(), executor: "e".into() }];
    world.must(back);
    assert_eq!(shutdowns(&mut world), 1);
}

fn failures(world: &mut World, framework: FrameworkId) -> Vec<Option<(ExecutorId, i32)>> {
    let failure = |message| match message {
        FrameworkMessage::Failed { agent: AGENT, executor } => Some(executor),
        _ => None,
    };
    world.told(framework).into_iter().filter_map(failure).collect()
}

/// semantics 209
#[test]
fn the_end_of_an_executor_is_told_to_its_framework_once() {
    let (mut world, framework) = launched();
    let other = world.framework(&["*"]);
    let ended = |world: &World, session| ExecutorExited {
        agent: AGENT,
        session,
        framework: world.state.frameworks[&framework].wire_id.clone(),
        executor: "e".into(),
        status: 9,
    };
    world.must(ended(&world, Session(0)));
    assert_eq!(failures(&mut world, framework), [], "of another stream");
    let now = session(&world);
    world.must(ended(&world, now));
    let sent = world.effects.clone();
    assert_eq!(failures(&mut world, framework), [Some(("e".into(), 9))]);
    world.effects = sent;
    assert_eq!(failures(&mut world, other), []);
    world.must(ended(&world, now));
    assert_eq!(failures(&mut world, framework), []);
}

/// gaps 26: and to one that was away once it is back, whoever leads by then.
#[test]
fn the_end_of_an_executor_is_kept_for_who_is_away() {
    let (mut world, framework) = launched();
    let stream = world.state.frameworks[&framework].session().expect("connected");
    world.must(crate::framework::Disconnect { framework, session: stream });
    let (executor, wire_id) = ("e".into(), "c-0000".into());
    let session = session(&world);
    world.must(ExecutorExited { agent: AGENT, session, framework: wire_id, executor, status: 9 });
    world.lead(2);
    assert_eq!(failures(&mut world, framework), []);
    for expected in [vec![Some(("e".into(), 9))], vec![]] {
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        assert_eq!(failures(&mut world, framework), expected);
    }
}

/// semantics 209; gaps 54: how an executor ended that a returning agent does not have, nobody knows.
#[test]
fn an_executor_that_was_lost_ended_somehow() {
    let (mut world, framework) = launched();
    let mut back = world.hello(Some(AGENT), "cpus:4;mem:4096");
    back.last_launch = world.state.tasks[&key(framework)].launched;
    world.must(back);
    assert_eq!(failures(&mut world, framework), [Some(("e".into(), -1))]);
}

/// semantics 209, 221
#[test]
fn the_loss_of_an_agent_is_told_to_every_framework() {
    let (mut world, framework) = launched();
    let idle = world.framework(&["*"]);
    let session = session(&world);
    world.must(Disconnect { agent: AGENT, session, cause: Cause::Silent });
    let sent = world.effects.clone();
    for framework in [framework, idle] {
        world.effects = sent.clone();
        assert_eq!(failures(&mut world, framework), [None]);
    }
}
