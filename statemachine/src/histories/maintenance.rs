//! What operators and frameworks do about maintenance.

use proptest::prelude::*;

use super::pick;
use crate::maintenance::{
    AnswerInverseOffers, Machine, StartMaintenance, StopMaintenance, Unavailability,
    UpdateSchedule, Window,
};
use crate::testing::World;

#[derive(Clone, Copy, Debug)]
pub(super) enum OnMaintenance {
    /// A window for this machine, or none; others leave the schedule.
    Schedule(u8),
    Start,
    Stop,
    Answer(bool),
}

pub(super) fn strategy() -> impl Strategy<Value = OnMaintenance> {
    prop_oneof![
        4 => any::<u8>().prop_map(OnMaintenance::Schedule),
        1 => Just(OnMaintenance::Start),
        2 => Just(OnMaintenance::Stop),
        6 => any::<bool>().prop_map(OnMaintenance::Answer),
    ]
}

pub(super) fn act(world: &mut World, action: OnMaintenance, number: u8) -> Option<()> {
    let machines = world.state.maintenance.machines.keys().cloned();
    // what does not fit the mode of a machine is refused
    let _ = match action {
        OnMaintenance::Schedule(start) => {
            let unavailability = Unavailability { start_ns: start.into(), duration_ns: None };
            // that of all agents here, or one that has none
            let machine = Machine::new(["node", "other"][usize::from(number % 2)], "127.0.0.1");
            let window = Window { machines: vec![machine], unavailability };
            let windows = if start % 4 == 0 { Vec::new() } else { vec![window] };
            world.ask(UpdateSchedule { windows })
        }
        OnMaintenance::Start => {
            world.ask(StartMaintenance { machines: vec![pick(machines, number)?] })
        }
        OnMaintenance::Stop => {
            world.ask(StopMaintenance { machines: vec![pick(machines, number)?] })
        }
        OnMaintenance::Answer(accepts) => {
            let offers = world.state.maintenance.offers.iter();
            let (offer, framework) = pick(offers.map(|(id, key)| (*id, key.1)), number)?;
            let refuse_seconds = Some(f64::from(number % 20));
            let offers = vec![offer];
            world.ask(AnswerInverseOffers { framework, offers, accepts, refuse_seconds })
        }
    };
    Some(())
}
