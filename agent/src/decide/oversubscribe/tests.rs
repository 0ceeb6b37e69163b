//! Tests of what is lent out and taken back.

use protocol::agents::{FromAgent, Hello, Launch, Welcome, to_agent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::histories::settings;
use super::super::live::Live;
use super::super::{Input, Settings};
use super::*;
use crate::checkpoint::state::State;
use crate::containerizer::LaunchError;
use crate::containerizer::recover::Recovered;
use crate::shim::process::Process;

/// An agent without a disk, and what it has said.
struct Agent {
    state: State,
    live: Live,
    settings: Settings,
    effects: Vec<Effect>,
}

impl Agent {
    fn new() -> Self {
        let (state, live, effects) = (State::default(), Live::default(), Vec::new());
        Self { state, live, settings: settings(), effects }
    }

    fn decide(&mut self, decision: impl FnOnce(&mut Turn<'_>)) {
        let now = Instant::now();
        let mut turn = Turn::new(&mut self.state, &mut self.live, &self.settings, now, 0.0);
        decision(&mut turn);
        self.effects.extend(turn.effects);
    }

    fn take(&mut self, input: Input) {
        self.decide(|turn| turn.take(input));
    }

    fn greet(&mut self) -> Hello {
        let (reply, mut hello) = oneshot::channel();
        self.take(Input::Greeting { reply });
        let greeted = self.effects.pop();
        let Some(Effect::Greet(reply, said)) = greeted else { panic!("a greeting: {greeted:?}") };
        reply.send(said).expect("awaited");
        *hello.try_recv().expect("said")
    }

    fn welcome(&mut self) {
        let (agent_id, cluster_id) = ("a".to_owned(), "c".to_owned());
        let welcome = Welcome { cluster_id, agent_id, term: 1, ..Welcome::default() };
        let (outbound, _) = mpsc::channel::<FromAgent>(1);
        let (reply, _) = oneshot::channel();
        self.take(Input::Welcomed { welcome, outbound, reply });
    }

    /// Launches the command task `t`; its executor and container.
    fn launch(&mut self, is_aware: bool) -> Correction {
        use v1::framework_info::{Capability, capability::Type};
        let aware = is_aware.then_some(Capability { r#type: Some(Type::PartitionAware.into()) });
        let framework = v1::FrameworkInfo {
            id: Some("f".into()),
            capabilities: aware.into_iter().collect(),
            ..Default::default()
        };
        let task = v1::TaskInfo {
            task_id: "t".into(),
            command: Some(v1::CommandInfo::default()),
            resources: lent("cpus:1"),
            ..Default::default()
        };
        let launch = Launch {
            index: 1,
            framework: Some(framework),
            task: Some(task),
            starts_executor: Some(true),
        };
        self.take(Input::Directive(Box::new(to_agent::Message::Launch(launch))));
        let (executor, container_id) = self.state.containers().pop().expect("a container");
        Correction { executor, container_id }
    }

    fn start(&mut self, it: &Correction) {
        let (executor, container_id) = (it.executor.clone(), it.container_id.clone());
        self.take(Input::Started { executor, container_id, process: process() });
    }

    fn exit(&mut self, it: &Correction, exit: Exit) {
        let (executor, container_id) = (it.executor.clone(), it.container_id.clone());
        self.take(Input::Exited { executor, container_id, exit });
    }

    /// The process starts anew, and finds the container running.
    fn restart(&mut self, it: &Correction) {
        self.live = Live::default();
        self.effects.clear();
        let found = Recovered::Adopted { process: Some(process()) };
        self.decide(|turn| turn.take_up(&it.executor, &it.container_id, found));
    }

    /// How often it had a container killed at once.
    fn kills(&self) -> usize {
        let is_kill =
            |effect: &&Effect| matches!(effect, Effect::Kill { grace, .. } if grace.is_zero());
        self.effects.iter().filter(is_kill).count()
    }

    /// The last thing it has to say of `t`.
    fn told(&self) -> v1::TaskStatus {
        let task = self.state.tasks.values().next().expect("a task");
        task.unacknowledged.back().expect("an update").0.clone()
    }

    /// Estimates that it sent by themselves.
    fn estimates(&mut self) -> Vec<Vec<v1::Resource>> {
        let sent = std::mem::take(&mut self.effects).into_iter();
        sent.filter_map(|effect| match effect {
            Effect::Send(message) => match *message {
                from_agent::Message::Oversubscribed(told) => Some(told.resources),
                _ => None,
            },
            _ => None,
        })
        .collect()
    }
}

fn process() -> Process {
    Process { pid: 1, start_time_ticks: 1 }
}

fn killed() -> Exit {
    Exit { status: Some(9), killed: Some(Killed::Ordered), ..Exit::default() }
}

fn lent(text: &str) -> Vec<v1::Resource> {
    let mut resources = protocol::resource::parse(text, "*").expect("resources");
    for resource in &mut resources {
        resource.revocable = Some(v1::resource::RevocableInfo::default());
    }
    resources
}

fn check_end(agent: &Agent, state: v1::TaskState, preempted: bool) {
    let told = agent.told();
    let reason = preempted.then_some(Reason::ContainerPreempted.into());
    assert_eq!((told.state(), told.reason), (state, reason), "{told:?}");
    let source =
        if preempted { v1::task_status::Source::Agent } else { v1::task_status::Source::Executor };
    assert_eq!(told.source(), source);
}

/// The end of a container that was taken back is told as such, once, whoever sees it.
#[test]
fn a_container_that_is_taken_back_is_preempted() {
    for (is_aware, state) in [(true, v1::TaskState::TaskGone), (false, v1::TaskState::TaskLost)] {
        for restarts in [false, true] {
            let mut agent = Agent::new();
            let it = agent.launch(is_aware);
            agent.start(&it);
            agent.take(Input::Corrected(vec![it.clone()]));
            agent.take(Input::Corrected(vec![it.clone()]));
            assert_eq!((agent.kills(), agent.live.counts.executors_preempted), (1, 1));
            if restarts {
                agent.restart(&it);
                assert_eq!(agent.kills(), 1, "an earlier run's wish");
            }
            agent.exit(&it, killed());
            check_end(&agent, state, true);
        }
    }
}

#[test]
fn what_ended_by_itself_before_is_told_as_it_is() {
    let mut agent = Agent::new();
    let it = agent.launch(true);
    agent.start(&it);
    agent.take(Input::Corrected(vec![it.clone()]));
    agent.exit(&it, Exit { status: Some(0), killed: None, ..Exit::default() });
    check_end(&agent, v1::TaskState::TaskFinished, false);
}

#[test]
fn a_kill_that_nobody_asked_for_is_no_preemption() {
    let mut agent = Agent::new();
    let it = agent.launch(true);
    agent.start(&it);
    agent.exit(&it, killed());
    check_end(&agent, v1::TaskState::TaskKilled, false);
}

#[test]
fn a_container_is_taken_back_before_it_runs() {
    let mut agent = Agent::new();
    let it = agent.launch(true);
    agent.take(Input::Corrected(vec![it.clone()]));
    let (executor, container_id) = (it.executor.clone(), it.container_id.clone());
    let error = LaunchError::Cancelled;
    agent.take(Input::NotLaunched { executor, container_id, error });
    check_end(&agent, v1::TaskState::TaskGone, true);
    let mut agent = Agent::new();
    let it = agent.launch(true);
    agent.take(Input::Corrected(vec![it.clone()]));
    agent.decide(|turn| turn.take_up(&it.executor, &it.container_id, Recovered::NeverRan));
    check_end(&agent, v1::TaskState::TaskGone, true);
}

#[test]
fn containers_that_are_gone_are_nobodys_to_take_back() {
    let mut agent = Agent::new();
    let it = agent.launch(true);
    agent.start(&it);
    agent.exit(&it, Exit { status: Some(0), killed: None, ..Exit::default() });
    agent.take(Input::Corrected(vec![it]));
    assert_eq!((agent.kills(), agent.live.counts.executors_preempted), (0, 0));
}

#[test]
fn each_leader_hears_the_newest_estimate_once() {
    let mut agent = Agent::new();
    agent.take(Input::Estimated(lent("cpus:1")));
    assert_eq!(agent.greet().oversubscribed, lent("cpus:1"));
    agent.welcome();
    assert!(agent.estimates().is_empty(), "the Hello said so");
    agent.take(Input::Estimated(lent("cpus:1")));
    assert!(agent.estimates().is_empty(), "no news");
    agent.take(Input::Estimated(Vec::new()));
    assert_eq!(agent.estimates(), [Vec::new()]);
    agent.take(Input::Disconnected);
    assert_eq!(agent.greet().oversubscribed, []);
    agent.take(Input::Estimated(lent("cpus:2")));
    agent.welcome();
    assert_eq!(agent.estimates(), [lent("cpus:2")], "it came between Hello and Welcome");
}
