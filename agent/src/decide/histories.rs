//! Random histories: whatever comes in which order, and whenever the agent dies, the same things
//! hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use protocol::agents::{self, from_agent, to_agent};
use protocol::v1;
use tokio::time::Instant;

use super::live::Live;
use super::{Effect, Input, Settings, Turn};
use crate::checkpoint::apply::apply;
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{ExecutorKey, State, Task, TaskKey};
use crate::containerizer::LaunchError;
use crate::containerizer::recover::Recovered;
use crate::oversubscribe::Correction;
use crate::shim::process::Process;
use crate::shim::spec::{Exit, Killed};

const FRAMEWORK: &str = "f";

/// One step of a history. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// The master launches a task: on its own, or on one of two executors.
    Launch {
        executor: Option<u8>,
    },
    /// The master launches up to three tasks together, on one of two default executors or of two custom
    /// ones.
    LaunchGroup {
        executor: u8,
        is_default: bool,
        count: usize,
    },
    /// The master repeats an earlier launch.
    Repeat(usize),
    Kill(usize),
    /// The agent takes back what it lent to a container.
    Preempt(usize),
    Acknowledge(usize),
    Started(usize),
    NotLaunched(usize),
    Exited(usize, i32),
    ShutdownFramework,
    /// Everything that is waited for comes, and a second passes after it.
    Wait,
    Unknown,
    Reconnect,
    /// The master hears of the end of an executor, which may be long ago.
    HearOfEnd,
    /// The agent dies and starts again; its containers are found as they are.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::option::of(0..2_u8).prop_map(|executor| Step::Launch { executor }),
        6 => (0..2_u8, 0..4_u8, 1..4_usize).prop_map(|(executor, kind, count)| {
            Step::LaunchGroup { executor, is_default: kind > 0, count }
        }),
        1 => any::<usize>().prop_map(Step::Repeat),
        2 => any::<usize>().prop_map(Step::Kill),
        1 => any::<usize>().prop_map(Step::Preempt),
        8 => any::<usize>().prop_map(Step::Acknowledge),
        5 => any::<usize>().prop_map(Step::Started),
        1 => any::<usize>().prop_map(Step::NotLaunched),
        4 => (any::<usize>(), 0..3_i32).prop_map(|(which, code)| Step::Exited(which, code << 8)),
        1 => Just(Step::ShutdownFramework),
        1 => Just(Step::Wait),
        1 => Just(Step::Unknown),
        1 => Just(Step::Reconnect),
        2 => Just(Step::HearOfEnd),
        1 => Just(Step::Restart),
    ]
}

/// An agent without a disk, and the world around it.
struct World {
    state: State,
    live: Live,
    settings: Settings,
    /// What the disk would hold.
    log: Vec<Vec<u8>>,
    index: u64,
    unknown: u64,
    launches: Vec<to_agent::Message>,
    /// Custom executors that the master reckons with.
    ledger: BTreeSet<ExecutorKey>,
    /// Ends of executors that are on their way to the master.
    ended: VecDeque<ExecutorKey>,
    /// The master waits to hear that nothing of the framework runs.
    waits: bool,
    /// Containers that were asked for and have not ended; whether they run.
    containers: BTreeMap<String, (ExecutorKey, bool)>,
    /// Every container that was ever asked for.
    asked: BTreeSet<String>,
    /// Those that this run of the agent had killed.
    killed: BTreeSet<String>,
    /// Updates as the master sees them, by task.
    told: BTreeMap<TaskKey, Vec<v1::TaskStatus>>,
    now: Instant,
}

impl World {
    fn new() -> Self {
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

    fn decide(&mut self, decision: impl FnOnce(&mut Turn<'_>)) {
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

    fn see(&mut self, effect: Effect) {
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

    fn hear(&mut self, message: from_agent::Message) {
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
    fn greeted(&mut self, hello: &agents::Hello) {
        if !hello.running_frameworks.iter().any(|it| it == FRAMEWORK) {
            self.stopped();
        }
    }

    /// The agent says that nothing of the framework runs: others may get what it had.
    fn stopped(&mut self) {
        assert!(self.containers.is_empty(), "what has stopped has no containers");
        self.waits = false;
    }

    fn shut_framework_down(&mut self) {
        self.waits = true;
        self.say(to_agent::Message::ShutdownFramework(agents::ShutdownFramework {
            framework_id: FRAMEWORK.to_owned(),
            // it counts whatever was taken before
            index: 0,
        }));
    }

    fn running(&self) -> impl Iterator<Item = &ExecutorKey> {
        let executors = self.state.executors.iter();
        let custom = executors.filter(|(_, known)| !known.has_ended && !known.is_command);
        custom.map(|(key, _)| key)
    }

    fn take(&mut self, input: Input) {
        self.decide(|turn| turn.take(input));
    }

    fn say(&mut self, message: to_agent::Message) {
        self.take(Input::Directive(Box::new(message)));
    }

    fn connect(&mut self) {
        let (reply, _) = tokio::sync::oneshot::channel();
        self.take(Input::Greeting { reply });
        let welcome = agents::Welcome {
            cluster_id: "c".to_owned(),
            agent_id: "a".to_owned(),
            term: 1,
            ..Default::default()
        };
        let (outbound, _) = tokio::sync::mpsc::channel(1);
        let (reply, _) = tokio::sync::oneshot::channel();
        self.take(Input::Welcomed { welcome, outbound, reply });
        // The Hello has said which executors run.
        self.ended.clear();
        self.ledger = self.running().cloned().collect();
        if self.waits {
            self.shut_framework_down();
        }
    }

    fn launch(&mut self, executor: Option<u8>) {
        self.index += 1;
        let mut task =
            v1::TaskInfo { task_id: format!("t{}", self.index).into(), ..Default::default() };
        let mut starts = true;
        match executor {
            Some(number) => {
                let executor_id = format!("e{number}");
                starts = self.reckon_with(&executor_id);
                let executor_id = executor_id.into();
                task.executor = Some(v1::ExecutorInfo { executor_id, ..Default::default() });
            }
            None => task.command = Some(v1::CommandInfo::default()),
        }
        let launch = to_agent::Message::Launch(agents::Launch {
            index: self.index,
            framework: Some(framework()),
            task: Some(task),
            starts_executor: Some(starts),
        });
        self.launches.push(launch.clone());
        self.say(launch);
    }

    fn launch_group(&mut self, number: u8, is_default: bool, count: usize) {
        self.index += 1;
        let task = |place: usize| {
            let more = if place == 0 { String::new() } else { format!(".{place}") };
            v1::TaskInfo { task_id: format!("t{}{more}", self.index).into(), ..Default::default() }
        };
        let tasks = (0..count).map(task).collect();
        let (kind, prefix) = if is_default {
            (v1::executor_info::Type::Default, 'p')
        } else {
            (v1::executor_info::Type::Custom, 'e')
        };
        let executor_id = format!("{prefix}{number}");
        let starts_executor = self.reckon_with(&executor_id);
        let launch = to_agent::Message::LaunchGroup(agents::LaunchGroup {
            index: self.index,
            framework: Some(framework()),
            executor: Some(v1::ExecutorInfo {
                executor_id: executor_id.into(),
                r#type: Some(kind.into()),
                ..Default::default()
            }),
            tasks,
            starts_executor,
        });
        self.launches.push(launch.clone());
        self.say(launch);
    }

    /// The master reckons with an executor from now on; whether it did not before.
    fn reckon_with(&mut self, executor_id: &str) -> bool {
        let (framework_id, executor_id) = (FRAMEWORK.to_owned(), executor_id.to_owned());
        self.ledger.insert(ExecutorKey { framework_id, executor_id })
    }

    /// The container that a number chooses, among those that run or do not yet.
    fn choose(&self, number: usize, is_running: bool) -> Option<(String, ExecutorKey)> {
        let fitting = self.containers.iter().filter(|(_, (_, runs))| *runs == is_running);
        let fitting: Vec<_> = fitting.map(|(id, (key, _))| (id.clone(), key.clone())).collect();
        fitting.get(number.checked_rem(fitting.len())?).cloned()
    }

    fn acknowledge(&mut self, number: usize) {
        let owed: Vec<_> = self
            .state
            .tasks
            .iter()
            .filter_map(|(key, task)| {
                Some((key.clone(), task.unacknowledged.front()?.uuid.clone()?))
            })
            .collect();
        let Some((key, uuid)) = number.checked_rem(owed.len()).and_then(|place| owed.get(place))
        else {
            return;
        };
        assert!(self.told.contains_key(key), "the oldest update was sent");
        self.say(to_agent::Message::Acknowledge(agents::Acknowledge {
            framework_id: key.framework_id.clone(),
            task_id: key.task_id.clone(),
            uuid: uuid.clone().into(),
        }));
    }

    fn kill(&mut self, number: usize) {
        let task_id = format!("t{}", number % (self.index as usize + 1));
        let framework_id = FRAMEWORK.to_owned();
        let key = TaskKey { framework_id: framework_id.clone(), task_id: task_id.clone() };
        // The master kills only what it believes to be there.
        if self.state.tasks.contains_key(&key) {
            self.say(to_agent::Message::Kill(agents::Kill {
                framework_id,
                task_id,
                kill_policy: None,
            }));
        }
    }

    fn preempt(&mut self, number: usize) {
        let chosen = self.choose(number, number.is_multiple_of(2));
        if let Some((container_id, executor)) = chosen {
            self.take(Input::Corrected(vec![Correction { executor, container_id }]));
        }
    }

    fn exited(&mut self, number: usize, status: i32) {
        let Some((container_id, executor)) = self.choose(number, true) else { return };
        self.containers.remove(&container_id);
        let killed = (status == 512).then_some(Killed::Ordered);
        let exit = Exit { status: Some(status), killed, ..Exit::default() };
        self.take(Input::Exited { executor, container_id, exit });
    }

    fn restart(&mut self) {
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

    fn run(&mut self, step: &Step) {
        self.now += Duration::from_millis(10);
        match *step {
            Step::Launch { executor } => self.launch(executor),
            Step::LaunchGroup { executor, is_default, count } => {
                self.launch_group(executor, is_default, count);
            }
            Step::Repeat(number) => {
                let place = number.checked_rem(self.launches.len());
                if let Some(launch) = place.and_then(|place| self.launches.get(place).cloned()) {
                    self.say(launch);
                }
            }
            Step::Kill(number) => self.kill(number),
            Step::Preempt(number) => self.preempt(number),
            Step::Acknowledge(number) => self.acknowledge(number),
            Step::Started(number) => {
                if let Some((container_id, executor)) = self.choose(number, false) {
                    self.containers.insert(container_id.clone(), (executor.clone(), true));
                    self.take(Input::Started { executor, container_id, process: process() });
                }
            }
            Step::NotLaunched(number) => {
                if let Some((container_id, executor)) = self.choose(number, false) {
                    self.containers.remove(&container_id);
                    let error = LaunchError::Program("no".to_owned());
                    self.take(Input::NotLaunched { executor, container_id, error });
                }
            }
            Step::Exited(number, status) => self.exited(number, status),
            Step::ShutdownFramework => self.shut_framework_down(),
            Step::Wait => {
                self.now += Duration::from_secs(1);
                let now = self.now;
                while let Some(timer) = self.live.timers.take_due(now) {
                    self.take(Input::Due(timer));
                }
            }
            Step::Unknown => {
                self.unknown += 1;
                self.say(to_agent::Message::Reconcile(agents::Reconcile {
                    tasks: vec![v1::TaskStatus {
                        task_id: format!("u{}", self.unknown).into(),
                        ..Default::default()
                    }],
                    framework_id: FRAMEWORK.to_owned(),
                    partition_aware: false,
                }));
            }
            Step::Reconnect => {
                self.take(Input::Disconnected);
                self.connect();
            }
            Step::HearOfEnd => {
                if let Some(key) = self.ended.pop_front() {
                    self.ledger.remove(&key);
                }
            }
            Step::Restart => self.restart(),
        }
    }

    /// Tasks of a default executor's group do not outlive one that failed or was killed.
    fn check_groups(&self) {
        let mut groups: BTreeMap<u64, Vec<(&TaskKey, &Task)>> = BTreeMap::new();
        for (key, task) in &self.state.tasks {
            if let Some(group) = task.group {
                groups.entry(group).or_default().push((key, task));
            }
        }
        for together in groups.values() {
            let is_lost =
                |task: &Task| task.is_terminal() && task.state() != v1::TaskState::TaskFinished;
            let is_any_lost = together.iter().any(|(_, task)| is_lost(task));
            for (key, task) in together.iter().filter(|(_, task)| !task.is_terminal()) {
                let executor_id = task.executor_id.clone().unwrap_or_default();
                let executor = ExecutorKey { framework_id: FRAMEWORK.to_owned(), executor_id };
                let executor = self.state.executors.get(&executor).expect("an executor");
                let Some(container_id) = executor.container_of(&key.task_id) else { continue };
                assert!(!is_any_lost || task.is_doomed, "{key:?} goes with its group");
                assert!(!task.is_doomed || self.killed.contains(container_id), "{key:?} is killed");
            }
        }
    }

    fn check(&self) {
        for (key, executor) in
            self.state.executors.iter().filter(|(_, executor)| !executor.has_ended)
        {
            let containers = executor.running_containers();
            let lingers = executor.is_default() && !executor.tasks.is_empty();
            assert!(lingers || !containers.is_empty(), "{key:?} has a container");
            for container_id in containers {
                assert!(self.containers.contains_key(&container_id), "{key:?} has its containers");
                let goes = executor.preempted.contains(&container_id);
                assert!(!goes || self.killed.contains(&container_id), "{container_id} is killed");
            }
        }
        self.check_groups();
        for key in self.running() {
            assert!(self.ledger.contains(key), "the master knows of {key:?}");
        }
        let ended: BTreeSet<_> = self.ended.iter().collect();
        for key in &self.ledger {
            let is_known = self.running().any(|running| running == key) || ended.contains(key);
            assert!(is_known, "the master hears that {key:?} does not run");
        }
        for (key, task) in &self.state.tasks {
            let executor_id = task.executor_id.clone().unwrap_or_default();
            let executor = ExecutorKey { framework_id: key.framework_id.clone(), executor_id };
            let runs = self.state.executors.get(&executor).is_some_and(|known| !known.has_ended);
            assert!(task.is_terminal() || runs, "{key:?} is over or has an executor");
            let executor = self.state.executors.get(&executor).filter(|known| known.is_default());
            let has_container = executor.is_some_and(|it| it.containers.contains_key(&key.task_id));
            assert!(
                executor.is_none() || task.is_terminal() != has_container,
                "{key:?} is contained"
            );
            assert!(self.state.frameworks.contains_key(FRAMEWORK) || task.info.is_none());
        }
    }
}

fn framework() -> v1::FrameworkInfo {
    v1::FrameworkInfo { id: Some(FRAMEWORK.into()), ..Default::default() }
}

/// Settings in which everything is short.
pub(super) fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings {
        capabilities: super::capabilities(true),
        work_dir: PathBuf::from("/w"),
        ip: "127.0.0.1".to_owned(),
        address: "127.0.0.1:5051".to_owned(),
        registration_timeout: second,
        reregistration_timeout: second,
        shutdown_grace: second,
        recovery_timeout: second,
        session_id: "s".to_owned(),
    }
}

fn process() -> Process {
    Process { pid: 1, start_time_ticks: 1 }
}

fn refold(log: &[Vec<u8>]) -> State {
    let mut state = State::default();
    for bytes in log {
        let event: Event = rmp_serde::from_slice(bytes).expect("decoded");
        apply(&mut state, &event);
    }
    state
}

/// Steps of one history.
fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..most)
}

proptest! {
    /// gaps 54
    #[test]
    fn whatever_happens_the_agent_keeps_its_word(steps in steps(80)) {
        let mut world = World::new();
        for step in steps {
            world.run(&step);
            world.check();
        }
        // Once everything has ended and all is acknowledged, nothing is left.
        for _ in 0..10_000 {
            if world.state.tasks.is_empty() && world.state.executors.is_empty() {
                break;
            }
            world.run(&Step::Started(0));
            world.run(&Step::Exited(0, 0));
            world.run(&Step::Acknowledge(0));
        }
        prop_assert_eq!(refold(&world.log), world.state.clone(), "the disk says what memory says");
        prop_assert!(world.state.tasks.is_empty() && world.state.executors.is_empty());
        prop_assert!(world.state.frameworks.is_empty());
        prop_assert!(!world.waits, "the master has heard that it has stopped");
    }

    #[test]
    fn a_compacted_log_folds_into_the_same_state(steps in steps(40)) {
        let mut world = World::new();
        for step in steps {
            world.run(&step);
        }
        let compacted = Event::Compacted(Box::new(world.state.clone()));
        let bytes = rmp_serde::to_vec_named(&compacted).expect("encoded");
        prop_assert_eq!(refold(&[bytes]), world.state);
    }
}
