//! Maintenance: machines that will be, or are, out of service, and what frameworks say to that.
//!
//! A machine that no window names is up. One that a window names is draining: frameworks that have
//! something there are asked to give it back (an inverse offer). One that is down has no agents.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::effect::{Effect, FrameworkMessage};
use crate::id::{AgentId, FrameworkId, OfferId};
use crate::state::State;
use crate::time::Time;

mod answer;
mod inverse;
mod modes;
mod schedule;
#[cfg(test)]
mod tests;

pub use answer::{AnswerInverseOffers, InverseOffersAnswered};
pub use inverse::InverseOffersMade;
pub use modes::{MachinesDowned, MachinesUpped, StartMaintenance, StopMaintenance};
pub use schedule::{MaintenanceScheduled, UpdateSchedule};

pub(crate) use inverse::ask_back;

/// A machine: its hostname in lower case and its IPv4 address, of which one may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// Its hostname, in lower case.
    #[serde(rename = "h")]
    pub hostname: Arc<str>,
    /// Its address.
    #[serde(rename = "i")]
    pub ip: Arc<str>,
}

/// When machines are out of service. Nanoseconds since the Unix epoch, as the wire has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailability {
    /// From when on.
    #[serde(rename = "s")]
    pub start_ns: i64,
    /// For how long; without end if it is not said.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<i64>,
}

/// Some machines that are out of service together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Which.
    #[serde(rename = "m")]
    pub machines: Vec<Machine>,
    /// When.
    #[serde(rename = "u")]
    pub unavailability: Unavailability,
}

/// How a machine that the schedule names is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// It will be out of service.
    #[serde(rename = "r")]
    Draining,
    /// It is: its agents have been sent away.
    #[serde(rename = "d")]
    Down,
}

/// What stands between a framework and an agent that will be out of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inverse {
    /// The inverse offer that it has not answered.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferId>,
    /// Whether it accepted the last one it answered, and when.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<(bool, Time)>,
    /// When it is asked again.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// An inverse offer as its framework is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InverseOffer {
    /// Its number; offers and inverse offers are counted together (semantics 57).
    pub id: OfferId,
    /// Whose resources are asked back.
    pub framework: FrameworkId,
    /// Where.
    pub agent: AgentId,
    /// When the machine is out of service.
    pub unavailability: Unavailability,
}

/// All about maintenance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// The schedule.
    #[serde(rename = "w")]
    pub windows: Vec<Window>,
    /// Machines that the schedule names.
    #[serde(rename = "m")]
    pub machines: OrdMap<Machine, (Mode, Unavailability)>,
    /// Agents on machines that the schedule names.
    #[serde(rename = "a")]
    pub agents: OrdSet<AgentId>,
    /// What frameworks were asked, and said.
    #[serde(rename = "i")]
    pub inverse: OrdMap<(AgentId, FrameworkId), Inverse>,
    /// Inverse offers that are not answered.
    #[serde(rename = "o")]
    pub offers: OrdMap<OfferId, (AgentId, FrameworkId)>,
}

impl Machine {
    /// A machine by what is known of it.
    pub fn new(hostname: &str, ip: &str) -> Self {
        Self { hostname: hostname.to_lowercase().into(), ip: ip.into() }
    }
}

impl Agent {
    /// The machine that it runs on (semantics 242).
    pub fn machine(&self) -> Machine {
        self.description.machine()
    }
}

impl crate::agent::Description {
    /// The machine that this agent runs on.
    pub fn machine(&self) -> Machine {
        let address = &*self.address;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        Machine::new(&self.hostname, host)
    }
}

impl Maintenance {
    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.machines.is_empty() && self.inverse.is_empty()
    }
}

impl State {
    /// When the machine of an agent is out of service; none if the schedule does not name it.
    pub fn unavailability(&self, agent: AgentId) -> Option<Unavailability> {
        if !self.maintenance.agents.contains(&agent) {
            return None;
        }
        let machine = self.agents.get(&agent)?.machine();
        self.maintenance.machines.get(&machine).map(|(_, unavailability)| *unavailability)
    }

    /// Whether a machine is down.
    pub(crate) fn is_down(&self, machine: &Machine) -> bool {
        self.maintenance.machines.get(machine).is_some_and(|(mode, _)| *mode == Mode::Down)
    }

    /// Notes whether the schedule names an agent's machine; what was said of another machine that it
    /// was on means nothing any more.
    pub(crate) fn place(&mut self, agent: AgentId, effects: &mut Vec<Effect>) {
        let machine = self.agents.get(&agent).map(|agent| agent.machine());
        let named = machine.is_some_and(|it| self.maintenance.machines.contains_key(&it));
        if named {
            self.maintenance.agents.insert(agent);
        } else if self.maintenance.agents.remove(&agent).is_some() {
            self.withdraw_inverse(agent, effects);
        }
    }

    /// Takes back all that frameworks were asked about an agent, and forgets what they said.
    pub(crate) fn withdraw_inverse(&mut self, agent: AgentId, effects: &mut Vec<Effect>) {
        let first = (agent, FrameworkId(0));
        let asked: Vec<_> = self
            .maintenance
            .inverse
            .range(first..)
            .take_while(|(key, _)| key.0 == agent)
            .map(|(key, inverse)| (*key, inverse.offer))
            .collect();
        for (key, offer) in asked {
            self.maintenance.inverse.remove(&key);
            if let Some(offer) = offer {
                self.maintenance.offers.remove(&offer);
                self.tell(key.1, FrameworkMessage::InverseRescinded(offer), effects);
            }
        }
    }

    /// A framework is away, or over: what it was asked is void. What it said stays for operators to see
    /// until it is over.
    pub(crate) fn drop_inverse(&mut self, framework: FrameworkId, is_over: bool) {
        let inverse = &mut self.maintenance.inverse;
        let keys: Vec<_> = inverse.keys().filter(|key| key.1 == framework).copied().collect();
        for key in keys {
            let Some(held) = inverse.get_mut(&key) else { continue };
            if let Some(offer) = held.offer.take() {
                self.maintenance.offers.remove(&offer);
            }
            if is_over || held.answer.is_none() {
                inverse.remove(&key);
            }
        }
    }

    /// A framework may be asked again at once (semantics 109).
    pub(crate) fn unfilter_inverse(&mut self, framework: FrameworkId) {
        let keys: Vec<_> =
            self.maintenance.inverse.keys().filter(|key| key.1 == framework).copied().collect();
        for key in keys {
            if let Some(inverse) = self.maintenance.inverse.get_mut(&key) {
                inverse.until = None;
            }
        }
    }

    /// The inverse offers that a framework has not answered.
    pub fn inverse_offers(&self, framework: FrameworkId) -> Vec<InverseOffer> {
        let offers = self.maintenance.offers.iter().filter(|(_, key)| key.1 == framework);
        offers
            .filter_map(|(id, (agent, framework))| {
                let unavailability = self.unavailability(*agent)?;
                let (id, agent, framework) = (*id, *agent, *framework);
                Some(InverseOffer { id, framework, agent, unavailability })
            })
            .collect()
    }
}
