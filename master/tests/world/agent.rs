//! An agent that the test plays.

use protocol::agents::{
    FromAgent, Hello, Launch, LaunchGroup, Pong, TaskReport, ToAgent, Update, Welcome, from_agent,
    to_agent,
};
use protocol::rpc;
use protocol::v1::{AgentInfo, TaskState, TaskStatus, agent_info, task_status};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::DEADLINE;

/// An agent with a session.
pub struct Agent {
    pub id: String,
    pub welcome: Welcome,
    sender: mpsc::Sender<FromAgent>,
    receiver: Streaming<ToAgent>,
    updates: u8,
}

/// What an agent with these resources says at first.
pub fn hello(resources: &str) -> Hello {
    let capability =
        |it: agent_info::capability::Type| agent_info::Capability { r#type: Some(it as i32) };
    Hello {
        version: rpc::VERSION,
        info: Some(AgentInfo {
            hostname: "localhost".to_owned(),
            port: Some(5051),
            resources: protocol::resource::parse(resources, "*").expect("resources"),
            ..AgentInfo::default()
        }),
        agent_version: "0.1.0".to_owned(),
        capabilities: vec![
            capability(agent_info::capability::Type::MultiRole),
            capability(agent_info::capability::Type::HierarchicalRole),
            capability(agent_info::capability::Type::ReservationRefinement),
            capability(agent_info::capability::Type::ResizeVolume),
            capability(agent_info::capability::Type::AgentOperationFeedback),
            capability(agent_info::capability::Type::AgentDraining),
            capability(agent_info::capability::Type::TaskResourceLimits),
        ],
        ..Hello::default()
    }
}

impl Agent {
    /// Says hello, and gives the first answer.
    pub async fn try_connect(
        address: &str,
        hello: Hello,
    ) -> (mpsc::Sender<FromAgent>, Streaming<ToAgent>, Option<to_agent::Message>) {
        let mut client = rpc::agents_client(rpc::channel(address, None).expect("an address"));
        let (sender, receiver) = mpsc::channel(64);
        let hello = FromAgent { message: Some(from_agent::Message::Hello(hello)) };
        sender.send(hello).await.expect("room");
        let answers = client.session(ReceiverStream::new(receiver)).await;
        let mut answers = answers.expect("a session").into_inner();
        let first = tokio::time::timeout(DEADLINE, answers.message()).await.expect("in time");
        let first = first.expect("an answer").and_then(|first| first.message);
        (sender, answers, first)
    }

    /// Says hello, and waits to be welcome.
    pub async fn connect(address: &str, hello: Hello) -> Self {
        let (sender, receiver, first) = Self::try_connect(address, hello).await;
        let Some(to_agent::Message::Welcome(welcome)) = first else { panic!("{first:?}") };
        Self { id: welcome.agent_id.clone(), welcome, sender, receiver, updates: 0 }
    }

    /// Sends a message.
    pub async fn say(&self, message: from_agent::Message) {
        self.sender.send(FromAgent { message: Some(message) }).await.expect("a session");
    }

    /// The next directive; pings are answered, totals of resources passed over.
    pub async fn next(&mut self) -> Option<to_agent::Message> {
        loop {
            match self.any().await? {
                to_agent::Message::Resources(_) => {}
                other => return Some(other),
            }
        }
    }

    /// The number of the newest directive that tells its resources, after which they hold a
    /// reservation.
    pub async fn reserved(&mut self) -> u64 {
        loop {
            match self.any().await.expect("the stream goes on") {
                to_agent::Message::Resources(told)
                    if told.total.iter().any(|it| !it.reservations.is_empty()) =>
                {
                    return told.index;
                }
                _ => {}
            }
        }
    }

    async fn any(&mut self) -> Option<to_agent::Message> {
        loop {
            let next = tokio::time::timeout(DEADLINE, self.receiver.message()).await;
            match next.expect("a directive in time").ok()??.message? {
                to_agent::Message::Ping(_) => self.say(from_agent::Message::Pong(Pong {})).await,
                other => return Some(other),
            }
        }
    }

    /// The next directive, which must be a launch.
    pub async fn launch(&mut self) -> Launch {
        match self.next().await {
            Some(to_agent::Message::Launch(launch)) => launch,
            other => panic!("expected a launch, got {other:?}"),
        }
    }

    /// The next directive, which must be the launch of a group.
    pub async fn launch_group(&mut self) -> LaunchGroup {
        match self.next().await {
            Some(to_agent::Message::LaunchGroup(launch)) => launch,
            other => panic!("expected the launch of a group, got {other:?}"),
        }
    }

    /// Reports a state of a launched task.
    pub async fn report(&mut self, launch: &Launch, state: TaskState) {
        self.updates += 1;
        let task = launch.task.as_ref().expect("a task");
        let framework = launch.framework.as_ref().expect("a framework");
        let framework_id = framework.id.as_ref().expect("an id").value.clone();
        let status = TaskStatus {
            task_id: task.task_id.clone(),
            state: state as i32,
            source: Some(task_status::Source::Executor as i32),
            agent_id: Some(self.id.as_str().into()),
            executor_id: Some(task.task_id.value.as_str().into()),
            timestamp: Some(1.5),
            uuid: Some(uuid(self.updates)),
            ..TaskStatus::default()
        };
        let latest_state = status.state;
        let update = Update { framework_id, status: Some(status), latest_state };
        self.say(from_agent::Message::Update(update)).await;
    }
}

/// What an agent reports of a task that it took.
pub fn report(launch: &Launch, state: TaskState) -> TaskReport {
    let framework = launch.framework.as_ref().and_then(|it| it.id.clone()).expect("an id");
    TaskReport {
        framework_id: framework.value,
        task_id: launch.task.as_ref().expect("a task").task_id.value.clone(),
        executor_id: String::new(),
        state: state as i32,
    }
}

/// A version 4 UUID made of a number.
fn uuid(number: u8) -> Vec<u8> {
    let mut bytes = vec![number; 16];
    bytes[6] = 0x40 | number & 0x0f;
    bytes
}
