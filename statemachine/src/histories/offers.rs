//! What frameworks do with offers.

use bytes::Bytes;
use proptest::prelude::*;

use super::pick;
use crate::TaskId;
use crate::offer::{Decline, Operation};
use crate::operation::Request;
use crate::task::{ExecutorSpec, GroupSpec};
use crate::testing::{World, command_task, reserved, resources, revocable, shared, volume};

#[derive(Clone, Copy, Debug)]
pub(super) enum OnOffer {
    /// One task, and the same id a second time.
    Launch(u8),
    LaunchCustom(u8),
    /// Two tasks, or one and the same twice.
    LaunchGroup(u8),
    Reserve,
    Unreserve,
    /// Reserves and makes a volume, shared or not.
    Create(u8),
    Destroy(u8),
    /// Names an offer twice.
    AcceptTwice,
    /// For so many seconds.
    Decline(u8),
}

pub(super) fn strategy() -> impl Strategy<Value = OnOffer> {
    prop_oneof![
        8 => any::<u8>().prop_map(OnOffer::Launch),
        4 => any::<u8>().prop_map(OnOffer::LaunchCustom),
        4 => any::<u8>().prop_map(OnOffer::LaunchGroup),
        2 => Just(OnOffer::Reserve),
        1 => Just(OnOffer::Unreserve),
        3 => any::<u8>().prop_map(OnOffer::Create),
        2 => any::<u8>().prop_map(OnOffer::Destroy),
        1 => Just(OnOffer::AcceptTwice),
        3 => any::<u8>().prop_map(OnOffer::Decline),
    ]
}

/// One of a few, which tasks share.
fn executor(name: u8) -> ExecutorSpec {
    ExecutorSpec {
        id: format!("e{}", name % 3).into(),
        resources: resources("cpus:0.1;mem:32"),
        payload: Bytes::from_static(b"executor info"),
    }
}

pub(super) fn act(world: &mut World, action: OnOffer, number: u8) -> Option<()> {
    let id = pick(world.state.offers.keys().copied(), number)?;
    let offer = world.state.offers[&id].clone();
    let framework = offer.framework;
    let mut task = command_task("t", offer.agent, "cpus:1;mem:64");
    if offer.resources.iter().any(|resource| resource.revocable) {
        task.resources = revocable(&resources("cpus:1"));
    }
    let operation = match action {
        OnOffer::Launch(name) => {
            task.id = TaskId::from(format!("t{}", name % 24));
            Operation::Launch(vec![task.clone(), task])
        }
        OnOffer::LaunchCustom(name) => {
            task.id = TaskId::from(format!("t{}", name % 24));
            task.executor = Some(executor(name));
            Operation::Launch(vec![task])
        }
        OnOffer::LaunchGroup(name) => {
            let mut other = task.clone();
            task.id = TaskId::from(format!("t{}", name % 24));
            other.id = TaskId::from(format!("t{}", name % 7));
            let (executor, tasks) = (executor(name), vec![task, other]);
            Operation::LaunchGroup(GroupSpec { executor, tasks, fault: None })
        }
        OnOffer::Reserve => {
            let some = Request::Reserve(Ok(reserved(&resources("cpus:1"), &offer.role)));
            // sometimes without an id, sometimes with one that is in use
            let id = (number % 4).checked_sub(1).map(|name| format!("o{name}").into());
            Operation::Convert(some, id)
        }
        OnOffer::Unreserve => {
            let held = offer.resources.iter().filter(|it| it.dynamic_reservation().is_some());
            Operation::unreserve(Ok(held.cloned().collect()))
        }
        OnOffer::Create(name) => {
            let mut volume = volume(&format!("v{}", name % 4), &offer.role, 64);
            let space = reserved(&resources("disk:64"), &offer.role);
            if name % 3 == 0 {
                volume = shared(&volume);
            }
            let mut task = command_task("t23", offer.agent, "cpus:1;mem:64");
            task.resources.add_all(&volume);
            let operations = vec![
                Operation::reserve(Ok(space)),
                Operation::create(Ok(volume)),
                Operation::Launch(vec![task]),
            ];
            world.accept(framework, &[id], operations);
            return Some(());
        }
        OnOffer::Destroy(name) => {
            let volume = volume(&format!("v{}", name % 4), &offer.role, 64);
            let volume = if name % 3 == 0 { shared(&volume) } else { volume };
            Operation::destroy(Ok(volume))
        }
        OnOffer::AcceptTwice => {
            world.accept(framework, &[id, id], vec![Operation::Launch(vec![task])]);
            return Some(());
        }
        OnOffer::Decline(seconds) => {
            let refuse_seconds = Some(f64::from(seconds));
            world.must(Decline { framework, offers: vec![id, id], refuse_seconds });
            return Some(());
        }
    };
    world.accept(framework, &[id], vec![operation]);
    Some(())
}
