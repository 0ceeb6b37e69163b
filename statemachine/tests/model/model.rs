//! The reference model: plain maps, and sums that are counted anew whenever they are needed.

use std::collections::{BTreeMap, BTreeSet};

use statemachine::{AgentId, FrameworkId, OfferId, Session, TaskState, UpdateId};

use crate::pile::Pile;
use crate::said::{Listener, Said};

/// How long an agent that is gone or unreachable is remembered.
pub(crate) const MEMORY_MS: u64 = 14 * 24 * 3_600_000;

pub(crate) type TaskName = (FrameworkId, String);
pub(crate) type ExecutorName = (AgentId, FrameworkId, String);

/// Why a call is refused: the name of the rejection.
pub(crate) type Refused = Result<(), &'static str>;

/// How a client is connected; times are when the next thing happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Up(Session),
    Awaited(u64),
    Away(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) link: Link,
    pub(crate) is_unreachable: bool,
    pub(crate) is_deactivated: bool,
    /// Whether it is to be marked gone, and whether it is empty.
    pub(crate) drain: Option<(bool, bool)>,
    pub(crate) machine: u8,
    pub(crate) total: Pile,
    /// Whether it says when frameworks that are over have stopped.
    pub(crate) tells: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Framework {
    pub(crate) link: Link,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) suppressed: BTreeSet<String>,
    pub(crate) is_aware: bool,
    pub(crate) timeout_ms: u64,
    pub(crate) subscribed_at: u64,
    /// When it was last away.
    pub(crate) left_at: Option<u64>,
    /// Executors that have ended while it was.
    pub(crate) unheard: Vec<(AgentId, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) framework: FrameworkId,
    pub(crate) role: String,
    pub(crate) agent: AgentId,
    pub(crate) pile: Pile,
    pub(crate) until: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) agent: AgentId,
    pub(crate) role: String,
    pub(crate) pile: Pile,
    pub(crate) state: TaskState,
    /// The state that its framework was told last.
    pub(crate) told: Option<TaskState>,
    /// If that came of the master itself: why, and when.
    pub(crate) by_master: Option<(Option<i32>, u64)>,
    /// What its framework has yet to acknowledge: id, state and reason.
    pub(crate) pending: Option<(UpdateId, TaskState, Option<i32>)>,
    pub(crate) acknowledged: Option<UpdateId>,
    pub(crate) is_killed: bool,
    /// Number of its launch; tasks of one group share it.
    pub(crate) launched: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Executor {
    pub(crate) role: String,
    pub(crate) pile: Pile,
    pub(crate) holds: bool,
    pub(crate) is_shut_down: bool,
    pub(crate) launched: u64,
}

/// What a framework refused of an agent for a role, and until when that counts.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) client: (FrameworkId, String),
    pub(crate) agent: AgentId,
    pub(crate) pile: Pile,
    pub(crate) until: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) elected_at: u64,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    /// Agents marked gone, and when they are forgotten.
    pub(crate) gone: BTreeMap<AgentId, u64>,
    pub(crate) frameworks: BTreeMap<FrameworkId, Framework>,
    pub(crate) over: BTreeSet<FrameworkId>,
    pub(crate) offers: BTreeMap<OfferId, Offer>,
    pub(crate) tasks: BTreeMap<TaskName, Task>,
    pub(crate) executors: BTreeMap<ExecutorName, Executor>,
    /// What frameworks that are over have not stopped to use on agents, each piece in its role.
    pub(crate) lingering: BTreeMap<(AgentId, FrameworkId), Vec<(String, Pile)>>,
    /// Tasks that are over, as they were at their end.
    pub(crate) history: Vec<(TaskName, Task)>,
    pub(crate) filters: Vec<Filter>,
    /// The most cpus that roles may have, in thousandths.
    pub(crate) limits: BTreeMap<String, i64>,
    pub(crate) weights: BTreeMap<String, u64>,
    /// Machines of the schedule: when they are out of service, and whether they are already.
    pub(crate) machines: BTreeMap<u8, (i64, bool)>,
    /// Whom the schedule concerns: whether an answer is awaited, and when it may be asked for again.
    pub(crate) asked: BTreeMap<(AgentId, FrameworkId), (bool, Option<u64>)>,
    /// What the call under way makes the master say.
    pub(crate) said: Vec<(Listener, Said)>,
}

/// Whether a role is this one or below it.
pub(crate) fn is_within(role: &str, above: &str) -> bool {
    role == above || role.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

impl Task {
    pub(crate) fn holds(&self) -> bool {
        !self.state.is_terminal() && self.state != TaskState::Unreachable
    }
}

impl Agent {
    pub(crate) fn is_active(&self) -> bool {
        self.is_reachable() && !self.is_deactivated
    }

    pub(crate) fn is_reachable(&self) -> bool {
        !matches!(self.link, Link::Away(_)) && !self.is_unreachable
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_some_and(|(_, is_done)| !is_done)
    }
}

impl Model {
    pub(crate) fn tell(&mut self, framework: FrameworkId, said: Said) {
        if let Some(Link::Up(session)) = self.frameworks.get(&framework).map(|it| it.link) {
            self.said.push((Listener::Framework(framework, session), said));
        }
    }

    pub(crate) fn tell_all(&mut self, said: &Said) {
        for framework in self.frameworks.keys().copied().collect::<Vec<_>>() {
            self.tell(framework, said.clone());
        }
    }

    pub(crate) fn direct(&mut self, agent: AgentId, said: Said) {
        if let Some(Link::Up(session)) = self.agents.get(&agent).map(|it| it.link) {
            self.said.push((Listener::Agent(agent, session), said));
        }
    }

    /// What tasks, executors and what lingers use of an agent.
    pub(crate) fn used(&self, agent: AgentId) -> Pile {
        let mut used = Pile::default();
        let tasks = self.tasks.values().filter(|task| task.agent == agent && task.holds());
        tasks.for_each(|task| used.add(&task.pile));
        let executors = self.executors.iter().filter(|(name, it)| name.0 == agent && it.holds);
        executors.for_each(|(_, executor)| used.add(&executor.pile));
        self.lingers().filter(|it| it.0 == agent).for_each(|(.., pile)| used.add(pile));
        used
    }

    /// What of frameworks that are over is in use: not on agents that are unreachable.
    fn lingers(&self) -> impl Iterator<Item = (AgentId, &String, &Pile)> {
        let there =
            self.lingering.iter().filter(move |((id, _), _)| !self.agents[id].is_unreachable);
        there.flat_map(|((id, _), all)| all.iter().map(move |(role, pile)| (*id, role, pile)))
    }

    pub(crate) fn offered(&self, agent: AgentId) -> Pile {
        let mut offered = Pile::default();
        let offers = self.offers.values().filter(|offer| offer.agent == agent);
        offers.for_each(|offer| offered.add(&offer.pile));
        offered
    }

    /// What an agent has, less what is used and offered.
    pub(crate) fn free(&self, agent: AgentId) -> Pile {
        let mut free = self.agents[&agent].total.clone();
        free.take(&self.used(agent));
        free.take(&self.offered(agent));
        free
    }

    /// Cpus that count for the limit of a role: what is reserved for it and below on agents that can be
    /// reached, and what is held there of unreserved ones; `hand` is held too.
    pub(crate) fn consumption(&self, role: &str, hand: Option<(&str, &Pile)>) -> i64 {
        let unreserved = |pile: &Pile| pile.only(|kind| kind.roles.is_empty()).amount("cpus");
        let reserved = |pile: &Pile| {
            pile.only(|kind| kind.roles.last().is_some_and(|last| is_within(last, role)))
                .amount("cpus")
        };
        let agents = self.agents.values().filter(|agent| !agent.is_unreachable);
        let offers = self.offers.values().map(|it| (&*it.role, &it.pile));
        let tasks = self.tasks.values().filter(|it| it.holds()).map(|it| (&*it.role, &it.pile));
        let executors = self.executors.values().filter(|it| it.holds);
        let executors = executors.map(|it| (&*it.role, &it.pile));
        let lingers = self.lingers().map(|(_, role, pile)| (&**role, pile));
        let held = offers.chain(tasks).chain(executors).chain(lingers).chain(hand);
        agents.map(|agent| reserved(&agent.total)).sum::<i64>()
            + held.filter(|(of, _)| is_within(of, role)).map(|(_, it)| unreserved(it)).sum::<i64>()
    }

    /// What every role with a limit consumes.
    pub(crate) fn consumptions(&self, hand: Option<(&str, &Pile)>) -> BTreeMap<String, i64> {
        let roles = self.limits.keys();
        roles.map(|role| (role.clone(), self.consumption(role, hand))).collect()
    }

    /// Whether a role has more than its limit, and more than it had before.
    pub(crate) fn passes(
        &self,
        before: &BTreeMap<String, i64>,
        after: &BTreeMap<String, i64>,
    ) -> bool {
        self.passing(before, after).is_some()
    }

    /// The first role of which that is so.
    pub(crate) fn passing(
        &self,
        before: &BTreeMap<String, i64>,
        after: &BTreeMap<String, i64>,
    ) -> Option<&String> {
        let grows = |role: &String| after[role] > before.get(role).copied().unwrap_or(0);
        self.limits.keys().find(|role| after[*role] > self.limits[*role] && grows(role))
    }

    /// The oldest offer that counts for the limit of a role.
    pub(crate) fn oldest_within(&self, role: &str) -> Option<OfferId> {
        let counts = |offer: &Offer| {
            let unreserved = offer.pile.only(|kind| kind.roles.is_empty());
            is_within(&offer.role, role) && unreserved.amount("cpus") > 0
        };
        self.offers.iter().find(|(_, offer)| counts(offer)).map(|(id, _)| *id)
    }

    pub(crate) fn rescind(&mut self, offer: OfferId) {
        if let Some(gone) = self.offers.remove(&offer) {
            self.tell(gone.framework, Said::Rescinded(offer.0));
        }
    }

    pub(crate) fn rescind_agent(&mut self, agent: AgentId) {
        let offers = self.offers.iter().filter(|(_, offer)| offer.agent == agent);
        for offer in offers.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.rescind(offer);
        }
    }

    pub(crate) fn is_aware(&self, framework: FrameworkId) -> bool {
        self.frameworks.get(&framework).is_some_and(|framework| framework.is_aware)
    }

    pub(crate) fn tasks_on(&self, agent: AgentId) -> Vec<TaskName> {
        let tasks = self.tasks.iter().filter(|(_, task)| task.agent == agent);
        tasks.map(|(name, _)| name.clone()).collect()
    }

    /// Draining agents without tasks, on which nothing lingers, are drained, and gone if that was asked for.
    pub(crate) fn finish_drains(&mut self) {
        let draining = self.agents.iter().filter(|(_, agent)| agent.is_draining());
        for id in draining.map(|(id, _)| *id).collect::<Vec<_>>() {
            let lingers = self.lingering.keys().any(|(agent, _)| *agent == id);
            if lingers || !self.tasks_on(id).is_empty() {
                continue;
            }
            let Some(agent) = self.agents.get_mut(&id) else { continue };
            let goes = agent.drain.is_some_and(|(goes, _)| goes);
            agent.drain = Some((goes, true));
            if goes {
                self.declare_gone(id);
            }
        }
    }
}
