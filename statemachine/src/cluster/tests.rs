//! Tests of what a change of leader leaves as it was.

use bytes::Bytes;

use crate::agent::{Deactivate, DrainAgent, MarkGone};
use crate::connection::Connection;
use crate::framework::Teardown;
use crate::maintenance::{Machine, StartMaintenance, Unavailability, UpdateSchedule, Window};
use crate::offer::{Decline, Operation};
use crate::operation::Request;
use crate::quota::{Before, Quota, SetQuotas};
use crate::resources::{Name, Scalar};
use crate::state::State;
use crate::status::TaskState;
use crate::task::{ExecutorSpec, Kill};
use crate::testing::{World, command_task, reserved, resources};

/// A cluster in which something of everything is going on.
fn busy() -> World {
    let mut world = World::new();
    let agents = ["a", "b", "c", "d", "e", "f"].map(|host| {
        let mut hello = world.hello(None, "cpus:8;mem:8192;disk:100");
        hello.description.hostname = host.into();
        let crate::Reply::Registered(agent) = world.must(hello) else { panic!("not registered") };
        agent
    });
    let [busy, drained, deactivated, gone, lost, down] = agents;
    let over = world.framework(&["old"]);
    world.must(Teardown { framework: over });
    let framework = world.framework(&["eng", "ops"]);
    world.must(crate::framework::Suppress { framework, roles: vec!["ops".into()] });
    world.launch(framework, "ended", "cpus:1;mem:64");
    world.update(framework, "ended", TaskState::Finished, 1).expect("taken");
    world.acknowledge(framework, "ended", 1);
    work(&mut world, framework);
    world.must(DrainAgent { agent: drained, max_grace_ns: Some(5), mark_gone: false });
    world.must(Deactivate { agent: deactivated });
    world.must(MarkGone { agent: gone });
    world.disconnect(lost);
    world.pass_ms(600_000);
    let machine = Machine::new("f", "127.0.0.1");
    let unavailability = Unavailability { start_ns: 1, duration_ns: None };
    let mut windows = vec![Window { machines: vec![machine.clone()], unavailability }];
    world.must(UpdateSchedule { windows: windows.clone() });
    world.must(StartMaintenance { machines: vec![machine] });
    assert!(!world.state.agents.contains_key(&down));
    let machines = vec![Machine::new("a", "127.0.0.1")];
    windows.push(Window { machines, unavailability });
    world.must(UpdateSchedule { windows });
    world.allocate();
    assert!(!world.state.maintenance.offers.is_empty(), "asked back");
    assert!(world.state.agents.contains_key(&busy));
    let limits = [(Name::Cpus, Scalar(100_000))].into();
    let quotas = vec![("eng".into(), Quota { limits, ..Quota::default() })];
    world.must(SetQuotas { quotas, force: false, before: Before::Any });
    world.must(super::Weigh { weights: vec![("ops".into(), 3000)] });
    world.allocate();
    world
}

/// Everything that a framework can have: tasks, an executor, an operation, offers and refusals.
fn work(world: &mut World, framework: crate::FrameworkId) {
    world.allocate();
    let offers = world.offers(framework);
    let agent = world.state.offers[&offers[0]].agent;
    let mut custom = command_task("custom", agent, "cpus:1;mem:64");
    let (id, needs, payload) = ("e".into(), resources("cpus:1;mem:32"), Bytes::new());
    custom.executor = Some(ExecutorSpec { id, resources: needs, payload });
    let reserve = Request::Reserve(Ok(reserved(&resources("cpus:1"), "eng")));
    let operations = vec![
        Operation::Launch(vec![command_task("t", agent, "cpus:1;mem:64"), custom]),
        Operation::Convert(reserve, Some("o".into())),
    ];
    world.accept(framework, &offers[..1], operations);
    world.must(Kill { framework, task: "t".into(), agent: None, policy: Bytes::new() });
    world.update(framework, "custom", TaskState::Running, 2).expect("taken");
    world.must(Decline { framework, offers: offers[1..2].to_vec(), refuse_seconds: Some(1e6) });
}

/// A state but for who leads, and whom that one awaits.
fn without_leader(state: &State) -> State {
    let mut state = state.clone();
    state.cluster.term = 0;
    state.cluster.leader = 0;
    state.cluster.elected_at = crate::Time(0);
    state.cluster.events = crate::EventNumber(0);
    let reachable = state.agents.values().filter(|agent| agent.unreachable_since.is_none());
    let reachable: Vec<_> = reachable.map(|agent| agent.id).collect();
    let frameworks: Vec<_> = state.frameworks.keys().copied().collect();
    let nobody = Connection::Connected(crate::Session(0));
    for agent in reachable {
        state.connect_agent(agent, nobody);
    }
    for framework in frameworks {
        state.connect_framework(framework, nobody);
    }
    state
}

/// semantics 248, 249 and 250, bettered by gaps 1, 7 to 13 and 15 to 20: nothing is forgotten, and least of all
/// what Mesos keeps.
#[test]
fn a_new_leader_knows_all_that_the_last_one_knew() {
    let mut world = busy();
    let before = without_leader(&world.state);
    let is_empty = [
        before.tasks.is_empty(),
        before.executors.is_empty(),
        before.operations.is_empty(),
        before.offers.is_empty(),
        before.book.filters.is_empty(),
        before.gone_agents.is_empty(),
        before.completed_frameworks.is_empty(),
        before.quotas.is_empty(),
        before.weights.is_empty(),
        before.maintenance.inverse.is_empty(),
        before.frameworks.values().all(|it| it.suppressed.is_empty()),
        before.frameworks.values().all(|it| it.completed.is_empty()),
        before.agents.values().all(|it| it.unreachable_since.is_none()),
        before.agents.values().all(|it| it.drain.is_none()),
    ];
    assert_eq!(is_empty, [false; 14], "the world is as busy as it should be");
    for term in 2..5 {
        world.lead(term);
        assert_eq!(without_leader(&world.state), before, "term {term}");
    }
    let known = &world.state.frameworks[&crate::FrameworkId(1)];
    assert_eq!(known.registered_at, crate::Time(1_000_000), "gaps 15");
}

/// semantics 251 differs: ids are made of the cluster's id and go on where they were (decisions 0004).
#[test]
fn ids_outlive_leaders() {
    let mut world = World::new();
    let first = world.agent("cpus:1;mem:64");
    world.framework(&["a"]);
    world.allocate();
    let offer = *world.state.offers.keys().next().expect("an offer");
    world.lead(2);
    let second = world.agent("cpus:1;mem:64");
    let framework = world.framework(&["a"]);
    world.allocate();
    let later = world.offers(framework)[0];
    let text = |id| world.state.agent_text(id);
    assert_eq!((text(first), text(second)), ("c-S0".to_owned(), "c-S1".to_owned()));
    assert_eq!(&*world.state.frameworks[&framework].wire_id, "c-0001");
    assert_eq!(world.state.parse_offer(&world.state.offer_text(offer)), Some(offer));
    assert!(later > offer, "no id is given twice");
}
