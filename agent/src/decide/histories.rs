//! Random histories: whatever comes in which order, and whenever the agent dies, the same things
//! hold.

mod check;
mod master;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use protocol::agents::{self, to_agent};
use protocol::v1;

use self::world::{World, process, refold};
use super::{Input, Settings};
use crate::checkpoint::event::Event;
use crate::containerizer::LaunchError;
use crate::oversubscribe::Correction;

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

impl World {
    fn preempt(&mut self, number: usize) {
        let chosen = self.choose(number, number.is_multiple_of(2));
        if let Some((container_id, executor)) = chosen {
            self.take(Input::Corrected(vec![Correction { executor, container_id }]));
        }
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

/// Steps of one history.
fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..most)
}

proptest! {
    /// gaps 51 and 54
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
