//! What frameworks do with offers.

use bytes::Bytes;
use proptest::prelude::*;

use super::pick;
use crate::offer::{Decline, Operation};
use crate::resources::{Reservation, ReservationKind, Resources};
use crate::task::ExecutorSpec;
use crate::testing::{World, command_task, resources};
use crate::{Role, TaskId};

#[derive(Clone, Copy, Debug)]
pub(super) enum OnOffer {
    /// One task, and the same id a second time.
    Launch(u8),
    LaunchCustom(u8),
    Reserve,
    /// Names an offer twice.
    AcceptTwice,
    /// For so many seconds.
    Decline(u8),
}

pub(super) fn strategy() -> impl Strategy<Value = OnOffer> {
    prop_oneof![
        8 => any::<u8>().prop_map(OnOffer::Launch),
        4 => any::<u8>().prop_map(OnOffer::LaunchCustom),
        2 => Just(OnOffer::Reserve),
        1 => Just(OnOffer::AcceptTwice),
        3 => any::<u8>().prop_map(OnOffer::Decline),
    ]
}

pub(super) fn act(world: &mut World, action: OnOffer, number: u8) -> Option<()> {
    let id = pick(world.state.offers.keys().copied(), number)?;
    let offer = world.state.offers[&id].clone();
    let framework = offer.framework;
    let mut task = command_task("t", offer.agent, "cpus:1;mem:64");
    let operation = match action {
        OnOffer::Launch(name) => {
            task.id = TaskId::from(format!("t{}", name % 24));
            Operation::Launch(vec![task.clone(), task])
        }
        OnOffer::LaunchCustom(name) => {
            task.id = TaskId::from(format!("t{}", name % 24));
            task.executor = Some(ExecutorSpec {
                id: format!("e{}", name % 3).into(),
                resources: resources("cpus:0.1;mem:32"),
                payload: Bytes::from_static(b"executor info"),
            });
            Operation::Launch(vec![task])
        }
        OnOffer::Reserve => Operation::Reserve(Ok(dynamically_reserved(&offer.role))),
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

fn dynamically_reserved(role: &Role) -> Resources {
    let reservation = Reservation {
        kind: ReservationKind::Dynamic,
        role: role.clone(),
        principal: None,
        labels: Bytes::new(),
    };
    let mut reserved = resources("cpus:1").iter().cloned().collect::<Vec<_>>();
    for resource in &mut reserved {
        resource.reservations = [reservation.clone()].into();
    }
    reserved.into_iter().collect()
}
