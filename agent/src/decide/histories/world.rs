//! An agent without a disk, what runs on its machine, and what was heard of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::agents::{self, from_agent, to_agent};
use protocol::v1;
use tokio::time::Instant;

use super::super::live::Live;
use super::super::{Effect, Input, Settings, Turn};
use super::{FRAMEWORK, settings};
use crate::checkpoint::apply::apply;
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{ExecutorKey, State, TaskKey};
use crate::containerizer::recover::Recovered;
use crate::shim::process::Process;
use crate::shim::spec::{Exit, Killed};

/// An agent without a disk, and the world around it.
pub(super) struct World {
    pub(super) state: State,
    pub(super) live: Live,
    pub(super) settings: Settings,
    /// What the disk would hold.
    pub(super) log: Vec<Vec<u8>>,
    pub(super) index: u64,
    pub(super) unknown: u64,
    pub(super) launches: Vec<to_agent::Message>,
    /// Custom executors that the master reckons with.
    pub(super) ledger: BTreeSet<ExecutorKey>,
    /// Ends of executors that are on their way to the master.
    pub(super) ended: VecDeque<ExecutorKey>,
    /// The master waits to hear that nothing of the framework runs.
    pub(super) waits: bool,
    /// Containers that were asked for and have not ended; whether they run.
    pub(super) containers: BTreeMap<String, (ExecutorKey, bool)>,
    /// Every container that was ever asked for.
    pub(super) asked: BTreeSet<String>,
    /// Those that this run of the agent had killed.
    pub(super) killed: BTreeSet<String>,
    /// Updates as the master sees them, by task.
    pub(super) told: BTreeMap<TaskKey, Vec<v1::TaskStatus>>,
    pub(super) now: Instant,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            live: Live::default(),
            settings: settings(),
            log: Vec::new(),
            index: 0,
            unknown: 0,
            launches: Vec::new(),
            ledger: BTreeSet::new(),
            ended: VecDeque::new(),
            waits: false,
            containers: BTreeMap::new(),
            asked: BTreeSet::new(),
            killed: BTreeSet::new(),
            told: BTreeMap::new(),
            now: Instant::now(),
        };
        world.decide(|turn| turn.start("boot", &v1::AgentInfo::default()));
        world.connect();
        world
    }

    pub(super) fn decide(&mut self, decision: impl FnOnce(&mut Turn<'_>)) {
        let Self { state, live, settings, now, .. } = self;
        let mut turn = Turn::new(state, live, settings, *now, 0.0);
        decision(&mut turn);
        let (events, effects) = (turn.events, turn.effects);
        let encoded = events.iter().map(|event| rmp_serde::to_vec_named(event).expect("encoded"));
        self.log.extend(encoded);
        for effect in effects {
            self.see(effect);
        }
    }

    pub(super) fn see(&mut self, effect: Effect) {
        match effect {
            Effect::Launch(executor, container) => {
                assert!(self.asked.insert(container.id.clone()), "a container is made once");
                self.containers.insert(container.id, (executor, false));
            }
            Effect::Kill { container_id, .. } => {
                self.killed.insert(container_id);
            }
            Effect::Send(message) => self.hear(*message),
            Effect::Greet(_, hello) => self.greeted(&hello),
            _ => {}
        }
    }

    pub(super) fn hear(&mut self, message: from_agent::Message) {
        match message {
            from_agent::Message::Update(update) => {
                let status = update.status.expect("a status");
                let framework_id = update.framework_id;
                let key = TaskKey { framework_id, task_id: status.task_id.value.clone() };
                let told = self.told.entry(key).or_default();
                if told.iter().all(|known| known.uuid != status.uuid) {
                    let last = told.last().map(v1::TaskStatus::state);
                    let is_over = last.is_some_and(v1::TaskState::is_terminal);
                    assert!(!is_over, "nothing comes after an end");
                    told.push(status);
                }
            }
            from_agent::Message::ExecutorExited(exited) => {
                let agents::ExecutorExited { framework_id, executor_id, .. } = exited;
                self.ended.push_back(ExecutorKey { framework_id, executor_id });
            }
            from_agent::Message::FrameworkStopped(_) => self.stopped(),
            _ => {}
        }
    }

    /// The agent says what runs before a new leader takes it in.
    pub(super) fn greeted(&mut self, hello: &agents::Hello) {
        if !hello.running_frameworks.iter().any(|it| it == FRAMEWORK) {
            self.stopped();
        }
    }

    /// The agent says that nothing of the framework runs: others may get what it had.
    pub(super) fn stopped(&mut self) {
        assert!(self.containers.is_empty(), "what has stopped has no containers");
        self.waits = false;
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &ExecutorKey> {
        let executors = self.state.executors.iter();
        let custom = executors.filter(|(_, known)| !known.has_ended && !known.is_command);
        custom.map(|(key, _)| key)
    }

    pub(super) fn take(&mut self, input: Input) {
        self.decide(|turn| turn.take(input));
    }

    /// The container that a number chooses, among those that run or do not yet.
    pub(super) fn choose(&self, number: usize, is_running: bool) -> Option<(String, ExecutorKey)> {
        let fitting = self.containers.iter().filter(|(_, (_, runs))| *runs == is_running);
        let fitting: Vec<_> = fitting.map(|(id, (key, _))| (id.clone(), key.clone())).collect();
        fitting.get(number.checked_rem(fitting.len())?).cloned()
    }

    pub(super) fn exited(&mut self, number: usize, status: i32) {
        let Some((container_id, executor)) = self.choose(number, true) else { return };
        self.containers.remove(&container_id);
        let killed = (status == 512).then_some(Killed::Ordered);
        let exit = Exit { status: Some(status), killed, ..Exit::default() };
        self.take(Input::Exited { executor, container_id, exit });
    }

    pub(super) fn restart(&mut self) {
        let before = std::mem::replace(&mut self.state, refold(&self.log));
        assert_eq!(before, self.state, "the disk says what memory says");
        self.live = Live::default();
        self.killed.clear();
        let running = self.state.containers();
        self.decide(|turn| turn.start("boot", &v1::AgentInfo::default()));
        for (key, container_id) in running {
            // What was not started when the agent died is given up, and made anew.
            let is_running = self.containers.get(&container_id).is_some_and(|(_, runs)| *runs);
            let found = if is_running {
                Recovered::Adopted { process: Some(process()) }
            } else {
                self.containers.remove(&container_id);
                Recovered::NeverRan
            };
            self.decide(|turn| turn.take_up(&key, &container_id, found));
        }
        self.connect();
    }
}

pub(super) fn process() -> Process {
    Process { pid: 1, start_time_ticks: 1 }
}

pub(super) fn refold(log: &[Vec<u8>]) -> State {
    let mut state = State::default();
    for bytes in log {
        let event: Event = rmp_serde::from_slice(bytes).expect("decoded");
        apply(&mut state, &event);
    }
    state
}
