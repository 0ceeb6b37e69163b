//! An agent opens a stream: for the first time, or again with all it has.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use super::depart::{Farewell, end_task};
use super::oversubscribe::{check_estimate, note_estimate};
use super::replace::replace;
use super::{Agent, Description};
use crate::command::Decide;
use crate::connection::Connection;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect, OperatorMessage};
use crate::event::Fold;
use crate::id::{AgentId, EventNumber, ExecutorId, ExecutorKey, Session, TaskId, TaskKey};
use crate::outstanding;
use crate::rejection::Rejection;
use crate::resources::Resources;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::{ExecutorEnded, Task, TaskUpdated};
use crate::time::Time;

/// An agent's Hello, its shape checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Register {
    /// The id that it brings; none for a new agent.
    pub agent: Option<AgentId>,
    /// What it says of itself.
    pub description: Description,
    /// The stream it came over.
    pub session: Session,
    /// Tasks it has, ended ones that are not acknowledged included.
    pub tasks: Vec<TaskReport>,
    /// Custom executors it runs.
    pub executors: Vec<ExecutorReport>,
    /// Frameworks of which anything runs, if it tells when they stop.
    pub running: BTreeSet<Arc<str>>,
    /// How far it has taken launches.
    pub last_launch: EventNumber,
    /// How much it would lend out revocably.
    pub estimate: Resources,
}

/// A task that an agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// Its framework's wire id.
    pub framework: Arc<str>,
    /// Its id.
    pub task: TaskId,
    /// The newest state that the agent knows.
    pub state: TaskState,
}

/// An executor that an agent runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorReport {
    /// Its framework's wire id.
    pub framework: Arc<str>,
    /// Its id.
    pub executor: ExecutorId,
}

/// An agent registered for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRegistered {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// What it says of itself.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// Its stream.
    #[serde(rename = "c")]
    pub session: Session,
}

/// An agent came back, over a new stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReregistered {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// What it says of itself now.
    #[serde(rename = "d")]
    pub description: Arc<Description>,
    /// Its stream.
    #[serde(rename = "c")]
    pub session: Session,
    /// All it has now for good.
    #[serde(rename = "t")]
    pub total: Resources,
    /// How far it has taken launches: later ones are sent again.
    #[serde(rename = "l")]
    pub last_launch: EventNumber,
}

/// What frameworks are told of tasks that were never launched (semantics 83).
const UNTOLD: Farewell = Farewell {
    aware: (TaskState::Dropped, Reason::AGENT_REREGISTERED),
    unaware: (TaskState::Lost, Reason::AGENT_REREGISTERED),
    message: "Agent was unreachable before it heard of the task",
};

impl Decide for Register {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let machine = self.description.machine();
        if draft.state().is_down(&machine) {
            let reason = format!("machine {machine} is down for maintenance");
            return Err(Rejection::AgentDismissed(reason.into()));
        }
        check_estimate(&self.estimate)?;
        if let Some(wrong) = self.description.resources.iter().find(|it| it.revocable) {
            let fault = format!("an agent's own resources are not revocable: {wrong}");
            return Err(Rejection::Invalid(fault.into()));
        }
        let id = match self.agent {
            None => self.register(draft),
            Some(agent) => self.reregister(agent, draft)?,
        };
        note_estimate(draft, id, &self.estimate);
        Ok(Reply::Registered(id))
    }
}

impl Register {
    fn register(&self, draft: &mut Draft<'_>) -> AgentId {
        replace(draft, &self.description.address);
        let id = AgentId(draft.state().cluster.agents);
        draft.record(AgentRegistered {
            id,
            description: Arc::new(self.description.clone()),
            session: self.session,
        });
        id
    }

    fn reregister(&self, id: AgentId, draft: &mut Draft<'_>) -> Result<AgentId, Rejection> {
        let state = draft.state();
        if state.gone_agents.contains_key(&id) {
            let reason = format!("agent {} was marked gone", state.agent_text(id));
            return Err(Rejection::AgentDismissed(reason.into()));
        }
        let Some(agent) = state.agents.get(&id).cloned() else {
            return Err(Rejection::AgentUnknown(state.agent_text(id).into()));
        };
        if agent.unreachable_since.is_none() && has_moved(&agent, &self.description) {
            let (name, machine) = (state.agent_text(id), agent.machine());
            let reason = format!("agent {name} is registered from machine {machine}");
            return Err(Rejection::AgentDismissed(reason.into()));
        }
        let total = self.carry_over(state, &agent)?;
        self.settle_stopped(&agent, draft);
        self.drop_untold(&agent, draft);
        draft.record(AgentReregistered {
            id,
            description: Arc::new(self.description.clone()),
            session: self.session,
            total,
            last_launch: self.last_launch,
        });
        self.return_tasks(&agent, draft);
        self.reconcile_executors(&agent, draft);
        self.dismiss_unknown(id, draft);
        Ok(id)
    }

    /// An agent that was unreachable is not told of launches that it has not heard of: their frameworks
    /// have been told that the tasks are unreachable or lost, may have started others in their place,
    /// and their resources are free.
    fn drop_untold(&self, agent: &Agent, draft: &mut Draft<'_>) {
        if agent.unreachable_since.is_none() {
            return;
        }
        for key in &agent.tasks {
            let task = draft.state().tasks.get(key);
            let is_untold = |task: &Arc<Task>| {
                task.state == TaskState::Unreachable && task.launched > self.last_launch
            };
            if task.is_some_and(is_untold) {
                end_task(draft, key, &UNTOLD);
            }
        }
    }

    /// Tasks of an agent that was unreachable count again, in the state it reports (semantics 224). Of
    /// those that have ended meanwhile its own update will tell.
    fn return_tasks(&self, agent: &Agent, draft: &mut Draft<'_>) {
        if agent.unreachable_since.is_none() {
            return;
        }
        for report in self.tasks.iter().filter(|report| !report.state.is_terminal()) {
            let Some(key) = key(draft.state(), &report.framework, &report.task) else {
                continue;
            };
            let Some(task) = draft.state().tasks.get(&key) else {
                continue;
            };
            let lost = task.agent == agent.id && task.state == TaskState::Unreachable;
            if !lost || !draft.state().may_return(task) {
                continue;
            }
            let status = Status::by_master(
                report.state,
                Reason::AGENT_REREGISTERED,
                "Unreachable agent reregistered",
                draft.context().now,
            );
            draft.record(TaskUpdated { key, status: Arc::new(status), latest: report.state });
        }
    }

    /// Executors that the agent no longer has are over; those it has not been told of yet are not, unless
    /// it was unreachable, when it is never told.
    fn reconcile_executors(&self, agent: &Agent, draft: &mut Draft<'_>) {
        let state = draft.state();
        let (agent, was_unreachable) = (agent.id, agent.unreachable_since.is_some());
        let reported: BTreeSet<_> = self
            .executors
            .iter()
            .filter_map(|report| {
                let framework = *state.framework_ids.get(&report.framework)?;
                Some(ExecutorKey { agent, framework, executor: report.executor.clone() })
            })
            .collect();
        let gone: Vec<_> = state
            .executors_on(agent)
            .filter(|executor| !reported.contains(&executor.key))
            .filter(|executor| was_unreachable || executor.launched <= self.last_launch)
            .map(|executor| executor.key.clone())
            .collect();
        for key in gone {
            draft.record(ExecutorEnded { key, status: -1 });
        }
    }

    /// What the agent has of frameworks that are over is to end.
    fn dismiss_unknown(&self, agent: AgentId, draft: &mut Draft<'_>) {
        let frameworks = self.tasks.iter().map(|report| &report.framework);
        let frameworks = frameworks.chain(self.executors.iter().map(|report| &report.framework));
        let frameworks = frameworks.chain(&self.running);
        let state = draft.state();
        let lingering = state.agents.get(&agent).map(|agent| &agent.lingering);
        let is_told = |wire_id: &Arc<str>| {
            lingering.into_iter().flatten().any(|(_, it)| it.wire_id == *wire_id)
        };
        let over: BTreeSet<_> = frameworks
            .filter(|wire_id| state.framework_by_wire_id(wire_id).is_none() && !is_told(wire_id))
            .cloned()
            .collect();
        for framework in over {
            let number = draft.state().cluster.events;
            let directive = Directive::ShutdownFramework { framework, number };
            draft.say(Effect::Agent { to: agent, session: self.session, directive });
        }
        // after the shutdowns, so that no reconciliation names what is being shut down
        let reported: BTreeSet<_> = self
            .tasks
            .iter()
            .filter_map(|report| key(draft.state(), &report.framework, &report.task))
            .collect();
        for directive in outstanding::missing(draft.state(), agent, &reported, self.last_launch) {
            draft.say(Effect::Agent { to: agent, session: self.session, directive });
        }
    }
}

fn key(state: &State, framework: &Arc<str>, task: &TaskId) -> Option<TaskKey> {
    let framework = *state.framework_ids.get(framework)?;
    Some(TaskKey { framework, task: task.clone() })
}

/// Whether an agent comes from another machine than the one it is known to be on (semantics 227). An
/// address that is no more than the hostname does not tell.
fn has_moved(agent: &Agent, description: &Description) -> bool {
    let (known, now) = (agent.machine(), description.machine());
    let by_address = known.ip.parse::<IpAddr>().is_ok() && known.ip != now.ip;
    known.hostname != now.hostname || by_address
}

impl Fold for AgentRegistered {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        state.cluster.agents = state.cluster.agents.max(self.id.0 + 1);
        state.agent_counts.registered += 1;
        let agent = Agent {
            id: self.id,
            description: self.description.clone(),
            connection: Connection::Connected(self.session),
            unreachable_since: None,
            spared: None,
            deactivated: false,
            drain: None,
            registered_at: at,
            reregistered_at: None,
            total: self.description.resources.clone(),
            estimate: Resources::default(),
            used: Resources::default(),
            offered: Resources::default(),
            tasks: OrdSet::new(),
            operations: OrdSet::new(),
            offers: OrdSet::new(),
            lingering: OrdMap::new(),
        };
        state.admit(agent);
        state.place(self.id, effects);
        effects.push(Effect::Operators(OperatorMessage::AgentAdded(self.id)));
    }
}

impl Fold for AgentReregistered {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        state.count_return(self.id);
        state.connect_agent(self.id, Connection::Connected(self.session));
        let Some(agent) = state.agents.get(&self.id) else {
            return;
        };
        let was_unreachable = agent.unreachable_since.is_some();
        let (before, after) = (&agent.description, &self.description);
        let is_another = (&before.attributes, &before.domain) != (&after.attributes, &after.domain);
        if is_another {
            // whoever refused it did not refuse what it is now (surface 5)
            state.book.filters.clear_agent(self.id);
        }
        if agent.firm() != self.total {
            state.rescind_agent(self.id, effects);
        }
        state.alter_agent(self.id, |agent| {
            agent.unreachable_since = None;
            agent.description = self.description.clone();
            agent.total = self.total.clone();
            agent.fit_revocable();
            agent.reregistered_at = Some(at);
        });
        state.place(self.id, effects);
        if was_unreachable {
            state.restore_executors(self.id);
            state.restore_lingering(self.id);
            effects.push(Effect::Operators(OperatorMessage::AgentAdded(self.id)));
        }
        outstanding::for_agent(state, self.id, self.last_launch, effects);
    }
}
