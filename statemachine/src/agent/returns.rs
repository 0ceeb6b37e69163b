//! Tests of agents that go, stay away and come back, as frameworks and operators see it.

use super::{Attribute, ExecutorReport, Register, TaskReport, Unregister};
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage};
use crate::framework::Teardown;
use crate::id::{AgentId, FrameworkId};
use crate::offer::Decline;
use crate::status::{Reason, Source, Status, TaskState};
use crate::testing::{World, told_states};

const HAS: &str = "cpus:4;mem:4096";
const AGENT: AgentId = AgentId(0);

/// A running task `t` of a framework that tells lost tasks apart, or not.
fn running(aware: bool) -> (World, FrameworkId) {
    let mut world = World::new();
    world.agent(HAS);
    let mut subscribe = world.subscription_of(aware);
    subscribe.description.checkpoint = false;
    let framework = world.subscribe(subscribe);
    world.run(framework, "cpus:1;mem:64");
    world.sent();
    (world, framework)
}

/// The agent's Hello with all that it should have.
fn back(world: &mut World) -> Register {
    let mut hello = world.hello(Some(AGENT), HAS);
    hello.last_launch = world.state.cluster.events;
    hello.tasks = vec![TaskReport {
        framework: "c-0000".into(),
        task: "t".into(),
        state: TaskState::Running,
    }];
    hello
}

/// The only status that a framework was told.
fn only(world: &mut World, framework: FrameworkId) -> Status {
    let told = world.told(framework);
    let updates = told.iter().filter_map(|message| match message {
        FrameworkMessage::Updated(update) => Some(&update.status),
        _ => None,
    });
    let [status] = updates.collect::<Vec<_>>()[..] else { panic!("not one update: {told:?}") };
    Status::clone(status)
}

/// Agents that operators heard were added, and removed.
fn heard(world: &mut World) -> (usize, usize) {
    let sent = world.sent();
    let count = |message: &OperatorMessage| {
        sent.iter().filter(|it| matches!(it, Effect::Operators(said) if said == message)).count()
    };
    (count(&OperatorMessage::AgentAdded(AGENT)), count(&OperatorMessage::AgentRemoved(AGENT)))
}

/// semantics 221: what frameworks hear of a task that is out of reach.
#[test]
fn who_can_tell_hears_that_a_task_is_out_of_reach() {
    for (aware, told) in [(true, TaskState::Unreachable), (false, TaskState::Lost)] {
        let (mut world, framework) = running(aware);
        world.allocate();
        world.disconnect(AGENT);
        world.sent();
        world.pass_ms(600_000);
        let sent = world.effects.clone();
        let status = only(&mut world, framework);
        assert_eq!((status.state, status.reason), (told, Some(Reason::AGENT_REMOVED)));
        assert_eq!((status.unreachable_at, status.update), (Some(world.now), None));
        world.effects = sent;
        let failed = FrameworkMessage::Failed { agent: AGENT, executor: None };
        assert!(world.told(framework).contains(&failed));
    }
}

/// semantics 223, bettered (gaps 46): while an agent is only cut off nothing becomes of its tasks, whether
/// or not their framework checkpoints; its offers are over at once.
#[test]
fn tasks_of_an_agent_that_is_cut_off_are_not_lost() {
    let (mut world, framework) = running(true);
    world.allocate();
    let offer = world.offers(framework)[0];
    world.sent();
    world.disconnect(AGENT);
    assert_eq!(world.told(framework), [FrameworkMessage::Rescinded(offer)]);
    world.pass_ms(599_999);
    assert_eq!(world.told(framework), []);
}

/// semantics 224
#[test]
fn a_task_is_told_of_anew_only_if_it_was_out_of_reach() {
    let (mut world, framework) = running(true);
    let hello = back(&mut world);
    world.must(hello);
    assert_eq!(told_states(&world.told(framework)), [], "a short absence");
    world.lead(2);
    let again = world.subscription(Some("c-0000"), &["*"]);
    world.subscribe(again);
    let hello = back(&mut world);
    world.must(hello);
    assert_eq!(told_states(&world.told(framework)), [], "a change of leader");
    world.disconnect(AGENT);
    world.pass_ms(600_000);
    world.sent();
    let hello = back(&mut world);
    world.must(hello);
    let status = only(&mut world, framework);
    assert_eq!((status.state, status.source), (TaskState::Running, Source::Master));
    assert_eq!((status.reason, status.update), (Some(Reason::AGENT_REREGISTERED), None));
}

/// surface 5: with other attributes it is not what was refused.
#[test]
fn refusals_of_an_agent_end_with_its_attributes() {
    let (mut world, framework) = running(true);
    world.allocate();
    let offers = world.offers(framework);
    world.must(Decline { framework, offers, refuse_seconds: Some(1e6) });
    for (attributes, left) in [(Vec::new(), 1), (vec![rack("one")], 0)] {
        let mut hello = back(&mut world);
        hello.description.attributes = attributes;
        world.must(hello);
        assert_eq!(world.state.book.filters.len(), left);
    }
}

fn rack(text: &str) -> Attribute {
    Attribute { name: "rack".into(), text: Some(text.into()) }
}

/// semantics 225; gaps 7
#[test]
fn a_framework_that_is_over_is_shut_down_wherever_it_turns_up() {
    let (mut world, framework) = running(true);
    world.disconnect(AGENT);
    world.must(Teardown { framework });
    world.lead(2);
    let mut hello = back(&mut world);
    hello.executors = vec![ExecutorReport { framework: "c-0000".into(), executor: "e".into() }];
    world.sent();
    world.must(hello);
    let shut_down = |effect: &Effect| match effect {
        Effect::Agent { directive: Directive::ShutdownFramework { framework, .. }, .. } => {
            Some(framework.clone())
        }
        _ => None,
    };
    let shut_down: Vec<_> = world.sent().iter().filter_map(shut_down).collect();
    assert_eq!(shut_down, ["c-0000".into()]);
    assert!(world.state.tasks.is_empty() && world.state.agents[&AGENT].used.is_empty());
}

/// semantics 226: which tasks are asked for.
#[test]
fn only_what_the_agent_should_have_is_asked_for() {
    let (mut world, framework) = running(true);
    world.launch(framework, "other", "cpus:1;mem:64");
    let hello = back(&mut world);
    world.sent();
    world.must(hello);
    let asked = |effect: &Effect| match effect {
        Effect::Agent { directive: Directive::Reconcile { framework, tasks }, .. } => {
            Some((*framework, tasks.clone()))
        }
        _ => None,
    };
    let asked: Vec<_> = world.sent().iter().filter_map(asked).collect();
    assert_eq!(asked, [(framework, vec![("other".into(), TaskState::Staging)])]);
}

/// semantics 230, 231
#[test]
fn an_agent_that_leaves_takes_its_tasks_with_it() {
    for aware in [true, false] {
        let (mut world, framework) = running(aware);
        let session = world.state.agents[&AGENT].session().expect("connected");
        world.must(Unregister { agent: AGENT, session });
        let sent = world.effects.clone();
        let status = only(&mut world, framework);
        assert_eq!((status.state, status.reason), (TaskState::Lost, Some(Reason::AGENT_REMOVED)));
        world.effects = sent;
        assert_eq!(heard(&mut world), (0, 1));
    }
}

/// semantics 231
#[test]
fn operators_hear_of_agents_that_come_and_are_removed_not_of_those_that_are_away() {
    let mut world = World::new();
    world.agent(HAS);
    assert_eq!(heard(&mut world), (1, 0));
    let hello = back(&mut world);
    world.must(hello);
    assert_eq!(heard(&mut world), (0, 0), "it was there all the time");
    world.disconnect(AGENT);
    world.pass_ms(600_000);
    assert_eq!(heard(&mut world), (0, 0));
    let hello = back(&mut world);
    world.must(hello);
    assert_eq!(heard(&mut world), (1, 0), "it was unreachable");
}

/// semantics 232, bettered by gaps 5: frameworks hear of each task of an agent that does not come back to a
/// new leader.
#[test]
fn an_agent_that_stays_away_from_a_new_leader_is_unreachable_with_its_tasks() {
    let (mut world, framework) = running(true);
    world.lead(2);
    let again = world.subscription(Some("c-0000"), &["*"]);
    world.subscribe(again);
    world.pass_ms(599_999);
    world.sent();
    world.pass_ms(1);
    let sent = world.effects.clone();
    assert_eq!(only(&mut world, framework).state, TaskState::Unreachable);
    world.effects = sent;
    let failed = FrameworkMessage::Failed { agent: AGENT, executor: None };
    assert!(world.told(framework).contains(&failed));
}
