//! A simulated scheduler. It wants a number of tasks finished, keeps a ledger of them on its disk,
//! acknowledges what it hears, asks about what it does not hear of, and has a habit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use statemachine::framework::{Description, Revive, Subscribe, Suppress, Teardown};
use statemachine::offer::{Accept, Decline, Offer, OfferConstraints, OfferReference, Operation};
use statemachine::task::{
    Acknowledge, ExecutorSpec, GroupSpec, Kill, Question, Reconcile, ShutdownExecutor, TaskSpec,
};
use statemachine::{
    AgentId, Capabilities, Command, FrameworkId, FrameworkMessage, NamedAgent, OfferId, Reason,
    Role, Session, TaskId, TaskState, TaskUpdate, Time, framework_capability, resources::Name,
    testing,
};

use super::Connection;
use crate::cluster::EPOCH_MS;
use crate::happening::{Call, Happening, Life, Place, Request, ToClient};
use crate::nature::Nature;

/// Between two looks at the timers.
const BEAT_MS: u64 = 500;
/// A task that is not heard of for this long is asked about.
const DOUBT_MS: u64 = 5_000;
/// An unreachable task is written off and replaced after this long.
const WRITE_OFF_MS: u64 = 20_000;
/// Tasks under way at most.
const UNDER_WAY_MAX: usize = 8;

/// The executor of all groups.
const POD: &str = "pod";

/// What kind of scheduler it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Takes every offer whole.
    Greedy,
    /// Declines half of the offers, with filters.
    Picky,
    /// Leaves offers and updates unanswered half of the time.
    Silent,
    /// Its process dies every few seconds.
    Crashing,
    /// Sends every call twice.
    Duplicating,
}

impl Habit {
    /// Habits in turn.
    pub fn of(number: u8) -> Self {
        match number % 5 {
            0 => Self::Greedy,
            1 => Self::Picky,
            2 => Self::Duplicating,
            3 => Self::Crashing,
            _ => Self::Silent,
        }
    }
}

/// A task in the ledger.
#[derive(Clone, Debug)]
struct Mine {
    agent: AgentId,
    executor: Option<Arc<str>>,
    heard_at: u64,
    unreachable_at: Option<u64>,
}

/// What it keeps on its disk.
#[derive(Debug, Default)]
struct Ledger {
    framework: Option<(FrameworkId, Arc<str>)>,
    under_way: BTreeMap<TaskId, Mine>,
    launched: u64,
    finished: u32,
}

/// A call whose answer is awaited.
#[derive(Clone, Debug)]
enum Awaited {
    Launched(Vec<TaskId>),
    Declined(Arc<Offer>, Time),
    Revived,
}

/// A scheduler.
#[derive(Debug)]
pub struct Scheduler {
    /// Its number in the simulation.
    pub number: u8,
    /// How often it was started.
    pub life: Life,
    /// Whether its process is there.
    pub up: bool,
    /// What kind it is.
    pub habit: Habit,
    /// It ends its framework for good once its goal is reached.
    pub leaving: bool,
    goal: u32,
    description: Description,
    connection: Connection,
    disk: Ledger,
    offers: BTreeMap<OfferId, Arc<Offer>>,
    awaited: BTreeMap<u64, Awaited>,
    calls: u64,
    suppressed: bool,
}

impl Scheduler {
    /// A scheduler that was never started and wants `goal` tasks finished.
    pub fn new(number: u8, masters: u8, goal: u32, nature: &mut Nature) -> Self {
        Self {
            number,
            life: 0,
            up: false,
            habit: Habit::of(number),
            leaving: false,
            goal,
            description: description(number, nature),
            connection: Connection::new(Place::Scheduler(number), masters),
            disk: Ledger::default(),
            offers: BTreeMap::new(),
            awaited: BTreeMap::new(),
            calls: 0,
            suppressed: false,
        }
    }

    /// How far it is from its goal.
    pub fn missing(&self) -> u32 {
        self.goal.saturating_sub(self.disk.finished)
    }

    /// Whether it has nothing left to wait for.
    pub fn is_done(&self) -> bool {
        self.missing() == 0 && self.disk.under_way.is_empty()
    }

    /// Its framework, once it has one.
    pub fn framework(&self) -> Option<FrameworkId> {
        self.disk.framework.as_ref().map(|(id, _)| *id)
    }

    /// Its process starts.
    pub fn start(&mut self, nature: &mut Nature) {
        self.life += 1;
        self.up = true;
        self.suppressed = false;
        self.connection.reset();
        nature.note(format_args!("scheduler {} starts", self.number));
        nature.after(1, Happening::Beat(Place::Scheduler(self.number), self.life));
    }

    /// Its process dies.
    pub fn crash(&mut self, nature: &mut Nature) {
        nature.note(format_args!("scheduler {} dies", self.number));
        self.up = false;
        self.offers.clear();
        self.awaited.clear();
        let place = Place::Scheduler(self.number);
        nature.break_streams(|_, client, _| client == place);
    }

    /// Another instance, with the same ledger, subscribes while the first is still connected.
    pub fn take_over(&mut self, nature: &mut Nature) {
        self.life += 1;
        self.offers.clear();
        self.awaited.clear();
        self.connection.reset();
        nature.after(1, Happening::Beat(Place::Scheduler(self.number), self.life));
    }

    /// Looks at its timers.
    pub fn beat(&mut self, nature: &mut Nature) {
        nature.after(BEAT_MS, Happening::Beat(Place::Scheduler(self.number), self.life));
        if self.leaving && self.disk.framework.is_none() {
            return;
        }
        if let Some(session) = self.connection.open(self.life, nature) {
            let command = self.subscribe(session).into();
            nature.send(Request { session, command, call: None });
        }
        if self.leaving {
            return self.teardown(nature);
        }
        self.write_off(nature);
        self.doubt(nature);
        if nature.calm && self.suppressed {
            self.revive(nature);
        }
    }

    /// Its stream is over.
    pub fn ended(&mut self, session: Session, nature: &mut Nature) {
        if self.connection.is(session) {
            self.lost(None, nature);
        }
    }

    fn lost(&mut self, hint: Option<u8>, nature: &mut Nature) {
        self.offers.clear();
        self.connection.lost(hint, nature);
        if self.leaving {
            // the stream ends without a word after a TEARDOWN; a new SUBSCRIBE would be refused
            nature.note(format_args!("scheduler {} lost its stream while leaving", self.number));
        }
    }

    /// Something arrives over its stream.
    pub fn hear(&mut self, session: Session, message: ToClient, nature: &mut Nature) {
        if !self.connection.is(session) {
            return;
        }
        match message {
            ToClient::NotLeader(hint) => self.lost(hint, nature),
            ToClient::Subscribed(id, wire_id) => {
                self.disk.framework = Some((id, wire_id));
                self.connection.welcomed();
                let all = Reconcile { framework: id, tasks: Vec::new() };
                self.call(all.into(), None, nature);
            }
            ToClient::Refused(text) => {
                nature.note(format_args!("scheduler {} is refused: {text}", self.number));
                self.begin_anew();
                self.lost(None, nature);
            }
            ToClient::Event(event) => self.event(event, nature),
            ToClient::Welcome(..) | ToClient::Directive(..) => {}
        }
    }

    /// Its framework is over: what it had under way is lost with it.
    fn begin_anew(&mut self) {
        self.disk.framework = None;
        self.disk.under_way.clear();
    }

    fn subscribe(&self, session: Session) -> Subscribe {
        Subscribe {
            wire_id: self.disk.framework.as_ref().map(|(_, wire_id)| wire_id.clone()),
            description: self.description.clone(),
            suppressed: Vec::new(),
            constraints: OfferConstraints::default(),
            session,
        }
    }

    fn event(&mut self, event: FrameworkMessage, nature: &mut Nature) {
        match event {
            FrameworkMessage::Offers(offers) => {
                for offer in offers {
                    self.offered(offer, nature);
                }
            }
            FrameworkMessage::Rescinded(offer) => {
                self.offers.remove(&offer);
            }
            FrameworkMessage::Updated(update) => self.updated(&update, nature),
            FrameworkMessage::Failure(_) | FrameworkMessage::Closed => self.lost(None, nature),
            // an inverse offer that is not answered is one too
            FrameworkMessage::InverseOffers(_)
            | FrameworkMessage::InverseRescinded(_)
            | FrameworkMessage::OperationUpdated(_)
            | FrameworkMessage::Failed { .. }
            | FrameworkMessage::Message { .. } => {}
        }
    }

    fn offered(&mut self, offer: Arc<Offer>, nature: &mut Nature) {
        self.offers.insert(offer.id, offer.clone());
        let moody = !nature.calm && nature.dice.chance(500);
        match self.habit {
            Habit::Silent if moody => {}
            Habit::Picky if moody => self.decline(offer, 10, nature),
            _ => self.take(offer, nature),
        }
    }

    fn decline(&mut self, offer: Arc<Offer>, seconds: u32, nature: &mut Nature) {
        self.offers.remove(&offer.id);
        let until = Time(EPOCH_MS + nature.now + u64::from(seconds) * 1000);
        let (framework, offers) = (offer.framework, vec![offer.id]);
        let decline = Decline { framework, offers, refuse_seconds: Some(f64::from(seconds)) };
        self.call(decline.into(), Some(Awaited::Declined(offer, until)), nature);
    }

    /// Launches as much as it wants and the offer holds.
    fn take(&mut self, offer: Arc<Offer>, nature: &mut Nature) {
        let wanted = (self.missing() as usize).saturating_sub(self.disk.under_way.len());
        let room = UNDER_WAY_MAX.saturating_sub(self.disk.under_way.len());
        let cpus = offer.resources.scalar(&Name::Cpus).0 / 1100;
        let mem = offer.resources.scalar(&Name::Mem).0 / 140_000;
        let count = wanted.min(room).min(cpus.min(mem).max(0) as usize);
        if count == 0 {
            return self.decline(offer, if nature.calm { 1 } else { 5 }, nature);
        }
        self.offers.remove(&offer.id);
        let together = nature.dice.chance(200) && !is_revocable(&offer);
        let tasks: Vec<_> = (0..count).map(|_| self.task(&offer, together, nature)).collect();
        let ids = tasks.iter().map(|task| task.id.clone()).collect();
        let text = format!("{}-O{}", crate::cluster::CLUSTER, offer.id);
        let accept = Accept {
            framework: offer.framework,
            offers: vec![OfferReference { id: Some(offer.id), text: text.into() }],
            operations: vec![launch(tasks, together)],
            refuse_seconds: nature.dice.chance(500).then_some(1.0),
        };
        self.call(accept.into(), Some(Awaited::Launched(ids)), nature);
    }

    /// The next task, written into the ledger before it is asked for.
    fn task(&mut self, offer: &Offer, together: bool, nature: &mut Nature) -> TaskSpec {
        self.disk.launched += 1;
        let id: TaskId = format!("s{}.{}", self.number, self.disk.launched).into();
        let is_revocable = is_revocable(offer);
        let custom = self.habit == Habit::Greedy && nature.dice.chance(500) && !is_revocable;
        let executor = match (together, custom) {
            (true, _) => Some(Arc::from(POD)),
            (false, true) => Some(Arc::from(if nature.dice.chance(500) { "x" } else { "y" })),
            (false, false) => None,
        };
        let mine = Mine {
            agent: offer.agent,
            executor: executor.clone(),
            heard_at: nature.now,
            unreachable_at: None,
        };
        self.disk.under_way.insert(id.clone(), mine);
        let needs = testing::resources("cpus:1;mem:128");
        TaskSpec {
            id,
            agent: Some(offer.agent),
            resources: if is_revocable { testing::revocable(&needs) } else { needs },
            executor: executor.filter(|_| !together).map(|id: Arc<str>| executor_spec(&id)),
            payload: Bytes::from_static(b"task info"),
            fault: None,
        }
    }

    fn updated(&mut self, update: &TaskUpdate, nature: &mut Nature) {
        let status = &update.status;
        if let (Some(id), Some(framework)) = (status.update, self.framework()) {
            if !nature.calm && self.habit == Habit::Silent && nature.dice.chance(500) {
                return;
            }
            nature.oracle.updates.confirmed(id);
            let agent = update.agent.as_ref().and_then(NamedAgent::ours);
            let task = update.task.clone();
            self.call(Acknowledge { framework, agent, task, update: id }.into(), None, nature);
        }
        let Some(mine) = self.disk.under_way.get_mut(&update.task) else { return };
        mine.heard_at = nature.now;
        match status.state {
            TaskState::Unreachable => {
                mine.unreachable_at.get_or_insert(nature.now);
            }
            // the second of two equal calls finds its offer gone; the first may have launched it
            _ if status.reason == Some(Reason::INVALID_OFFERS) => {
                mine.heard_at = nature.now.saturating_sub(DOUBT_MS);
            }
            state if state.is_terminal() || state == TaskState::Unknown => {
                self.disk.under_way.remove(&update.task);
                self.disk.finished += u32::from(state == TaskState::Finished);
            }
            _ => mine.unreachable_at = None,
        }
    }

    /// Tasks out of reach for long are replaced by others.
    fn write_off(&mut self, nature: &Nature) {
        self.disk.under_way.retain(|_, mine| {
            mine.unreachable_at.is_none_or(|since| nature.now < since + WRITE_OFF_MS)
        });
    }

    /// Asks about tasks that it has not heard of for long.
    fn doubt(&mut self, nature: &mut Nature) {
        let Some(framework) = self.framework().filter(|_| self.connection.ready().is_some()) else {
            return;
        };
        let mut tasks = Vec::new();
        for (id, mine) in &mut self.disk.under_way {
            if nature.now >= mine.heard_at + DOUBT_MS {
                mine.heard_at = nature.now;
                tasks.push(Question { task: id.clone(), agent: Some(mine.agent.into()) });
            }
        }
        if !tasks.is_empty() {
            self.call(Reconcile { framework, tasks }.into(), None, nature);
        }
    }

    /// Makes a call over a connection of its own; twice, if that is its habit.
    fn call(&mut self, command: Command, awaited: Option<Awaited>, nature: &mut Nature) {
        let (Some(session), Some(framework)) = (self.connection.ready(), self.framework()) else {
            return;
        };
        self.calls += 1;
        let call = Call { scheduler: self.number, life: self.life, framework, number: self.calls };
        if let Some(awaited) = awaited {
            self.awaited.insert(self.calls, awaited);
        }
        nature.note(format_args!("scheduler {} calls {}", self.number, command.name()));
        let request = Request { session, command, call: Some(call) };
        if self.habit == Habit::Duplicating {
            nature.call(request.clone());
        }
        nature.call(request);
    }

    /// A call was answered: 202, or else.
    pub fn answered(&mut self, call: u64, taken: bool, nature: &mut Nature) {
        let Some(awaited) = self.awaited.remove(&call).filter(|_| taken) else { return };
        match (awaited, self.framework()) {
            (Awaited::Launched(tasks), Some(framework)) => {
                let finding = nature.oracle.accounted.promised(framework, &tasks);
                nature.oracle.judge(finding);
            }
            (Awaited::Declined(offer, until), Some(_)) => {
                nature.oracle.filters.refused(&offer, until);
            }
            (Awaited::Revived, Some(_)) => self.suppressed = false,
            (_, None) => {}
        }
    }

    /// Kills one of its tasks.
    pub fn kill(&mut self, nature: &mut Nature) {
        let tasks: Vec<_> = self.disk.under_way.keys().cloned().collect();
        if let (Some(framework), Some(task)) = (self.framework(), nature.dice.pick(&tasks)) {
            let kill = Kill { framework, task: task.clone(), agent: None, policy: Bytes::new() };
            self.call(kill.into(), None, nature);
        }
    }

    /// Shuts one of its executors down.
    pub fn shutdown_executor(&mut self, nature: &mut Nature) {
        let executors: Vec<_> = self
            .disk
            .under_way
            .values()
            .filter_map(|mine| Some((mine.agent, mine.executor.clone()?)))
            .collect();
        if let (Some(framework), Some((agent, executor))) =
            (self.framework(), nature.dice.pick(&executors))
        {
            let (agent, executor) = (Some(*agent), (&**executor).into());
            self.call(ShutdownExecutor { framework, agent, executor }.into(), None, nature);
        }
    }

    /// Asks about all its tasks.
    pub fn reconcile(&mut self, nature: &mut Nature) {
        if let Some(framework) = self.framework() {
            self.call(Reconcile { framework, tasks: Vec::new() }.into(), None, nature);
        }
    }

    /// Wants no offers for now.
    pub fn suppress(&mut self, nature: &mut Nature) {
        if let Some(framework) = self.framework() {
            self.suppressed = true;
            self.call(Suppress { framework, roles: Vec::new() }.into(), None, nature);
        }
    }

    /// Wants offers again. It goes on wanting until the call is taken: it may be lost on the way.
    pub fn revive(&mut self, nature: &mut Nature) {
        if let Some(framework) = self.framework() {
            let revive = Revive { framework, roles: Vec::new() };
            self.call(revive.into(), Some(Awaited::Revived), nature);
        }
    }

    /// Ends its framework.
    pub fn teardown(&mut self, nature: &mut Nature) {
        if let Some(framework) = self.framework() {
            self.call(Teardown { framework }.into(), None, nature);
        }
    }
}

/// Each task for itself, or all as a group.
fn launch(tasks: Vec<TaskSpec>, together: bool) -> Operation {
    if !together {
        return Operation::Launch(tasks);
    }
    Operation::LaunchGroup(GroupSpec { executor: executor_spec(POD), tasks, fault: None })
}

fn executor_spec(id: &str) -> ExecutorSpec {
    ExecutorSpec {
        id: id.into(),
        resources: testing::resources("cpus:0.1;mem:12"),
        payload: Bytes::from_static(b"executor info"),
    }
}

/// Whether it is an offer of what an agent lends out.
fn is_revocable(offer: &Offer) -> bool {
    offer.resources.iter().any(|resource| resource.revocable)
}

fn description(number: u8, nature: &mut Nature) -> Description {
    let roles: &[&str] = match number % 3 {
        0 => &["*"],
        1 => &["eng/web", "eng/batch"],
        _ => &["ops"],
    };
    let mut capabilities = Capabilities::default().with(framework_capability::MULTI_ROLE);
    if nature.dice.chance(700) {
        capabilities = capabilities.with(framework_capability::PARTITION_AWARE);
    }
    if nature.dice.chance(500) {
        capabilities = capabilities.with(framework_capability::REVOCABLE_RESOURCES);
    }
    let timeouts_ms = [0, 4_000, 60_000, 3_600_000];
    Description {
        principal: None,
        user: "nobody".into(),
        roles: roles.iter().map(|role| Role::from(*role)).collect(),
        capabilities,
        checkpoint: true,
        minimums: BTreeMap::new(),
        failover_timeout_ms: nature.dice.pick(&timeouts_ms).copied().unwrap_or_default(),
        payload: Bytes::new(),
    }
}
