//! A simulated agent. It does what `agents.proto` asks of one: launches are durable before anything
//! else and taken once, updates are repeated until acknowledged, one at a time for each task, what is shut
//! down takes its time and is told of once it has stopped, and a new stream begins with all it has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use statemachine::agent::{
    Description, ExecutorReport, Oversubscribe, Register, TaskReport, Unregister,
};
use statemachine::framework::Stopped;
use statemachine::resources::{Name, Resources, Scalar};
use statemachine::task::{Executor, ExecutorExited, Task, Update};
use statemachine::{
    AgentId, Capabilities, Command, Directive, EventNumber, ExecutorId, Reason, Session, Source,
    Status, TaskState, Time, UpdateId, agent_capability,
};

use super::Connection;
use super::container::{Containers, Fate};
use crate::bug::Bug;
use crate::cluster::EPOCH_MS;
use crate::happening::{Happening, Life, Place, Request, TaskName, ToClient};
use crate::invariants::launches;
use crate::nature::Nature;

/// Between two looks at the timers.
const BEAT_MS: u64 = 200;
/// An update that is not acknowledged is repeated after this long.
const RETRY_MS: u64 = 3_000;
/// At so many of a thousand looks at the timers it finds that it has more or less to lend out.
const OVERSUBSCRIBES_PER_THOUSAND: u64 = 10;

/// What an agent keeps on its disk.
#[derive(Clone, Debug, Default)]
struct Checkpoint {
    id: Option<AgentId>,
    term: u64,
    last_launch: EventNumber,
    tasks: BTreeMap<TaskName, Known>,
    executors: BTreeSet<(Arc<str>, ExecutorId)>,
}

/// A task that is not over, or whose end is not acknowledged.
#[derive(Clone, Debug)]
struct Known {
    state: TaskState,
    executor: Option<ExecutorId>,
    updates: VecDeque<Arc<Status>>,
    sent_at: u64,
}

/// An agent and its machine.
#[derive(Debug)]
pub struct Agent {
    /// Its number in the simulation.
    pub number: u8,
    /// How often it was started.
    pub life: Life,
    /// Whether its process is there.
    pub up: bool,
    /// Its processes.
    pub containers: Containers,
    connection: Connection,
    disk: Checkpoint,
    /// Frameworks that it was told to shut down and of which something runs; forgotten in a crash.
    stopping: BTreeSet<Arc<str>>,
    resources: String,
    /// What it would lend out revocably.
    estimate: Resources,
}

impl Agent {
    /// An agent that was never started, with these resources.
    pub fn new(number: u8, masters: u8, resources: String) -> Self {
        Self {
            number,
            life: 0,
            up: false,
            containers: Containers::default(),
            connection: Connection::new(Place::Agent(number), masters),
            disk: Checkpoint::default(),
            stopping: BTreeSet::new(),
            resources,
            estimate: Resources::default(),
        }
    }

    /// How many tasks it has something to say about.
    pub fn tasks(&self) -> usize {
        self.disk.tasks.len()
    }

    /// How many custom executors it runs.
    pub fn executors(&self) -> usize {
        self.disk.executors.len()
    }

    /// Its process starts, and takes over the containers that still run or have ended meanwhile.
    pub fn start(&mut self, nature: &mut Nature) {
        self.life += 1;
        self.up = true;
        self.connection.reset();
        nature.note(format_args!("agent {} starts", self.number));
        let tasks: Vec<_> = self.disk.tasks.keys().cloned().collect();
        for task in tasks {
            let fate = self.containers.all.get(&task).map(|container| container.fate);
            match fate {
                Some(Fate::Starting) => {}
                Some(Fate::Running) => self.observe(&task, TaskState::Running, nature),
                Some(Fate::Ended(end)) => self.observe(&task, end, nature),
                None => self.observe(&task, TaskState::Failed, nature),
            }
        }
        nature.after(1, Happening::Beat(Place::Agent(self.number), self.life));
    }

    /// Its process dies; the containers run on.
    pub fn crash(&mut self, nature: &mut Nature) {
        nature.note(format_args!("agent {} dies", self.number));
        self.up = false;
        self.stopping.clear();
        if nature.has(Bug::LaunchesForgotten) {
            self.disk.last_launch = EventNumber(0);
        }
        if nature.has(Bug::UpdatesForgotten) {
            for known in self.disk.tasks.values_mut() {
                known.updates.clear();
            }
        }
        let place = Place::Agent(self.number);
        nature.break_streams(|_, client, _| client == place);
    }

    /// Its machine goes down: the containers are gone too.
    pub fn reboot(&mut self, nature: &mut Nature) {
        self.crash(nature);
        self.containers.all.clear();
        self.disk.executors.clear();
    }

    /// It leaves for good; the next start is that of a new agent.
    pub fn retire(&mut self, nature: &mut Nature) {
        if let (Some(session), Some(agent)) = (self.connection.ready(), self.disk.id) {
            send(session, Unregister { agent, session }.into(), nature);
        }
        self.crash(nature);
        self.forget_all();
    }

    fn forget_all(&mut self) {
        self.containers.all.clear();
        self.disk = Checkpoint::default();
    }

    /// One of its executors dies, with all its tasks.
    pub fn crash_executor(&mut self, nature: &mut Nature) {
        let executors: Vec<_> = self.disk.executors.iter().cloned().collect();
        if let Some((framework, executor)) = nature.dice.pick(&executors).cloned() {
            self.end_executor(&framework, &executor, TaskState::Failed, nature);
        }
    }

    /// Looks at its timers.
    pub fn beat(&mut self, nature: &mut Nature) {
        nature.after(BEAT_MS, Happening::Beat(Place::Agent(self.number), self.life));
        if let Some(session) = self.connection.open(self.life, nature) {
            let hello = self.hello(session);
            send(session, hello.into(), nature);
        }
        if !nature.calm && nature.dice.chance(OVERSUBSCRIBES_PER_THOUSAND) {
            self.oversubscribe(nature);
        }
        let due: Vec<_> = self
            .disk
            .tasks
            .iter()
            .filter(|(_, known)| nature.now >= known.sent_at + RETRY_MS)
            .map(|(task, _)| task.clone())
            .collect();
        for task in due {
            self.report(&task, nature);
        }
    }

    /// Its stream is over.
    pub fn ended(&mut self, session: Session, nature: &mut Nature) {
        if self.connection.is(session) {
            self.connection.lost(None, nature);
        }
    }

    /// Something arrives over its stream.
    pub fn hear(&mut self, session: Session, message: ToClient, nature: &mut Nature) {
        if !self.connection.is(session) {
            return;
        }
        match message {
            ToClient::NotLeader(hint) => self.connection.lost(hint, nature),
            ToClient::Welcome(_, term) if term < self.disk.term => self.connection.hang_up(nature),
            ToClient::Welcome(id, term) => {
                self.disk.id = Some(id);
                self.disk.term = term;
                self.connection.welcomed();
                let tasks: Vec<_> = self.disk.tasks.keys().cloned().collect();
                for task in tasks {
                    self.report(&task, nature);
                }
            }
            ToClient::Refused(text) => {
                nature.note(format_args!("agent {} is refused: {text}", self.number));
                self.forget_all();
                self.connection.lost(None, nature);
            }
            ToClient::Directive(directive, framework) => self.obey(directive, framework, nature),
            ToClient::Subscribed(..) | ToClient::Event(_) => {}
        }
    }

    fn hello(&self, session: Session) -> Register {
        let tasks = self.disk.tasks.iter().map(|((framework, task), known)| TaskReport {
            framework: framework.clone(),
            task: task.clone(),
            state: known.state,
        });
        let executors = self.disk.executors.iter().map(|(framework, executor)| ExecutorReport {
            framework: framework.clone(),
            executor: executor.clone(),
        });
        Register {
            agent: self.disk.id,
            description: Description {
                hostname: format!("node{}", self.number).into(),
                address: format!("127.0.0.1:{}", 5051 + u16::from(self.number)).into(),
                version: "0.1.0".into(),
                capabilities: Capabilities::default().with(agent_capability::AGENT_DRAINING),
                resources: statemachine::testing::resources(&self.resources),
                attributes: Vec::new(),
                domain: None,
                tells_stops: true,
                payload: Bytes::new(),
            },
            session,
            tasks: tasks.collect(),
            executors: executors.collect(),
            running: self.running(),
            last_launch: self.disk.last_launch,
            estimate: self.estimate.clone(),
        }
    }

    /// Frameworks of which anything runs.
    fn running(&self) -> BTreeSet<Arc<str>> {
        let executors = self.disk.executors.iter().map(|(framework, _)| framework.clone());
        executors.chain(self.containers.frameworks()).collect()
    }

    /// It finds that it would lend out more or less, revocably.
    fn oversubscribe(&mut self, nature: &mut Nature) {
        let (cpus, mem) = (nature.dice.below(4), nature.dice.below(1024));
        let lent = statemachine::testing::resources(&format!("cpus:{cpus};mem:{mem}"));
        self.estimate = statemachine::testing::revocable(&lent);
        nature.note(format_args!("agent {} would lend out {}", self.number, self.estimate));
        if let (Some(session), Some(agent)) = (self.connection.ready(), self.disk.id) {
            let estimate = self.estimate.clone();
            send(session, Oversubscribe { agent, session, estimate }.into(), nature);
        }
    }

    fn obey(&mut self, directive: Directive, framework: Option<Arc<str>>, nature: &mut Nature) {
        let wire_id = framework.unwrap_or_else(|| "".into());
        match directive {
            Directive::Launch(task, executor) => {
                self.launch(&wire_id, &[task], executor.as_deref(), nature);
            }
            Directive::LaunchGroup(tasks, executor) => {
                self.launch(&wire_id, &tasks, executor.as_deref(), nature);
            }
            Directive::Kill { task, .. } => {
                self.containers.kill(self.number, &(wire_id, task), nature);
            }
            Directive::Acknowledge { framework, task, update } => {
                self.acknowledged(&(framework, task), update, nature);
            }
            Directive::ShutdownExecutor { executor, .. } => {
                self.end_executor(&wire_id, &executor, TaskState::Killed, nature);
            }
            Directive::ShutdownFramework { framework, .. } => self.shut_down(&framework, nature),
            Directive::Reconcile { tasks, .. } => {
                for (task, _) in tasks {
                    self.drop_unknown(&(wire_id.clone(), task), nature);
                }
            }
            // the stream is closed with that word, as it is when a Hello is refused
            Directive::Leave { .. }
            | Directive::Message { .. }
            | Directive::FrameworkChanged(_)
            | Directive::Resources { .. } => {}
        }
    }

    /// Starts tasks that were launched together, once.
    fn launch(
        &mut self,
        framework: &Arc<str>,
        tasks: &[Arc<Task>],
        executor: Option<&Executor>,
        nature: &mut Nature,
    ) {
        let Some(launched) = tasks.first().map(|task| task.launched) else { return };
        if launched <= self.disk.last_launch {
            return;
        }
        self.disk.last_launch = launched;
        for task in tasks {
            self.start_task(framework, task, executor, nature);
        }
    }

    fn start_task(
        &mut self,
        framework: &Arc<str>,
        task: &Task,
        executor: Option<&Executor>,
        nature: &mut Nature,
    ) {
        let name = (framework.clone(), task.key.task.clone());
        let finding = nature.oracle.launches.started(self.number, &name);
        nature.oracle.judge(finding);
        nature.note(format_args!("agent {} launches {} of {}", self.number, name.1, name.0));
        if let Some(executor) = executor {
            self.disk.executors.insert((framework.clone(), executor.key.executor.clone()));
        }
        let known = Known {
            state: TaskState::Staging,
            executor: task.executor.clone(),
            updates: VecDeque::new(),
            sent_at: 0,
        };
        self.disk.tasks.insert(name.clone(), known);
        // what is lent out is beyond what it has
        let firm = task.resources.filtered(|resource| !resource.revocable);
        let cpus = firm.scalar(&Name::Cpus);
        let has = statemachine::testing::resources(&self.resources).scalar(&Name::Cpus);
        let runs = Scalar(self.containers.cpus().0 + cpus.0);
        nature.oracle.judge(launches::fits(self.number, runs, has));
        self.containers.start(self.number, &name, (task.executor.clone(), cpus), nature);
        self.observe(&name, TaskState::Starting, nature);
    }

    /// A process on its machine is up or has ended.
    pub fn process(&mut self, task: &TaskName, run: u64, fate: Fate, nature: &mut Nature) {
        if !self.containers.moves(task, run, fate) {
            return;
        }
        let is_forgotten = !self.disk.tasks.contains_key(task);
        if is_forgotten && matches!(fate, Fate::Ended(_)) {
            self.containers.all.remove(task);
        }
        match fate {
            _ if !self.up => {}
            Fate::Starting => {}
            Fate::Running => self.observe(task, TaskState::Running, nature),
            Fate::Ended(_) if is_forgotten => self.tell_stopped(&task.0, nature),
            Fate::Ended(end) => self.observe(task, end, nature),
        }
    }

    /// It finds a task in a state: that is reported until acknowledged, unless it is no news.
    fn observe(&mut self, task: &TaskName, state: TaskState, nature: &mut Nature) {
        let update = new_update(nature);
        let Some(known) = self.disk.tasks.get_mut(task) else { return };
        if known.state.is_terminal() || known.state == state {
            return;
        }
        known.state = state;
        let status = Status {
            source: Source::Agent,
            update: Some(update),
            ..Status::by_master(state, Reason(0), "observed", Time(EPOCH_MS + nature.now))
        };
        known.updates.push_back(Arc::new(status));
        if known.updates.len() == 1 {
            self.report(task, nature);
        }
    }

    fn report(&mut self, task: &TaskName, nature: &mut Nature) {
        let (Some(session), Some(agent)) = (self.connection.ready(), self.disk.id) else { return };
        let Some(known) = self.disk.tasks.get_mut(task) else { return };
        let Some(status) = known.updates.front().cloned() else { return };
        known.sent_at = nature.now;
        let update = Update {
            agent,
            session,
            framework: task.0.clone(),
            task: task.1.clone(),
            executor: known.executor.clone(),
            status,
            latest: known.state,
        };
        send(session, update.into(), nature);
    }

    fn acknowledged(&mut self, task: &TaskName, update: UpdateId, nature: &mut Nature) {
        let finding = nature.oracle.updates.heard(&task.0, update, nature.oracle.state());
        nature.oracle.judge(finding);
        let Some(known) = self.disk.tasks.get_mut(task) else { return };
        if known.updates.front().and_then(|front| front.update) != Some(update) {
            return;
        }
        known.updates.pop_front();
        if known.updates.is_empty() && known.state.is_terminal() {
            self.disk.tasks.remove(task);
            self.containers.all.remove(task);
        } else {
            self.report(task, nature);
        }
    }

    fn end_executor(
        &mut self,
        framework: &Arc<str>,
        executor: &ExecutorId,
        end: TaskState,
        nature: &mut Nature,
    ) {
        if !self.disk.executors.remove(&(framework.clone(), executor.clone())) {
            return;
        }
        for task in self.containers.of_executor(framework, executor) {
            if let Some(container) = self.containers.all.get_mut(&task) {
                container.fate = Fate::Ended(end);
            }
            self.observe(&task, end, nature);
        }
        if let (Some(session), Some(agent)) = (self.connection.ready(), self.disk.id) {
            let (framework, executor) = (framework.clone(), executor.clone());
            let exited = ExecutorExited { agent, session, framework, executor, status: -1 };
            send(session, exited.into(), nature);
        }
    }

    /// All of a framework is to end, and only that it has is said.
    fn shut_down(&mut self, framework: &Arc<str>, nature: &mut Nature) {
        nature.note(format_args!("agent {} shuts framework {framework} down", self.number));
        self.disk.tasks.retain(|task, _| task.0 != *framework);
        self.disk.executors.retain(|executor| executor.0 != *framework);
        self.containers.end_framework(self.number, framework, nature);
        self.stopping.insert(framework.clone());
        self.tell_stopped(framework, nature);
    }

    /// Says that nothing of a framework runs, if that is so and the leader waits to hear it.
    fn tell_stopped(&mut self, framework: &Arc<str>, nature: &mut Nature) {
        if self.running().contains(framework) || !self.stopping.remove(framework) {
            return;
        }
        if let (Some(session), Some(agent)) = (self.connection.ready(), self.disk.id) {
            let framework = framework.clone();
            send(session, Stopped { agent, session, framework }.into(), nature);
        }
    }

    /// The master asks for a task that it does not have (semantics 226).
    fn drop_unknown(&mut self, task: &TaskName, nature: &mut Nature) {
        if self.disk.tasks.contains_key(task) {
            return;
        }
        let known = Known {
            state: TaskState::Staging,
            executor: None,
            updates: VecDeque::new(),
            sent_at: 0,
        };
        self.disk.tasks.insert(task.clone(), known);
        self.observe(task, TaskState::Dropped, nature);
    }
}

fn send(session: Session, command: Command, nature: &mut Nature) {
    nature.send(Request { session, command, call: None });
}

fn new_update(nature: &mut Nature) -> UpdateId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&nature.dice.roll().to_be_bytes());
    bytes[8..].copy_from_slice(&nature.dice.roll().to_be_bytes());
    UpdateId(bytes)
}
