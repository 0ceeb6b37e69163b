use super::*;
use crate::capability::Capabilities;
use crate::effect::FrameworkMessage;
use crate::id::TaskKey;
use crate::offer::{Decline, REFUSE_DEFAULT_MS};
use crate::operation::OperationState;
use crate::task::{ExecutorSpec, Fault};
use crate::testing::{World, command_task, plus, reserved, resources, told_states};

/// A world with two agents and a framework that holds an offer of each, in their order.
fn offered() -> (World, FrameworkId, Vec<OfferId>) {
    let mut world = World::new();
    world.agent("cpus:4;mem:4096");
    world.agent("cpus:4;mem:4096");
    let framework = world.framework(&["*"]);
    world.allocate();
    world.sent();
    let mut offers = world.offers(framework);
    offers.sort_by_key(|id| world.state.offers[id].agent);
    (world, framework, offers)
}

fn task(id: &str, agent: AgentId) -> TaskSpec {
    command_task(id, agent, "cpus:1;mem:64")
}

fn launch(tasks: &[TaskSpec]) -> Vec<Operation> {
    vec![Operation::Launch(tasks.to_vec())]
}

/// What a framework is told of its tasks: state, reason and words.
fn told(world: &mut World, framework: FrameworkId) -> Vec<(TaskState, Option<Reason>, String)> {
    let told = world.told(framework).into_iter();
    told.map(|message| match message {
        FrameworkMessage::Updated(update) => {
            let status = &update.status;
            let words = status.message.as_deref().unwrap_or_default().to_owned();
            (status.state, status.reason, words)
        }
        other => panic!("not an update: {other:?}"),
    })
    .collect()
}

fn check_refused(world: &mut World, framework: FrameworkId, state: TaskState, words: &str) {
    let told = told(world, framework);
    assert_eq!(told.len(), 1, "{told:?}");
    let reason =
        if state == TaskState::Error { Reason::TASK_INVALID } else { Reason::INVALID_OFFERS };
    assert_eq!((told[0].0, told[0].1), (state, Some(reason)), "{told:?}");
    assert!(told[0].2.contains(words), "{told:?} does not say {words}");
}

/// semantics 94
#[test]
fn a_launch_uses_and_the_rest_is_free() {
    let (mut world, framework, offers) = offered();
    world.accept(framework, &offers[..1], launch(&[task("t", AgentId(0))]));
    let agent = &world.state.agents[&AgentId(0)];
    assert_eq!(agent.used, resources("cpus:1;mem:64"));
    assert_eq!(agent.free(), resources("cpus:3;mem:4032"));
    let key = TaskKey { framework, task: "t".into() };
    assert_eq!(world.state.tasks[&key].state, TaskState::Staging);
    assert_eq!(told(&mut world, framework), [], "no TASK_STAGING is sent");
}

#[test]
fn an_offer_can_be_taken_once() {
    let (mut world, framework, offers) = offered();
    world.accept(framework, &offers[..1], launch(&[task("t", AgentId(0))]));
    world.sent();
    world.accept(framework, &offers[..1], launch(&[task("u", AgentId(0))]));
    let words = "is no longer valid";
    check_refused(&mut world, framework, TaskState::Dropped, words); // semantics 80
    assert_eq!(world.state.tasks.len(), 1, "gaps 13");
}

/// semantics 92, 102
#[test]
fn one_invalid_task_does_not_stop_its_siblings() {
    let (mut world, framework, offers) = offered();
    let greedy = command_task("greedy", AgentId(0), "cpus:9");
    let tasks = [task("a", AgentId(0)), greedy, task("b", AgentId(0))];
    world.accept(framework, &offers[..1], launch(&tasks));
    let words = "Total resources cpus:9 required by task and its executor is more than available \
                 cpus:3;mem:4032";
    check_refused(&mut world, framework, TaskState::Error, words);
    assert_eq!(world.state.tasks.len(), 2);
}

/// semantics 129
#[test]
fn revocable_resources_do_not_mix_with_others_of_their_name() {
    let revocable = |text: &str| -> Resources {
        let some = resources(text);
        some.iter().map(|it| Resource { revocable: true, ..it.clone() }).collect()
    };
    let with = |own: Resources, executor: Option<Resources>| {
        let executor = executor.map(|resources| ExecutorSpec {
            id: "e".into(),
            resources,
            payload: bytes::Bytes::new(),
        });
        TaskSpec { resources: own, executor, ..task("t", AgentId(0)) }
    };
    let check = |task: TaskSpec, words: &str| {
        let (mut world, framework, offers) = offered();
        world.accept(framework, &offers[..1], launch(&[task]));
        check_refused(&mut world, framework, TaskState::Error, words);
    };
    let (plain, mixed) = (resources("cpus:1"), plus(&resources("cpus:1"), &revocable("cpus:1")));
    check(with(mixed.clone(), None), "mix revocable and non-revocable resources: cpus");
    check(with(resources("mem:1"), Some(mixed)), "mix revocable");
    check(with(plain.clone(), Some(revocable("cpus:1"))), "mix revocable");
    check(with(plain, Some(revocable("mem:1"))), "more than available"); // of other names they may

    // nor with what an executor uses that runs already
    let (mut world, framework, offers) = offered();
    let first = with(resources("cpus:1"), Some(resources("cpus:1")));
    world.accept(framework, &offers[..1], launch(std::slice::from_ref(&first)));
    world.allocate();
    world.sent();
    let offers = world.offers(framework);
    let on_agent = |id: &&OfferId| world.state.offers[*id].agent == AgentId(0);
    let offer = *offers.iter().find(on_agent).expect("an offer");
    let second = TaskSpec { id: "u".into(), resources: revocable("cpus:1"), ..first };
    world.accept(framework, &[offer], launch(&[second]));
    check_refused(&mut world, framework, TaskState::Error, "mix revocable");
}

/// semantics 140, 142
#[test]
fn faults_are_found_in_the_order_of_semantics_140() {
    let (mut world, framework, offers) = offered();
    let mut spec = task("t", AgentId(1));
    spec.fault = Some(Fault::Id("the id is wrong".into()));
    world.accept(framework, &offers[..1], launch(&[spec.clone()]));
    check_refused(&mut world, framework, TaskState::Error, "the id is wrong");
    world.allocate();
    world.sent();
    let offers = world.offers(framework);
    let of_first = offers.iter().find(|id| world.state.offers[*id].agent == AgentId(0));
    let of_first = *of_first.expect("an offer");
    spec.fault = Some(Fault::Shape("the shape is wrong".into()));
    world.accept(framework, &[of_first], launch(&[spec.clone()]));
    let words = "Task uses invalid agent c-S1 while agent c-S0 is expected";
    check_refused(&mut world, framework, TaskState::Error, words);
    world.allocate();
    world.sent();
    let offers = world.offers(framework);
    spec.agent = None;
    spec.fault = Some(Fault::Agent("stranger".into()));
    world.accept(framework, &offers[..1], launch(&[spec]));
    check_refused(&mut world, framework, TaskState::Error, "invalid agent stranger while");
}

/// semantics 141
#[test]
fn a_task_id_is_used_once_at_a_time() {
    let (mut world, framework, offers) = offered();
    let twice = [task("t", AgentId(0)), task("t", AgentId(0))];
    world.accept(framework, &offers[..1], launch(&twice));
    check_refused(&mut world, framework, TaskState::Error, "Task has duplicate ID: t");
    world.update(framework, "t", TaskState::Finished, 1).expect("taken");
    world.acknowledge(framework, "t", 1);
    world.launch(framework, "t", "cpus:1");
    assert_eq!(world.state.tasks.len(), 1, "completed ids may be reused");
    let agent = world.state.tasks_of(framework).next().expect("a task").agent;
    world.disconnect(agent);
    world.pass_ms(600_000);
    world.allocate();
    world.sent();
    let offer = world.offers(framework)[0];
    let other = world.state.offers[&offer].agent;
    world.accept(framework, &[offer], launch(&[task("t", other)]));
    let words = "Task reuses the ID of an unreachable task: t";
    check_refused(&mut world, framework, TaskState::Error, words);
}

/// gaps 10: an id is taken while its task is out of reach, and whoever leads.
#[test]
fn the_id_of_a_task_out_of_reach_is_not_free() {
    let (mut world, framework, _) = offered();
    let agent = world.launch(framework, "t", "cpus:1");
    world.disconnect(agent);
    world.pass_ms(600_000);
    world.lead(2);
    let mut again = world.subscription(Some("c-0000"), &["*"]);
    again.description.failover_timeout_ms = 3_600_000;
    world.subscribe(again);
    world.allocate();
    let offer = world.offers(framework)[0];
    let other = world.state.offers[&offer].agent;
    assert_ne!(other, agent);
    world.sent();
    world.accept(framework, &[offer], launch(&[task("t", other)]));
    let words = "the ID of an unreachable task";
    check_refused(&mut world, framework, TaskState::Error, words);
}

#[test]
fn offers_survive_a_change_of_leader() {
    let (mut world, framework, offers) = offered();
    world.lead(2);
    let again = world.subscription(Some("c-0000"), &["*"]);
    world.subscribe(again);
    let [FrameworkMessage::Offers(again)] = &world.told(framework)[..] else {
        panic!("the offers are not sent again");
    };
    let again: Vec<_> = again.iter().map(|offer| offer.id).collect();
    assert!(again.len() == 2 && again.iter().all(|offer| offers.contains(offer)));
    world.accept(framework, &offers[..1], launch(&[task("t", AgentId(0))]));
    assert_eq!(world.state.tasks.len(), 1, "gaps 13: the agent is awaited, not gone");
}

/// A world in which agents 0 and 1 have an offer each in roles `a` and `b` for the first framework,
/// and agent 2 one for another.
fn by_roles() -> (World, FrameworkId) {
    let mut world = World::new();
    for _ in 0..2 {
        world.agent("cpus(a):1;mem(a):64;cpus(b):1;mem(b):64");
    }
    world.agent("cpus(c):1;mem(c):64");
    let framework = world.framework(&["a", "b"]);
    world.framework(&["c"]);
    world.allocate();
    world.sent();
    assert_eq!(world.state.offers.len(), 5);
    (world, framework)
}

/// The offer of an agent for a role.
fn of(world: &World, agent: u32, role: &str) -> OfferReference {
    let mut offers = world.state.offers.values();
    let offer = offers.find(|offer| offer.agent == AgentId(agent) && &*offer.role == role);
    world.reference(offer.expect("an offer").id)
}

/// All that can be asked for: two tasks, a group of two, and operations with and without an id.
fn everything() -> Vec<Operation> {
    let executor = ExecutorSpec {
        id: "pod".into(),
        resources: resources("cpus:0.1;mem:32"),
        payload: bytes::Bytes::new(),
    };
    let tasks = |ids: [&str; 2]| ids.map(|id| task(id, AgentId(0))).to_vec();
    let reserve = || Request::Reserve(Ok(reserved(&resources("cpus:1"), "a")));
    vec![
        Operation::Launch(tasks(["t", "u"])),
        Operation::Convert(reserve(), None),
        Operation::LaunchGroup(GroupSpec { executor, tasks: tasks(["v", "w"]), fault: None }),
        Operation::Convert(reserve(), Some("reserve".into())),
    ]
}

/// An ACCEPT of offers that do not go together: all that it asks for is refused with this fault, and
/// of the offers `left` stand.
fn check_invalid(named: impl Fn(&World) -> Vec<OfferReference>, fault: &str, left: usize) {
    let (mut world, framework) = by_roles();
    let (offers, operations) = (named(&world), everything());
    world.must(Accept { framework, offers, operations, refuse_seconds: None });
    assert_eq!(world.state.offers.len(), left, "{fault}");
    assert!(world.state.book.filters.is_empty() && world.state.tasks.is_empty(), "{fault}");
    let messages = world.told(framework);
    let updates = told_states(&messages);
    assert_eq!(updates, [(TaskState::Dropped, Reason::INVALID_OFFERS); 4], "{fault}");
    for message in &messages {
        let (said, words) = match message {
            FrameworkMessage::Updated(update) => {
                (update.status.message.as_deref(), "Task launched with invalid offers: ")
            }
            FrameworkMessage::OperationUpdated(update) => {
                assert_eq!(update.state, OperationState::Error, "{fault}");
                (update.message.as_deref(), "Operation attempted with invalid offers: ")
            }
            other => panic!("{other:?}"),
        };
        let said = said.unwrap_or_default();
        assert!(said.starts_with(&format!("{words}{fault}")), "{said} is not about {fault}");
    }
    assert_eq!(messages.len(), 5, "an operation without an id is refused in silence: {fault}");
}

/// semantics 79, 80, 81
#[test]
fn offers_that_do_not_go_together_refuse_all_that_is_asked() {
    check_invalid(|_| Vec::new(), "No offers specified", 5);
    check_invalid(
        |world| vec![of(world, 0, "a"), of(world, 0, "a")],
        "Duplicate offer c-O0 in offer list",
        4,
    );
    let stranger = || OfferReference { id: None, text: "stranger".into() };
    check_invalid(
        |world| vec![of(world, 0, "a"), stranger()],
        "Offer stranger is no longer valid",
        4,
    );
    let expired = || OfferReference { id: Some(OfferId(99)), text: "c-O99".into() };
    check_invalid(|_| vec![expired()], "Offer c-O99 is no longer valid", 5);
    check_invalid(
        |world| vec![of(world, 0, "a"), of(world, 1, "a")],
        "Aggregated offers must belong to one single agent. ",
        3,
    );
    check_invalid(
        |world| vec![of(world, 0, "a"), of(world, 0, "b")],
        "Aggregated offers must be allocated to the same role. ",
        3,
    );
    let foreign = "Offer c-O4 has invalid framework c-0001 while framework c-0000 is expected";
    check_invalid(|world| vec![of(world, 2, "c")], foreign, 5);
}

/// semantics 80
#[test]
fn who_cannot_tell_dropped_tasks_apart_hears_that_they_are_lost() {
    let mut world = World::new();
    let mut subscribe = world.subscription(None, &["*"]);
    subscribe.description.capabilities = Capabilities::default();
    let framework = world.subscribe(subscribe);
    world.accept(framework, &[], launch(&[task("t", AgentId(0))]));
    check_refused(&mut world, framework, TaskState::Lost, "No offers specified");
}

/// semantics 82, 100, 104
#[test]
fn to_accept_without_operations_is_to_decline() {
    for refuse_seconds in [None, Some(60.0), Some(0.0)] {
        let (mut accepted, framework, offers) = offered();
        let mut declined = accepted.state.clone();
        let reference = accepted.reference(offers[0]);
        accepted.must(Accept {
            framework,
            offers: vec![reference],
            operations: Vec::new(),
            refuse_seconds,
        });
        std::mem::swap(&mut accepted.state, &mut declined);
        accepted.replica = accepted.state.clone();
        accepted.must(Decline { framework, offers: vec![offers[0]], refuse_seconds });
        // they are only counted apart
        let after = &accepted.state;
        assert_eq!(after.book, declined.book, "{refuse_seconds:?}");
        assert_eq!((&after.offers, &after.agents), (&declined.offers, &declined.agents));
        let count = usize::from(refuse_seconds != Some(0.0));
        assert_eq!(declined.book.filters.len(), count, "{refuse_seconds:?}");
    }
    let (mut world, framework, offers) = offered();
    let operations = vec![Operation::Launch(vec![task("t", AgentId(0))])];
    let offers = vec![world.reference(offers[0])];
    world.must(Accept { framework, offers, operations, refuse_seconds: None });
    for (passed_ms, held) in [(REFUSE_DEFAULT_MS - 1, 1), (1, 2)] {
        world.pass_ms(passed_ms);
        world.allocate();
        assert_eq!(world.offers(framework).len(), held, "what is left over is refused for 5 s");
    }
}

/// semantics 83
#[test]
fn offers_of_an_agent_that_went_away_are_no_longer_valid() {
    let (mut world, framework, offers) = offered();
    let agent = world.state.offers[&offers[0]].agent;
    world.disconnect(agent);
    world.sent();
    world.accept(framework, &offers[..1], launch(&[task("t", agent)]));
    check_refused(&mut world, framework, TaskState::Dropped, "is no longer valid");
}

/// semantics 84
#[test]
fn an_operation_that_fails_does_not_stop_the_next() {
    let (mut world, framework) = by_roles();
    let offers = vec![of(&world, 0, "a")];
    let operations = vec![
        Operation::reserve(Ok(reserved(&resources("cpus:7"), "a"))),
        Operation::Launch(vec![command_task("greedy", AgentId(0), "cpus(a):9")]),
        Operation::Launch(vec![command_task("t", AgentId(0), "cpus(a):1;mem(a):32")]),
        Operation::Launch(vec![command_task("late", AgentId(0), "cpus(a):1")]),
        Operation::Launch(vec![command_task("rest", AgentId(0), "mem(a):32")]),
    ];
    world.must(Accept { framework, offers, operations, refuse_seconds: None });
    let launched: Vec<_> = world.state.tasks.keys().map(|key| key.task.to_string()).collect();
    assert_eq!(launched, ["rest", "t"], "each works on what the ones before left");
    let refused = told_states(&world.told(framework));
    assert_eq!(refused, [(TaskState::Error, Reason::TASK_INVALID); 2]);
}

/// semantics 89
#[test]
fn an_operation_with_an_id_needs_an_agent_that_confirms() {
    let check = |capabilities: Capabilities, id: Option<&str>, done: bool| {
        let mut world = World::new();
        let mut hello = world.hello(None, "cpus:4;mem:4096");
        hello.description.capabilities = capabilities;
        world.must(hello);
        let framework = world.framework(&["a"]);
        let some = reserved(&resources("cpus:1"), "a");
        let reserve = Operation::Convert(Request::Reserve(Ok(some.clone())), id.map(Into::into));
        world.operate(framework, vec![reserve]);
        assert_eq!(world.state.agents[&AgentId(0)].total.contains(&some), done, "{id:?}");
        let refused = world.told(framework).into_iter().any(|message| match message {
            FrameworkMessage::OperationUpdated(update) => {
                update.message.is_some_and(|it| it.contains("AGENT_OPERATION_FEEDBACK"))
            }
            _ => false,
        });
        assert_eq!(refused, !done, "{id:?}");
    };
    let confirms = Capabilities::default().with(capability::agent::AGENT_OPERATION_FEEDBACK);
    check(confirms, Some("id"), true);
    check(Capabilities::default(), Some("id"), false);
    check(Capabilities::default(), None, true);
}

/// semantics 95
#[test]
fn an_executor_is_charged_with_its_first_task() {
    let (mut world, framework, offers) = offered();
    let executor = ExecutorSpec {
        id: "e".into(),
        resources: resources("cpus:0.5;mem:32"),
        payload: bytes::Bytes::from_static(b"executor"),
    };
    let with = |id: &str| TaskSpec { executor: Some(executor.clone()), ..task(id, AgentId(0)) };
    world.accept(framework, &offers[..1], launch(&[with("t"), with("u")]));
    let used = &world.state.agents[&AgentId(0)].used;
    assert_eq!(*used, resources("cpus:2.5;mem:160"));
}

/// semantics 149
#[test]
fn an_executor_id_means_one_executor() {
    let (mut world, framework, offers) = offered();
    let executor = |payload: &'static [u8], text: &str| ExecutorSpec {
        id: "e".into(),
        resources: resources(text),
        payload: bytes::Bytes::from_static(payload),
    };
    let with = |id: &str, executor| TaskSpec { executor: Some(executor), ..task(id, AgentId(0)) };
    let tasks = [
        with("t", executor(b"one", "cpus:0.5")),
        with("u", executor(b"another", "cpus:0.5")),
        with("v", executor(b"one", "cpus:0.1")),
    ];
    world.accept(framework, &offers[..1], launch(&tasks));
    let told = told(&mut world, framework);
    let words = "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.";
    let both = "'e' runs with cpus:0.5 and is asked for with cpus:0.1";
    assert!(told.len() == 2 && told.iter().all(|it| it.2.starts_with(words)), "{told:?}");
    assert!(told[1].2.contains(both), "{told:?}");
}
