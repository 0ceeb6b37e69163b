//! Maintenance: schedules, machines, and inverse offers.

use protocol::v1::allocator::{InverseOfferStatus, inverse_offer_status};
use protocol::v1::maintenance::{ClusterStatus, Schedule, Window, cluster_status};
use protocol::v1::{self, DurationInfo, MachineId, TimeInfo};
use statemachine::State;
use statemachine::maintenance::{self, InverseOffer, Machine, Mode};

use super::{offer, time_info};

/// Reads machines.
pub(crate) fn read_machines(ids: &[MachineId]) -> Vec<Machine> {
    ids.iter().map(|id| Machine::new(id.hostname(), id.ip())).collect()
}

/// Reads a schedule's windows.
pub(crate) fn read_schedule(schedule: &Schedule) -> Vec<maintenance::Window> {
    let read = |window: &Window| maintenance::Window {
        machines: read_machines(&window.machine_ids),
        unavailability: maintenance::Unavailability {
            start_ns: window.unavailability.start.nanoseconds,
            duration_ns: window.unavailability.duration.map(|it| it.nanoseconds),
        },
    };
    schedule.windows.iter().map(read).collect()
}

/// The schedule.
pub(crate) fn schedule(state: &State) -> Schedule {
    let write = |window: &maintenance::Window| Window {
        machine_ids: window.machines.iter().map(machine).collect(),
        unavailability: unavailability(window.unavailability),
    };
    Schedule { windows: state.maintenance.windows.iter().map(write).collect() }
}

/// Which machines drain, with what frameworks say to that, and which are down.
pub(crate) fn status(state: &State) -> ClusterStatus {
    let mut status = ClusterStatus::default();
    for (id, (mode, _)) in &state.maintenance.machines {
        match mode {
            Mode::Draining => {
                status.draining_machines.push(cluster_status::DrainingMachine {
                    id: machine(id),
                    statuses: answers(state, id),
                });
            }
            Mode::Down => status.down_machines.push(machine(id)),
        }
    }
    status
}

/// What frameworks answered about the agents on a machine.
fn answers(state: &State, machine: &Machine) -> Vec<InverseOfferStatus> {
    let inverse = state.maintenance.inverse.iter().filter(|((agent, _), _)| {
        state.agents.get(agent).is_some_and(|agent| agent.machine() == *machine)
    });
    let write = |((_, framework), inverse): (&(_, _), &maintenance::Inverse)| {
        let (accepts, at) = inverse.answer?;
        let framework = state.frameworks.get(framework)?;
        let status = if accepts {
            inverse_offer_status::Status::Accept
        } else {
            inverse_offer_status::Status::Decline
        };
        Some(InverseOfferStatus {
            status: status as i32,
            framework_id: (*framework.wire_id).into(),
            timestamp: time_info(at),
        })
    };
    inverse.filter_map(write).collect()
}

/// When something is out of service.
pub(crate) fn unavailability(it: maintenance::Unavailability) -> v1::Unavailability {
    v1::Unavailability {
        start: TimeInfo { nanoseconds: it.start_ns },
        duration: it.duration_ns.map(|nanoseconds| DurationInfo { nanoseconds }),
    }
}

/// An inverse offer as frameworks and operators see it; none if who it is about is gone.
pub(crate) fn inverse_offer(state: &State, it: &InverseOffer) -> Option<v1::InverseOffer> {
    let agent = state.agents.get(&it.agent)?;
    let framework = state.frameworks.get(&it.framework)?;
    Some(v1::InverseOffer {
        id: state.offer_text(it.id).into(),
        url: Some(offer::url(agent)),
        framework_id: (*framework.wire_id).into(),
        agent_id: Some(state.agent_text(it.agent).into()),
        unavailability: unavailability(it.unavailability),
        resources: Vec::new(),
    })
}

fn machine(machine: &Machine) -> MachineId {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    MachineId { hostname: known(&machine.hostname), ip: known(&machine.ip) }
}
