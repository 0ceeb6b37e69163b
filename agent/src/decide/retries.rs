//! Tests of how long an update waits for its acknowledgement, and the next one for it.

use std::time::Duration;

use protocol::agents::{Acknowledge, Welcome, from_agent, to_agent};
use protocol::v1;
use protocol::v1::TaskState::{TaskFinished, TaskRunning};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::histories::settings;
use super::live::Live;
use super::status::News;
use super::{Effect, Input, Settings, Turn};
use crate::checkpoint::state::{State, TaskKey};

/// An agent without a disk that has one task.
struct Agent {
    state: State,
    live: Live,
    settings: Settings,
    now: Instant,
}

impl Agent {
    fn new() -> Self {
        let (state, live) = (State::default(), Live::default());
        let mut agent = Self { state, live, settings: settings(), now: Instant::now() };
        agent.connect();
        agent
    }

    /// Decides, and says which updates are sent.
    fn decide(&mut self, decision: impl FnOnce(&mut Turn<'_>)) -> Vec<v1::TaskStatus> {
        let Self { state, live, settings, now } = self;
        let mut turn = Turn::new(state, live, settings, *now, 0.0);
        decision(&mut turn);
        let update = |effect| match effect {
            Effect::Send(message) => match *message {
                from_agent::Message::Update(update) => update.status,
                _ => None,
            },
            _ => None,
        };
        turn.effects.into_iter().filter_map(update).collect()
    }

    fn connect(&mut self) -> Vec<v1::TaskStatus> {
        let (cluster_id, agent_id) = ("c".to_owned(), "a".to_owned());
        let welcome = Welcome { cluster_id, agent_id, term: 1, ..Welcome::default() };
        let ((outbound, _), (reply, _)) = (mpsc::channel(1), oneshot::channel());
        self.decide(|turn| turn.take(Input::Welcomed { welcome, outbound, reply }))
    }

    fn report(&mut self, state: v1::TaskState) -> Vec<v1::TaskStatus> {
        let task = TaskKey { framework_id: "f".to_owned(), task_id: "t".to_owned() };
        self.decide(|turn| turn.report(&task, None, News::of_command(state)))
    }

    fn acknowledge(&mut self, update: &v1::TaskStatus) -> Vec<v1::TaskStatus> {
        let acknowledge = Acknowledge {
            framework_id: "f".to_owned(),
            task_id: "t".to_owned(),
            uuid: update.uuid.clone().expect("a uuid").into(),
        };
        let message = to_agent::Message::Acknowledge(acknowledge);
        self.decide(|turn| turn.take(Input::Directive(Box::new(message))))
    }

    fn wait(&mut self, pause: Duration) -> Vec<v1::TaskStatus> {
        self.now += pause;
        let mut sent = Vec::new();
        while let Some(timer) = self.live.timers.take_due(self.now) {
            sent.extend(self.decide(|turn| turn.take(Input::Due(timer))));
        }
        sent
    }

    /// What is sent after so many seconds, and not a moment before.
    fn sent_after(&mut self, seconds: u64) -> Vec<v1::TaskStatus> {
        assert_eq!(self.wait(Duration::from_millis(seconds * 1000 - 1)), []);
        self.wait(Duration::from_millis(1))
    }
}

/// semantics 191
#[test]
fn one_update_of_a_task_is_sent_again_and_again_until_it_is_acknowledged() {
    let mut agent = Agent::new();
    let [first] = &agent.report(TaskRunning)[..] else { panic!("sent at once") };
    let first = first.clone();
    assert_eq!(agent.report(TaskFinished), [], "it waits for the one before");
    for seconds in [10, 20, 40, 80, 160, 320, 600, 600] {
        assert_eq!(agent.sent_after(seconds), std::slice::from_ref(&first));
    }
    let [second] = &agent.acknowledge(&first)[..] else { panic!("the next one goes at once") };
    let second = second.clone();
    assert_eq!(second.state(), TaskFinished);
    assert_eq!(agent.acknowledge(&first), [], "a late repetition");
    assert_eq!(agent.sent_after(10), std::slice::from_ref(&second), "it begins anew");
    assert_eq!(agent.acknowledge(&second), []);
    assert_eq!(agent.wait(Duration::from_secs(3600)), []);
    assert!(agent.state.tasks.is_empty());
}
