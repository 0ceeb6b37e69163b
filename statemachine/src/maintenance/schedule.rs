//! An operator says which machines will be out of service, and when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Machine, Mode, Unavailability, Window};
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::AgentId;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// `UPDATE_MAINTENANCE_SCHEDULE`: the whole schedule as it is to be from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateSchedule {
    /// Its windows.
    pub windows: Vec<Window>,
}

/// The schedule is another one. Machines that it names for the first time drain; those that it names
/// no more are up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceScheduled {
    /// Its windows.
    #[serde(rename = "w")]
    pub windows: Vec<Window>,
}

impl Decide for UpdateSchedule {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        check(&self.windows, draft.state()).map_err(|fault| Rejection::Invalid(fault.into()))?;
        if draft.state().maintenance.windows != self.windows {
            draft.record(MaintenanceScheduled { windows: self.windows.clone() });
        }
        Ok(Reply::Done)
    }
}

/// The rules of semantics 242.
fn check(windows: &[Window], state: &State) -> Result<(), String> {
    let mut named = BTreeMap::new();
    for (number, window) in windows.iter().enumerate() {
        if window.machines.is_empty() {
            return Err(format!("window {number} of the schedule names no machine"));
        }
        if let Some(duration) = window.unavailability.duration_ns.filter(|it| *it < 0) {
            return Err(format!("window {number} of the schedule lasts {duration} ns, below 0"));
        }
        for machine in &window.machines {
            check_machine(machine)?;
            if named.insert(machine, number).is_some() {
                return Err(format!("the schedule names machine {machine} twice"));
            }
        }
    }
    let down = state.maintenance.machines.iter().filter(|(_, (mode, _))| *mode == Mode::Down);
    for (machine, _) in down {
        if !named.contains_key(machine) {
            return Err(format!(
                "machine {machine} is down and must stay in the schedule until it is brought up"
            ));
        }
    }
    Ok(())
}

/// Checks that a machine is named at all, and by a real address.
pub(super) fn check_machine(machine: &Machine) -> Result<(), String> {
    if machine.hostname.is_empty() && machine.ip.is_empty() {
        return Err("a machine has neither a hostname nor an ip".to_owned());
    }
    if !machine.ip.is_empty() && machine.ip.parse::<Ipv4Addr>().is_err() {
        return Err(format!("'{}' is not an IPv4 address", machine.ip));
    }
    Ok(())
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{{\"hostname\":\"{}\",\"ip\":\"{}\"}}'", self.hostname, self.ip)
    }
}

impl Fold for MaintenanceScheduled {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        state.reschedule(self.windows.clone(), effects);
    }
}

impl State {
    /// Replaces the schedule. Offers and inverse offers of agents whose machines it says something new
    /// about are void, answers to the old plan too (semantics 245).
    pub(super) fn reschedule(&mut self, windows: Vec<Window>, effects: &mut Vec<Effect>) {
        let before = std::mem::take(&mut self.maintenance.machines);
        for window in &windows {
            for machine in &window.machines {
                let mode = before.get(machine).map_or(Mode::Draining, |(mode, _)| *mode);
                let entry = (mode, window.unavailability);
                self.maintenance.machines.insert(machine.clone(), entry);
            }
        }
        self.maintenance.windows = windows;
        let when = |it: Option<&(Mode, Unavailability)>| it.map(|(_, when)| *when);
        let machines = &self.maintenance.machines;
        let affected: Vec<AgentId> = self
            .agents
            .values()
            .filter(|agent| {
                let machine = agent.machine();
                when(before.get(&machine)) != when(machines.get(&machine))
            })
            .map(|agent| agent.id)
            .collect();
        for agent in affected {
            self.rescind_agent(agent, effects);
            self.withdraw_inverse(agent, effects);
            self.place(agent, effects);
        }
    }
}
