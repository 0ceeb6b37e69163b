//! Frameworks: subscribed clients, their roles and what they have asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use imbl::{OrdSet, Vector};
use serde::{Deserialize, Serialize};

use crate::capability::{self, Capabilities};
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage};
use crate::id::{AgentId, ExecutorId, ExecutorKey, FrameworkId, OfferId, Principal, Role, Session};
use crate::offer::OfferConstraints;
use crate::quota::Amounts;
use crate::state::State;
use crate::task::Task;
use crate::time::Time;

mod count;
mod disconnect;
mod remove;
mod revive;
mod stop;
mod subscribe;
mod suppress;
mod update;

pub use count::FrameworkCounts;
pub use disconnect::{Disconnect, FrameworkDisconnected};
pub use remove::{FrameworkRemoved, Teardown};
pub use revive::{Revive, RolesRevived};
pub use stop::{FrameworkStopped, Stopped};
pub use subscribe::{
    FrameworkResubscribed, FrameworkSubscribed, ROLE_BYTES_MAX, ROLES_MAX, Subscribe,
};
pub use suppress::{RolesSuppressed, Suppress};
pub use update::{FrameworkUpdated, Update};

pub(crate) use disconnect::absent;
pub(crate) use remove::remove;

/// How many ends of executors are kept for a framework that is away. Their tasks' ends are told in any
/// case.
pub const UNHEARD_MAX: usize = 1000;

/// A framework that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Framework {
    /// Its number in the core.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// Its id on the wire.
    #[serde(rename = "w")]
    pub wire_id: Arc<str>,
    /// What it says of itself.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// How it is connected.
    #[serde(rename = "c")]
    pub connection: Connection,
    /// Roles that want no offers at present.
    #[serde(rename = "s")]
    pub suppressed: OrdSet<Role>,
    /// What it wants of the agents that it is offered.
    #[serde(rename = "q", default, skip_serializing_if = "OfferConstraints::is_empty")]
    pub constraints: OfferConstraints,
    /// First subscription.
    #[serde(rename = "r")]
    pub registered_at: Time,
    /// Latest resubscription.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub reregistered_at: Option<Time>,
    /// Latest disconnection.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<Time>,
    /// Offers it holds.
    #[serde(rename = "o")]
    pub offers: OrdSet<OfferId>,
    /// Executors that ended while it was not there to hear of it: where, which, and their raw wait
    /// status. Oldest first, and [`UNHEARD_MAX`] at most.
    #[serde(rename = "x", default, skip_serializing_if = "Vector::is_empty")]
    pub unheard: Vector<(AgentId, ExecutorId, i32)>,
    /// Its ended tasks, oldest first, as many as the retention allows.
    #[serde(rename = "k")]
    pub completed: Vector<Arc<Task>>,
    /// What has happened to it how often.
    #[serde(rename = "n", default, skip_serializing_if = "FrameworkCounts::is_empty")]
    pub counts: FrameworkCounts,
}

/// What a framework says of itself (v1 `FrameworkInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Who it is, for authorization and as reserver.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// Unix user its tasks run as by default.
    #[serde(rename = "u")]
    pub user: Arc<str>,
    /// Roles it takes offers for, without repetition.
    #[serde(rename = "r")]
    pub roles: Arc<[Role]>,
    /// What it understands.
    #[serde(rename = "c")]
    pub capabilities: Capabilities,
    /// Whether its tasks survive an agent's restart. Ours always do; kept because clients ask.
    #[serde(rename = "k")]
    pub checkpoint: bool,
    /// What an offer must have at least, for roles that say so: any one of several quantities; an
    /// empty list takes anything (semantics 178).
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimums: BTreeMap<Role, Vec<Amounts>>,
    /// How long it may be away before it is removed.
    #[serde(rename = "f")]
    pub failover_timeout_ms: u64,
    /// The encoded v1 `FrameworkInfo`, without id, principal, user and checkpoint.
    #[serde(rename = "b")]
    pub payload: Bytes,
}

impl Description {
    /// Whether it can tell lost tasks apart (`PARTITION_AWARE`).
    pub fn is_partition_aware(&self) -> bool {
        self.capabilities.has(capability::framework::PARTITION_AWARE)
    }
}

/// A framework that is over: refused when it comes back (semantics 59), shown to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedFramework {
    /// As it was at its end, with its completed tasks.
    #[serde(rename = "f")]
    pub framework: Arc<Framework>,
    /// When it ended.
    #[serde(rename = "t")]
    pub ended_at: Time,
}

impl Framework {
    /// The stream to it, if one is open.
    pub fn session(&self) -> Option<Session> {
        match self.connection {
            Connection::Connected(session) => Some(session),
            Connection::Awaited { .. } | Connection::Disconnected { .. } => None,
        }
    }

    /// Since when it may have heard nothing: it hung up, or a leader that was elected at this time has
    /// not seen it yet. None while it listens.
    pub(crate) fn unheard_since(&self, elected_at: Time) -> Option<Time> {
        let subscribed_at = self.reregistered_at.unwrap_or(self.registered_at);
        let ends = self.disconnected_at.into_iter().chain([elected_at]);
        let ends = ends.filter(|at| *at >= subscribed_at && self.session().is_none());
        ends.min()
    }

    /// Whether it takes offers for this role at present.
    pub fn wants(&self, role: &Role) -> bool {
        self.description.roles.contains(role) && !self.suppressed.contains(role)
    }
}

impl State {
    /// The framework, to change; its shared copies stay as they are.
    pub(crate) fn framework_mut(&mut self, framework: FrameworkId) -> Option<&mut Framework> {
        self.frameworks.get_mut(&framework).map(Arc::make_mut)
    }

    /// The framework that a wire id names, if it is not over.
    pub fn framework_by_wire_id(&self, wire_id: &str) -> Option<&Arc<Framework>> {
        self.frameworks.get(self.framework_ids.get(wire_id)?)
    }

    /// Whether a framework is there and can tell lost tasks apart.
    pub(crate) fn is_partition_aware(&self, framework: FrameworkId) -> bool {
        let framework = self.frameworks.get(&framework);
        framework.is_some_and(|framework| framework.description.is_partition_aware())
    }

    /// Sends `message` to a framework's stream, if it has one.
    pub(crate) fn tell(
        &self,
        framework: FrameworkId,
        message: FrameworkMessage,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(session) = self.frameworks.get(&framework).and_then(|it| it.session()) {
            effects.push(Effect::Framework { to: framework, session, message });
        }
    }

    /// A framework is described anew; its agents and operators hear of it if that changes anything
    /// (semantics 74).
    pub(crate) fn redescribe(
        &mut self,
        id: FrameworkId,
        description: &Arc<Description>,
        (suppressed, constraints): (&[Role], &OfferConstraints),
        effects: &mut Vec<Effect>,
    ) {
        let mut before = description.clone();
        self.alter_framework(id, |framework| {
            framework.constraints = constraints.clone();
            framework.suppressed = suppressed.iter().cloned().collect();
            std::mem::swap(&mut framework.description, &mut before);
        });
        if before == *description {
            return;
        }
        for left in before.roles.iter().filter(|role| !description.roles.contains(role)) {
            self.book.filters.clear_framework(id, Some(left));
        }
        self.book.retain_roles(id, &description.roles);
        let agents: BTreeSet<AgentId> = self.tasks_of(id).map(|task| task.agent).collect();
        for agent in agents {
            self.direct(agent, Directive::FrameworkChanged(id), effects);
        }
        effects.push(Effect::Operators(OperatorMessage::FrameworkUpdated(id)));
    }

    /// Tells a framework that an executor has ended, or keeps that until it is there to hear of it
    /// (gaps 26).
    pub(crate) fn tell_end(&mut self, key: &ExecutorKey, status: i32, effects: &mut Vec<Effect>) {
        let Some(framework) = self.framework_mut(key.framework) else { return };
        if framework.session().is_none() {
            framework.unheard.push_back((key.agent, key.executor.clone(), status));
            while framework.unheard.len() > UNHEARD_MAX {
                framework.unheard.pop_front();
            }
            return;
        }
        let executor = Some((key.executor.clone(), status));
        self.tell(key.framework, FrameworkMessage::Failed { agent: key.agent, executor }, effects);
    }

    /// Drops the deadline that runs for a framework.
    pub(crate) fn forget_deadline(&mut self, framework: FrameworkId) {
        let connection = self.frameworks.get(&framework).map(|framework| framework.connection);
        if let Some(deadline) = connection.and_then(|connection| deadline(framework, connection)) {
            self.deadlines.remove(&deadline);
        }
    }

    /// Changes how a framework is connected, and the deadline that goes with it.
    pub(crate) fn connect_framework(&mut self, framework: FrameworkId, connection: Connection) {
        self.forget_deadline(framework);
        if !self.frameworks.contains_key(&framework) {
            return;
        }
        self.alter_framework(framework, |framework| framework.connection = connection);
        self.deadlines.extend(deadline(framework, connection));
    }
}

fn deadline(framework: FrameworkId, connection: Connection) -> Option<(Time, Deadline)> {
    match connection {
        Connection::Connected(_) => None,
        Connection::Awaited { until } => Some((until, Deadline::FrameworkAbsent(framework))),
        Connection::Disconnected { until } => Some((until, Deadline::FrameworkFailover(framework))),
    }
}
