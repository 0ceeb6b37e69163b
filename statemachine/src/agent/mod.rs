//! Agents: the nodes, what they have, and whether they can be reached.

use std::sync::Arc;

use bytes::Bytes;
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::capability::Capabilities;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::effect::{Directive, Effect};
use crate::id::{AgentId, FrameworkId, OfferId, OperationKey, Session, TaskKey};
use crate::resources::Resources;
use crate::state::State;
use crate::time::Time;

mod carry_over;
mod count;
mod deactivate;
mod depart;
mod disconnect;
mod drain;
mod forget;
mod give_up;
mod gone;
mod linger;
mod oversubscribe;
mod register;
mod replace;
#[cfg(test)]
mod returns;
mod spare;
mod unreachable;
mod unregister;

pub use count::AgentCounts;
pub use deactivate::{AgentDeactivated, AgentReactivated, Deactivate, Reactivate};
pub use disconnect::{AgentDisconnected, Cause, Disconnect};
pub use drain::{AgentDrained, AgentDraining, Drain, DrainAgent, DrainState};
pub use forget::AgentForgotten;
pub use give_up::GiveUp;
pub use gone::{AgentGone, GoneAgent, MarkGone};
pub use linger::Lingering;
pub use oversubscribe::{AgentOversubscribed, Oversubscribe};
pub use register::{AgentRegistered, AgentReregistered, ExecutorReport, Register, TaskReport};
pub use spare::{AgentsSpared, Spared};
pub use unreachable::AgentUnreachable;
pub use unregister::{AgentUnregistered, Unregister};

pub(crate) use drain::finish_drains;
pub(crate) use forget::forget;
pub(crate) use spare::Expiry;
pub(crate) use unregister::send_away;

/// A registered agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// What it says of itself.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// How it is connected.
    #[serde(rename = "c")]
    pub connection: Connection,
    /// Set while it is unreachable: since when. It then runs nothing that counts and has no offers.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<Time>,
    /// Set while it is away for long enough to be unreachable, and is not called so: why.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub spared: Option<Spared>,
    /// Set while an operator wants none of it offered (semantics 240).
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    pub deactivated: bool,
    /// Set while it is being emptied, and once it is.
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// First registration.
    #[serde(rename = "r")]
    pub registered_at: Time,
    /// Latest return, if it ever came back.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub reregistered_at: Option<Time>,
    /// All it has, with dynamic reservations and persistent volumes applied, and what is revocable.
    #[serde(rename = "t")]
    pub total: Resources,
    /// How much it would lend out revocably; `total` has that and what is out beyond it.
    #[serde(rename = "v", default, skip_serializing_if = "Resources::is_empty")]
    pub estimate: Resources,
    /// What tasks and executors on it use, and what still runs there of frameworks that are over.
    #[serde(rename = "u")]
    pub used: Resources,
    /// What is on the table.
    #[serde(rename = "o")]
    pub offered: Resources,
    /// Its tasks that are not over, and those whose end is not acknowledged.
    #[serde(rename = "k")]
    pub tasks: OrdSet<TaskKey>,
    /// Operations on its resources that it has not confirmed yet.
    #[serde(rename = "p", default, skip_serializing_if = "OrdSet::is_empty")]
    pub operations: OrdSet<OperationKey>,
    /// Offers of its resources.
    #[serde(rename = "f")]
    pub offers: OrdSet<OfferId>,
    /// What it has not said to have stopped of frameworks that are over.
    #[serde(rename = "l", default, skip_serializing_if = "OrdMap::is_empty")]
    pub lingering: OrdMap<FrameworkId, Arc<Lingering>>,
}

/// What an agent says of itself when it registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Name that frameworks see.
    #[serde(rename = "h")]
    pub hostname: Arc<str>,
    /// host:port of its HTTP API.
    #[serde(rename = "a")]
    pub address: Arc<str>,
    /// Its Mesolith version.
    #[serde(rename = "v")]
    pub version: Arc<str>,
    /// What it can do.
    #[serde(rename = "c")]
    pub capabilities: Capabilities,
    /// What its flags say it has: static reservations only.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// What else its flags say of it, in their order.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
    /// Where it is.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Whether it says when nothing of a framework that is over runs there any more.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_stops: bool,
    /// The encoded v1 `AgentInfo`, without id and resources.
    #[serde(rename = "p")]
    pub payload: Bytes,
}

/// One attribute of an agent, as far as frameworks can ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name; several may have the same.
    #[serde(rename = "n")]
    pub name: Arc<str>,
    /// Its value, if that is a text.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
}

/// Where an agent or a master is: what fails together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// A place far from others.
    #[serde(rename = "r")]
    pub region: Arc<str>,
    /// A part of a region.
    #[serde(rename = "z")]
    pub zone: Arc<str>,
}

impl Agent {
    /// Whether its resources may be offered now.
    pub fn is_active(&self) -> bool {
        self.is_reachable() && !self.deactivated
    }

    /// Whether it is there, or is expected back by a new leader.
    pub fn is_reachable(&self) -> bool {
        self.connection.is_active() && self.unreachable_since.is_none()
    }
}

impl Agent {
    /// The stream to it, if one is open.
    pub fn session(&self) -> Option<Session> {
        match self.connection {
            Connection::Connected(session) => Some(session),
            Connection::Awaited { .. } | Connection::Disconnected { .. } => None,
        }
    }
}

impl State {
    /// The agent, to change; its shared copies stay as they are.
    pub(crate) fn agent_mut(&mut self, agent: AgentId) -> Option<&mut Agent> {
        self.agents.get_mut(&agent).map(Arc::make_mut)
    }

    /// Sends `directive` to an agent's stream, if it has one. What must not be lost is derived again
    /// when the agent comes back ([`crate::outstanding`]).
    pub(crate) fn direct(&self, agent: AgentId, directive: Directive, effects: &mut Vec<Effect>) {
        if let Some(session) = self.agents.get(&agent).and_then(|it| it.session()) {
            effects.push(Effect::Agent { to: agent, session, directive });
        }
    }

    /// Takes an agent out of the books, with the deadline that runs for it.
    pub(crate) fn forget_agent(&mut self, agent: AgentId) {
        self.count_out(agent);
        self.book.turns.forget(agent);
        self.emptied.remove(&agent);
        self.maintenance.agents.remove(&agent);
        let Some(agent) = self.agents.remove(&agent) else {
            return;
        };
        if let Some(until) = agent.connection.deadline() {
            self.deadlines.remove(&(until, Deadline::AgentReregister(agent.id)));
        }
    }

    /// Changes how an agent is connected, and the deadline that goes with it.
    pub(crate) fn connect_agent(&mut self, agent: AgentId, connection: Connection) {
        let Some(changed) = self.agent_mut(agent) else {
            return;
        };
        let before = std::mem::replace(&mut changed.connection, connection);
        changed.spared = None;
        if let Some(until) = before.deadline() {
            self.deadlines.remove(&(until, Deadline::AgentReregister(agent)));
        }
        if let Some(until) = connection.deadline() {
            self.deadlines.insert((until, Deadline::AgentReregister(agent)));
        }
    }
}
