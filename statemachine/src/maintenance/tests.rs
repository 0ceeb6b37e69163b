//! Tests of maintenance.

use super::*;
use crate::agent::{DrainAgent, MarkGone};
use crate::effect::Directive;
use crate::framework::{Disconnect, Revive};
use crate::rejection::Rejection;
use crate::status::{Reason, TaskState};
use crate::testing::{World, told_states};

const HAS: &str = "cpus:4;mem:4096";

fn machine(number: u8) -> Machine {
    Machine::new(&format!("Node{number}"), &format!("10.0.0.{number}"))
}

fn window(machines: &[u8], start_ns: i64) -> Window {
    let unavailability = Unavailability { start_ns, duration_ns: Some(60) };
    Window { machines: machines.iter().copied().map(machine).collect(), unavailability }
}

fn schedule(world: &mut World, windows: Vec<Window>) {
    world.must(UpdateSchedule { windows });
}

/// An agent on the machine of this number.
fn agent_on(world: &mut World, number: u8) -> AgentId {
    let hello = hello_from(world, None, number);
    match world.must(hello) {
        crate::Reply::Registered(agent) => agent,
        reply => panic!("not registered: {reply:?}"),
    }
}

fn hello_from(world: &mut World, agent: Option<AgentId>, number: u8) -> crate::agent::Register {
    let mut hello = world.hello(agent, HAS);
    hello.description.hostname = format!("node{number}").into();
    hello.description.address = format!("10.0.0.{number}:5051").into();
    hello
}

/// A task of a framework on an agent on machine 1, and the rest of the agent on the table.
fn busy() -> (World, FrameworkId, AgentId) {
    let mut world = World::new();
    let agent = agent_on(&mut world, 1);
    let framework = world.framework(&["*"]);
    world.launch(framework, "t", "cpus:1;mem:64");
    world.allocate();
    world.sent();
    (world, framework, agent)
}

fn asked(messages: &[FrameworkMessage]) -> Vec<InverseOffer> {
    let offers = messages.iter().filter_map(|message| match message {
        FrameworkMessage::InverseOffers(offers) => Some(offers.clone()),
        _ => None,
    });
    offers.flatten().collect()
}

/// What a framework is asked in one allocation cycle.
fn cycle(world: &mut World, framework: FrameworkId) -> Vec<InverseOffer> {
    world.sent();
    world.allocate();
    asked(&world.told(framework))
}

fn check_schedule(windows: Vec<Window>, fault: &str) {
    let mut world = World::new();
    schedule(&mut world, vec![window(&[9], 1)]);
    world.must(StartMaintenance { machines: vec![machine(9)] });
    let refused = world.ask(UpdateSchedule { windows }).expect_err(fault);
    assert!(refused.to_string().contains(fault), "{refused}");
}

/// semantics 242
#[test]
fn schedules_are_checked() {
    let down = || window(&[9], 1);
    let mut endless = window(&[1], 1);
    endless.unavailability.duration_ns = Some(-1);
    let named =
        |hostname, ip| Window { machines: vec![Machine::new(hostname, ip)], ..window(&[], 1) };
    check_schedule(vec![down(), window(&[], 1)], "names no machine");
    check_schedule(vec![down(), endless], "below 0");
    check_schedule(vec![down(), window(&[1], 1), window(&[1], 9)], "twice");
    check_schedule(vec![down(), named("", "")], "neither");
    check_schedule(vec![down(), named("a", "10.0.0.256")], "IPv4");
    check_schedule(vec![window(&[1], 1)], "is down");
    let mut world = World::new();
    schedule(&mut world, vec![named("a", ""), named("", "10.0.0.1")]);
    schedule(&mut world, Vec::new());
    assert!(world.state.maintenance.is_empty());
}

/// semantics 242
#[test]
fn a_machine_is_its_hostname_in_any_case_and_its_address() {
    let mut world = World::new();
    let agent = agent_on(&mut world, 1);
    schedule(&mut world, vec![window(&[1], 7)]);
    assert_eq!(world.state.unavailability(agent).map(|it| it.start_ns), Some(7));
    let other = Window { machines: vec![Machine::new("node1", "10.0.0.2")], ..window(&[], 7) };
    schedule(&mut world, vec![other]);
    assert_eq!(world.state.unavailability(agent), None);
}

/// semantics 115, 245
#[test]
fn holders_are_asked_back_at_once_and_once() {
    let (mut world, framework, agent) = busy();
    schedule(&mut world, vec![window(&[1], 7)]);
    let rescinded = world.told(framework);
    assert!(matches!(rescinded[..], [FrameworkMessage::Rescinded(_)]), "{rescinded:?}");
    let asked = cycle(&mut world, framework);
    let [offer] = asked[..] else { panic!("{asked:?}") };
    assert_eq!((offer.agent, offer.unavailability.start_ns), (agent, 7));
    assert_eq!(cycle(&mut world, framework), [], "one is outstanding");
    schedule(&mut world, vec![window(&[1], 8)]);
    let told = world.told(framework);
    assert!(told.contains(&FrameworkMessage::InverseRescinded(offer.id)), "{told:?}");
    assert_eq!(cycle(&mut world, framework).len(), 1);
    let idle = world.framework(&["*"]);
    assert_eq!(cycle(&mut world, idle), [], "it has nothing there");
}

/// semantics 114, 109; gaps 12
#[test]
fn answers_are_kept_and_asked_for_again() {
    let (mut world, framework, agent) = busy();
    schedule(&mut world, vec![window(&[1], 7)]);
    for (accepts, refuse_seconds, silent_ms) in [(true, None, 5_000), (false, Some(60.0), 60_000)] {
        let offers: Vec<_> = cycle(&mut world, framework).iter().map(|it| it.id).collect();
        assert_eq!(offers.len(), 1);
        let named = vec![offers[0], offers[0], OfferId(999)];
        world.must(AnswerInverseOffers { framework, offers: named, accepts, refuse_seconds });
        world.lead(world.state.cluster.term + 1);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        let back = hello_from(&mut world, Some(agent), 1);
        world.must(back);
        let inverse = world.state.maintenance.inverse[&(agent, framework)];
        assert_eq!(inverse.answer, Some((accepts, world.now)));
        world.pass_ms(silent_ms - 1);
        assert_eq!(cycle(&mut world, framework), [], "not yet");
        world.pass_ms(1);
    }
    let offers: Vec<_> = cycle(&mut world, framework).iter().map(|it| it.id).collect();
    world.must(AnswerInverseOffers {
        framework,
        offers,
        accepts: true,
        refuse_seconds: Some(60.0),
    });
    world.must(Revive { framework, roles: Vec::new() });
    assert_eq!(cycle(&mut world, framework).len(), 1, "semantics 109");
}

/// semantics 115
#[test]
fn who_is_away_is_asked_when_it_is_back() {
    let (mut world, framework, _) = busy();
    schedule(&mut world, vec![window(&[1], 7)]);
    let first = cycle(&mut world, framework);
    let again = world.subscription(Some("c-0000"), &["*"]);
    world.subscribe(again);
    assert_eq!(asked(&world.told(framework)), first, "a new stream is told what is outstanding");
    let session = world.state.frameworks[&framework].session().expect("connected");
    world.must(Disconnect { framework, session });
    assert!(world.state.maintenance.offers.is_empty());
    assert_eq!(cycle(&mut world, framework), []);
    let again = world.subscription(Some("c-0000"), &["*"]);
    world.subscribe(again);
    assert_eq!(cycle(&mut world, framework).len(), 1);
}

fn check_mode(command: impl Into<crate::Command>, fault: &str) {
    let mut world = World::new();
    schedule(&mut world, vec![window(&[1, 9], 1)]);
    world.must(StartMaintenance { machines: vec![machine(9)] });
    let refused = world.ask(command).expect_err(fault);
    assert!(refused.to_string().contains(fault), "{refused}");
}

/// semantics 243
#[test]
fn machines_go_down_from_draining_and_up_from_down() {
    let down = |numbers: &[u8]| StartMaintenance {
        machines: numbers.iter().copied().map(machine).collect(),
    };
    let up = |numbers: &[u8]| StopMaintenance {
        machines: numbers.iter().copied().map(machine).collect(),
    };
    check_mode(down(&[1, 2]), "is not part of a maintenance schedule");
    check_mode(up(&[2]), "is not part of a maintenance schedule");
    check_mode(down(&[1, 9]), "is not in DRAINING mode and cannot be brought down");
    check_mode(up(&[9, 1]), "is not in DOWN mode and cannot be brought up");
    check_mode(down(&[]), "no machine");
    check_mode(up(&[9, 9]), "twice");
}

/// semantics 230, 235, 244
#[test]
fn agents_on_machines_that_are_down_are_sent_away() {
    let (mut world, framework, agent) = busy();
    let elsewhere = agent_on(&mut world, 2);
    schedule(&mut world, vec![window(&[1], 7), window(&[3], 9)]);
    cycle(&mut world, framework);
    world.must(StartMaintenance { machines: vec![machine(1)] });
    let leaves = world.effects.iter().any(|effect| match effect {
        Effect::Agent { to, directive: Directive::Leave { .. }, .. } => *to == agent,
        _ => false,
    });
    assert!(leaves);
    let lost = (TaskState::Lost, Reason::AGENT_REMOVED);
    assert_eq!(told_states(&world.told(framework)), [lost], "though it tells lost tasks apart");
    assert_eq!(world.state.agents.keys().collect::<Vec<_>>(), [&elsewhere]);
    for known in [None, Some(elsewhere)] {
        let hello = hello_from(&mut world, known, 1);
        let refused = world.ask(hello).expect_err("down");
        assert!(matches!(refused, Rejection::AgentDismissed(_)), "{refused}");
    }
    world.must(StopMaintenance { machines: vec![machine(1)] });
    assert_eq!(world.state.maintenance.windows, [window(&[3], 9)]);
    let back = agent_on(&mut world, 1);
    assert_eq!(world.state.unavailability(back), None);
}

/// semantics 236
#[test]
fn what_is_scheduled_is_not_drained_by_itself() {
    let (mut world, _, agent) = busy();
    schedule(&mut world, vec![window(&[1], 7)]);
    let asked = DrainAgent { agent, max_grace_ns: None, mark_gone: false };
    let refused = world.ask(asked).expect_err("scheduled");
    assert!(refused.to_string().contains("maintenance schedule"), "{refused}");
}

#[test]
fn what_was_asked_ends_with_the_agent() {
    let (mut world, framework, agent) = busy();
    schedule(&mut world, vec![window(&[1], 7)]);
    let [offer] = cycle(&mut world, framework)[..] else { panic!("not asked") };
    world.must(MarkGone { agent });
    assert!(world.told(framework).contains(&FrameworkMessage::InverseRescinded(offer.id)));
    assert!(world.state.maintenance.inverse.is_empty());
}
