//! Machines go out of service, and come back.

use serde::{Deserialize, Serialize};

use super::schedule::check_machine;
use super::{Machine, Mode, Window};
use crate::agent::send_away;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::AgentId;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// `START_MAINTENANCE`: draining machines go down, and their agents are sent away (semantics 243, 244).
#[derive(Clone, Debug, PartialEq)]
pub struct StartMaintenance {
    /// Which.
    pub machines: Vec<Machine>,
}

/// `STOP_MAINTENANCE`: machines that are down are up again, and leave the schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct StopMaintenance {
    /// Which.
    pub machines: Vec<Machine>,
}

/// Machines are out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachinesDowned {
    /// Which.
    #[serde(rename = "m")]
    pub machines: Vec<Machine>,
}

/// Machines are in service again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachinesUpped {
    /// Which.
    #[serde(rename = "m")]
    pub machines: Vec<Machine>,
}

impl Decide for StartMaintenance {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        check(draft.state(), &self.machines, Mode::Draining)?;
        draft.record(MachinesDowned { machines: self.machines.clone() });
        let state = draft.state();
        let agents: Vec<AgentId> = state
            .maintenance
            .agents
            .iter()
            .filter(|id| {
                let agent = state.agents.get(*id);
                // one that is out of reach is dismissed when it comes back
                let agent = agent.filter(|agent| agent.unreachable_since.is_none());
                agent.is_some_and(|agent| state.is_down(&agent.machine()))
            })
            .copied()
            .collect();
        for agent in agents {
            send_away(draft, agent);
        }
        Ok(Reply::Done)
    }
}

impl Decide for StopMaintenance {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        check(draft.state(), &self.machines, Mode::Down)?;
        draft.record(MachinesUpped { machines: self.machines.clone() });
        Ok(Reply::Done)
    }
}

/// Every machine must be in the schedule, and in the mode that it is to leave (semantics 243).
fn check(state: &State, machines: &[Machine], from: Mode) -> Result<(), Rejection> {
    let refuse = |fault: String| Err(Rejection::Invalid(fault.into()));
    if machines.is_empty() {
        return refuse("no machine is named".to_owned());
    }
    for (number, machine) in machines.iter().enumerate() {
        check_machine(machine).or_else(refuse)?;
        if machines.iter().take(number).any(|other| other == machine) {
            return refuse(format!("machine {machine} is named twice"));
        }
        match state.maintenance.machines.get(machine) {
            None => {
                return refuse(format!("Machine {machine} is not part of a maintenance schedule"));
            }
            Some((mode, _)) if *mode != from => {
                let wrong = match from {
                    Mode::Draining => "is not in DRAINING mode and cannot be brought down",
                    Mode::Down => "is not in DOWN mode and cannot be brought up",
                };
                return refuse(format!("Machine {machine} {wrong}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

impl Fold for MachinesDowned {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        for machine in &self.machines {
            if let Some((mode, _)) = state.maintenance.machines.get_mut(machine) {
                *mode = Mode::Down;
            }
        }
    }
}

impl Fold for MachinesUpped {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let left = |window: &Window| Window {
            machines: window
                .machines
                .iter()
                .filter(|machine| !self.machines.contains(machine))
                .cloned()
                .collect(),
            unavailability: window.unavailability,
        };
        let windows = state.maintenance.windows.iter().map(left);
        let windows = windows.filter(|window| !window.machines.is_empty()).collect();
        state.reschedule(windows, effects);
    }
}
