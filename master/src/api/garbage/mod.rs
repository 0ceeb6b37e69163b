//! Calls that are almost right: each field of a valid call, one or several at a time, is dropped,
//! repeated, negated, made huge, empty, of another type, or names what belongs to somebody else. Nothing
//! panics, nothing that must stay true is broken, and no other framework is disturbed.

mod calls;
mod foreign;
mod mutate;

use proptest::prelude::*;
use protocol::json;
use protocol::v1::{master, scheduler};
use statemachine::operation::{Operate, Request};
use statemachine::testing::{World, command_task, reserved, resources};
use statemachine::{
    AgentId, Command, Effect, FrameworkId, OfferId, State, agent, framework, offer,
};

use super::{agent_calls, maintenance, operator, quota, resource_calls, weights};
use crate::validate;

/// The framework that calls, and the one that must not notice.
const CALLER: FrameworkId = FrameworkId(0);
const BYSTANDER: FrameworkId = FrameworkId(1);

/// Two agents and one that is deactivated, and two frameworks that each hold offers of both, and on the
/// first run a task and have a reservation by an operation. Task and operation have the role for an id.
fn world() -> World {
    let mut world = World::new();
    for _ in 0..2 {
        world.agent("cpus(a):4;mem(a):512;disk(a):512;cpus(b):4;mem(b):512;disk(b):512");
    }
    let deactivated = world.agent("cpus:1;mem:64");
    world.must(agent::Deactivate { agent: deactivated });
    for (framework, role) in [(CALLER, "a"), (BYSTANDER, "b")] {
        assert_eq!(world.framework(&[&format!("{role}/x")]), framework);
        world.allocate();
        let task = command_task(role, AgentId(0), &format!("cpus({role}):1;mem({role}):64"));
        let refined = reserved(&resources(&format!("disk({role}):8")), &format!("{role}/x"));
        let reserve = offer::Operation::Convert(Request::Reserve(Ok(refined)), Some(role.into()));
        let operations = vec![offer::Operation::Launch(vec![task]), reserve];
        let offer = offer_of_first(&world, framework);
        world.accept(framework, &[offer], operations);
        world.allocate();
    }
    world.sent();
    world
}

/// A framework's offer of the first agent.
fn offer_of_first(world: &World, framework: FrameworkId) -> OfferId {
    let mut offers = world.state.offers.values();
    let of = offers.find(|it| it.framework == framework && it.agent == AgentId(0));
    of.expect("an offer").id
}

/// All that is a framework's own.
fn belongings(state: &State, framework: FrameworkId) -> impl PartialEq + use<> {
    let tasks: Vec<_> = state.tasks_of(framework).cloned().collect();
    let offers = state.offers.values().filter(|offer| offer.framework == framework);
    let offers: Vec<_> = offers.cloned().collect();
    let reserved: Vec<_> = (0..2)
        .flat_map(|agent| state.agents[&AgentId(agent)].total.iter().cloned().collect::<Vec<_>>())
        .filter(|it| it.role().is_some_and(|role| role.starts_with('b')))
        .collect();
    (state.frameworks.get(&framework).cloned(), tasks, offers, reserved)
}

/// What the scheduler API makes of a call, once its stream is known.
fn scheduler_command(world: &mut World, mut call: scheduler::Call) -> Option<Command> {
    use scheduler::call::Type;
    let r#type = validate::scheduler_call(&call).ok()?;
    let wire_id = call.framework_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
    if let (Type::Subscribe, Some(subscribe)) = (r#type, call.subscribe.take()) {
        // whoever brings the bystander's id takes it over, as anybody may
        let command = super::scheduler::read_subscribe(&subscribe, world.session()).ok()?;
        return (wire_id != "c-0001").then(|| command.into());
    }
    if wire_id != "c-0000" {
        return None; // it does not know the stream's id
    }
    if let (Type::UpdateFramework, Some(update)) = (r#type, call.update_framework.take()) {
        return Some(super::scheduler::read_update(CALLER, &update).ok()?.into());
    }
    super::scheduler::command(&world.state, (CALLER, &wire_id), r#type, call).ok()?
}

/// What the operator API makes of a call that changes something.
fn operator_command(state: &State, call: master::Call) -> Option<Command> {
    use master::call::Type;
    let r#type = operator::check(&call).ok()?;
    let parse = |name: &str| state.parse_agent(name);
    Some(match r#type {
        Type::ReserveResources
        | Type::UnreserveResources
        | Type::CreateVolumes
        | Type::DestroyVolumes
        | Type::GrowVolume
        | Type::ShrinkVolume => {
            let (name, request) = resource_calls::read(&call)?;
            Operate { agent: parse(&name), request }.into()
        }
        Type::MarkAgentGone | Type::DrainAgent | Type::DeactivateAgent | Type::ReactivateAgent => {
            agent_calls::command(parse(agent_calls::agent_id(&call))?, &call).ok()?
        }
        Type::UpdateMaintenanceSchedule | Type::StartMaintenance | Type::StopMaintenance => {
            maintenance::command(call)
        }
        Type::UpdateWeights => {
            weights::command(&call.update_weights.unwrap_or_default().weight_infos).ok()?.into()
        }
        Type::UpdateQuota => quota::command(&call.update_quota.unwrap_or_default()).ok()?.into(),
        Type::Teardown => {
            let wire_id = call.teardown.unwrap_or_default().framework_id.value;
            let framework = state.framework_by_wire_id(&wire_id)?.id;
            framework::Teardown { framework }.into()
        }
        _ => return None,
    })
}

/// A scheduler's call, as the bytes of its JSON: taken or refused, it is nobody else's business.
/// [`World::ask`] looks after the state: what is refused changes nothing, what is done keeps every
/// invariant and folds alike on a replica.
fn check_scheduler(text: &str) -> bool {
    let mut world = world();
    let Ok(call) = json::from_slice::<scheduler::Call>(text.as_bytes()) else { return false };
    let Some(command) = scheduler_command(&mut world, call) else { return false };
    let before = belongings(&world.state, BYSTANDER);
    let taken = world.ask(command).is_ok();
    assert!(before == belongings(&world.state, BYSTANDER), "the bystander suffers: {text}");
    let disturbs = |effect: &Effect| matches!(effect, Effect::Framework { to: BYSTANDER, .. });
    assert!(!world.sent().iter().any(disturbs), "the bystander hears of it: {text}");
    world.pass_ms(600_000);
    world.allocate();
    taken
}

/// An operator's call: whom it concerns is the operator's business.
fn check_operator(text: &str) -> bool {
    let mut world = world();
    let Ok(call) = json::from_slice::<master::Call>(text.as_bytes()) else { return false };
    let Some(command) = operator_command(&world.state, call) else { return false };
    let taken = world.ask(command).is_ok();
    world.allocate();
    world.pass_ms(600_000);
    taken
}

fn scheduler_calls() -> Vec<serde_json::Value> {
    let world = world();
    let offer = offer_of_first(&world, CALLER);
    calls::scheduler(&world.state.offer_text(offer))
}

#[test]
fn the_calls_are_good_before_they_are_spoilt() {
    for call in scheduler_calls() {
        assert!(check_scheduler(&call.to_string()), "{call}");
    }
    for call in calls::operator() {
        assert!(check_operator(&call.to_string()), "{call}");
    }
}

/// Each id in each call names what is another's, or of another kind than the call goes for.
#[test]
fn what_is_anothers_is_out_of_reach() {
    let world = world();
    let offers = world.state.offers.values().filter(|offer| offer.framework == BYSTANDER);
    let offers: Vec<_> = offers.map(|offer| world.state.offer_text(offer.id)).collect();
    assert!(!offers.is_empty());
    for call in scheduler_calls() {
        for spoilt in foreign::variants(&call, &offers) {
            check_scheduler(&spoilt.to_string());
        }
    }
}

proptest! {
    #[test]
    fn schedulers_disturb_nobody(call in mutate::any_of(scheduler_calls())) {
        check_scheduler(&call.to_string());
    }

    #[test]
    fn operators_break_nothing(call in mutate::any_of(calls::operator())) {
        check_operator(&call.to_string());
    }
}
