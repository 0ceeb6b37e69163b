//! Tests of which tasks, agents and frameworks are listed where.

use prost::Message;
use protocol::v1::TaskInfo;
use serde_json::Value;
use statemachine::agent::MarkGone;
use statemachine::framework::{Disconnect, Teardown};
use statemachine::offer::Operation;
use statemachine::testing::{World, command_task};
use statemachine::{AgentId, FrameworkId, OperatorMessage, TaskState};

use super::{classic, operator, response};

const HAS: &str = "cpus:8;mem:8192";

/// Launches a task whose payload is as the wire has it.
fn launch(world: &mut World, framework: FrameworkId, id: &str) -> AgentId {
    world.allocate();
    let offer = world.state.offers[&world.offers(framework)[0]].clone();
    let info = TaskInfo { task_id: id.into(), name: id.to_owned(), ..TaskInfo::default() };
    let mut task = command_task(id, offer.agent, "cpus:0.1;mem:32");
    task.payload = info.encode_to_vec().into();
    world.accept(framework, &[offer.id], vec![Operation::Launch(vec![task])]);
    offer.agent
}

/// A framework with a task of each kind on one agent each: `runs`, `ends` (which it does not know yet),
/// `over` and `away`; and one that is over, with a task `old`.
fn world() -> (World, FrameworkId) {
    let mut world = World::new();
    let agents = [world.agent(HAS), world.agent(HAS)];
    let framework = world.framework(&["a"]);
    let away = launch(&mut world, framework, "away");
    world.update(framework, "away", TaskState::Running, 1).expect("taken");
    world.acknowledge(framework, "away", 1);
    world.disconnect(away);
    world.pass_ms(600_000);
    assert!(agents.contains(&away));
    for (number, id) in (2..).zip(["runs", "ends", "over"]) {
        launch(&mut world, framework, id);
        world.pass_ms(1000);
        let state = if id == "runs" { TaskState::Running } else { TaskState::Finished };
        world.update(framework, id, state, number).expect("taken");
        if id != "ends" {
            world.acknowledge(framework, id, number);
        }
    }
    world.must(statemachine::framework::Suppress { framework, roles: Vec::new() });
    let ended = world.framework(&["b"]);
    launch(&mut world, ended, "old");
    world.must(Teardown { framework: ended });
    (world, framework)
}

fn ids(tasks: &[protocol::v1::Task]) -> Vec<&str> {
    tasks.iter().map(|task| &*task.task_id.value).collect()
}

/// semantics 195, 314: what its framework has not acknowledged is still among the tasks, as it is.
#[test]
#[expect(deprecated, reason = "fields that stay empty")]
fn tasks_are_listed_by_how_far_they_are() {
    let (world, _) = world();
    let answer = response::tasks(&world.state);
    assert_eq!(ids(&answer.tasks), ["ends", "runs"]);
    assert_eq!(answer.tasks[0].state(), protocol::v1::TaskState::TaskFinished);
    assert_eq!(ids(&answer.unreachable_tasks), ["away"]);
    assert_eq!(ids(&answer.completed_tasks), ["over", "old"]);
    assert!(answer.pending_tasks.is_empty() && answer.orphan_tasks.is_empty());
}

/// semantics 313, bettered: as many frameworks that are over as the retention keeps.
#[test]
#[expect(deprecated, reason = "fields that stay empty")]
fn frameworks_are_listed_whether_or_not_they_are_connected() {
    let (mut world, framework) = world();
    world.lead(2);
    let shown = |world: &World| {
        let answer = response::frameworks(&world.state);
        assert!(answer.recovered_frameworks.is_empty());
        let [known] = &answer.frameworks[..] else { panic!("not one: {answer:?}") };
        let [over] = &answer.completed_frameworks[..] else { panic!("not one: {answer:?}") };
        assert!(!over.active && !over.connected && over.unregistered_time.is_some());
        (known.connected, known.active, known.recovered)
    };
    assert_eq!(shown(&world), (false, false, true), "it is awaited");
    let again = world.subscription(Some("c-0000"), &["a"]);
    world.subscribe(again);
    assert_eq!(shown(&world), (true, true, false));
    let session = world.state.frameworks[&framework].session().expect("connected");
    world.must(Disconnect { framework, session });
    assert_eq!(shown(&world), (false, false, false));
}

/// semantics 312
#[test]
fn agents_are_listed_while_they_can_be_reached() {
    let (mut world, _) = world();
    let listed = |world: &World| {
        let answer = response::agents(&world.state);
        (answer.agents.len(), answer.recovered_agents.len())
    };
    assert_eq!(listed(&world), (1, 0), "the other is unreachable");
    world.lead(2);
    assert_eq!(listed(&world), (0, 1));
    let there = world.state.agents.values().find(|agent| agent.is_active()).expect("one").id;
    let mut back = world.hello(Some(there), HAS);
    back.last_launch = world.state.cluster.events;
    world.must(back);
    assert_eq!(listed(&world), (1, 0));
    world.must(MarkGone { agent: there });
    assert_eq!(listed(&world), (0, 0));
}

/// gaps 34: whoever reads has a state to itself, while decisions go on.
#[test]
fn a_view_stays_what_it_was() {
    let (mut world, framework) = world();
    let seen = world.state.clone();
    let before = response::state(&seen);
    world.must(Teardown { framework });
    assert_eq!(response::state(&seen), before);
    assert_ne!(response::state(&world.state), before);
}

/// semantics 299
#[test]
fn events_show_a_framework_without_its_offers() {
    let (mut world, framework) = world();
    world.must(statemachine::framework::Revive { framework, roles: Vec::new() });
    world.allocate();
    assert!(!response::frameworks(&world.state).frameworks[0].offers.is_empty());
    for message in
        [OperatorMessage::FrameworkAdded(framework), OperatorMessage::FrameworkUpdated(framework)]
    {
        let event = operator::event(&world.state, &message).expect("an event");
        let added = event.framework_added.map(|it| it.framework);
        let shown = added.or(event.framework_updated.map(|it| it.framework)).expect("a framework");
        assert!(shown.offers.is_empty() && shown.inverse_offers.is_empty());
        assert!(shown.offered_resources.is_empty() && shown.offer_constraints.is_none());
    }
}

fn check_page(world: &World, change: impl FnOnce(&mut classic::Page), expected: &[&str]) {
    let (limit, offset, ascending, framework_id, task_id) = (100, 0, false, None, None);
    let mut page = classic::Page { limit, offset, ascending, framework_id, task_id };
    change(&mut page);
    let shown = serde_json::to_value(classic::tasks(&world.state, &page)).expect("JSON");
    let shown = shown["tasks"].as_array().expect("tasks").iter();
    let shown: Vec<_> = shown.map(|task| task["id"].as_str().unwrap_or_default()).collect();
    assert_eq!(shown, expected);
}

/// semantics 291: newest first unless it is asked for otherwise, active, unreachable and over alike.
#[test]
fn tasks_are_paged_in_the_order_of_their_first_status() {
    let (world, _) = world();
    let (mut newest, oldest) =
        (["old", "over", "ends", "runs", "away"], ["away", "runs", "ends", "over", "old"]);
    check_page(&world, |_| {}, &newest);
    check_page(&world, |page| page.ascending = true, &oldest);
    check_page(&world, |page| (page.limit, page.offset) = (2, 1), &newest[1..3]);
    check_page(&world, |page| page.offset = 9, &[]);
    newest.rotate_left(1);
    check_page(&world, |page| page.framework_id = Some("c-0000".to_owned()), &newest[..4]);
    check_page(&world, |page| page.task_id = Some("ends".to_owned()), &["ends"]);
    let of_nobody = |page: &mut classic::Page| page.framework_id = Some("nobody".to_owned());
    check_page(&world, of_nobody, &[]);
}

/// semantics 289: which keys a task has, and that a command task has no executor of its own.
#[test]
fn a_task_has_the_keys_that_clients_know() {
    let (world, _) = world();
    let all = classic::frameworks(&world.state, None);
    let all = serde_json::to_value(all).expect("JSON");
    let task = &all["frameworks"][0]["completed_tasks"][0];
    for key in ["id", "name", "framework_id", "executor_id", "slave_id", "state", "role"] {
        assert!(task[key].is_string(), "{key} of {task}");
    }
    assert_eq!(task["executor_id"], "");
    assert!(task["resources"]["cpus"].is_f64(), "{task}");
    let status = &task["statuses"][0];
    assert!(status["state"] == "TASK_FINISHED" && status["timestamp"].is_f64(), "{task}");
    assert_eq!(task.get("limits"), None::<&Value>);
}
