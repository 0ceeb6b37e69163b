//! Everything that can happen in a simulation: one closed list, so that a run can be read.

use std::fmt;
use std::sync::Arc;

use statemachine::{
    AgentId, Command, Directive, FrameworkId, FrameworkMessage, Session, TaskId, TaskState,
};

use crate::cluster::{Message, Node};

/// A process or machine that can be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A master.
    Master(Node),
    /// An agent.
    Agent(u8),
    /// A scheduler.
    Scheduler(u8),
}

/// How often a process has been started: news for an earlier life is lost.
pub type Life = u32;

/// A task as agents know it: the framework's wire id and the task's own.
pub type TaskName = (Arc<str>, TaskId);

/// Stands for the connections of operators' calls, which nothing else depends on.
pub const OPERATOR: Session = Session(0);

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The next action of the plan.
    Act(usize),
    /// All faults end: from now on everything must come to its end.
    Calm,
    /// A process starts (again).
    Start(Place),
    /// A cut in the network is mended.
    Mend(u64),
    /// A process looks at its timers.
    Beat(Place, Life),
    /// A leader takes what is in its inbox.
    Turn(Node, Life),
    /// Entries are durable at a master.
    Synced {
        /// Where.
        master: Node,
        /// In which life.
        life: Life,
        /// Of the log.
        generation: u64,
        /// How many entries.
        upto: usize,
        /// The leader that waits for the news, and its term.
        answer: Option<(Node, u64)>,
    },
    /// A message between masters arrives.
    Raft {
        /// From whom.
        from: Node,
        /// To whom.
        to: Node,
        /// What.
        message: Message,
    },
    /// A request arrives at a master.
    Ask {
        /// Where.
        master: Node,
        /// What.
        request: Box<Request>,
    },
    /// Something arrives at the client's end of a stream.
    Tell(Session, ToClient),
    /// One end of a stream notices that it is over.
    Ended(Session, End),
    /// A scheduler hears what became of a call.
    Answer {
        /// Who called.
        scheduler: u8,
        /// In which life.
        life: Life,
        /// Which call.
        call: u64,
        /// 202, or else.
        taken: bool,
    },
    /// A container's process is up.
    Running(u8, TaskName, u64),
    /// A container's process ends.
    Exit(u8, TaskName, u64, TaskState),
    /// A scheduler wants offers again.
    Revive(u8),
    /// The operator looks at the cluster.
    Operate,
}

/// An end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The agent's or scheduler's.
    Client,
    /// The master's.
    Master,
}

/// What a client asks of a master.
#[derive(Clone, Debug)]
pub struct Request {
    /// The stream it comes over or, for a scheduler's call, names.
    pub session: Session,
    /// What.
    pub command: Command,
    /// Set for calls of schedulers, which come over connections of their own.
    pub call: Option<Call>,
}

/// A scheduler's call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Who calls.
    pub scheduler: u8,
    /// In which life.
    pub life: Life,
    /// As which framework.
    pub framework: FrameworkId,
    /// Which call.
    pub number: u64,
}

/// What a client hears over its stream.
#[derive(Clone, Debug)]
pub enum ToClient {
    /// This master does not lead; perhaps that one does. The stream is closed.
    NotLeader(Option<Node>),
    /// The framework is subscribed.
    Subscribed(FrameworkId, Arc<str>),
    /// The agent is registered, by the leader of this term.
    Welcome(AgentId, u64),
    /// The request that opened the stream was refused. The stream is closed.
    Refused(Arc<str>),
    /// A message to a scheduler.
    Event(FrameworkMessage),
    /// A directive to an agent, with the wire id of the framework that it names.
    Directive(Directive, Option<Arc<str>>),
}

impl fmt::Display for ToClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader(hint) => write!(f, "NotLeader, {hint:?}"),
            Self::Subscribed(id, wire_id) => write!(f, "Subscribed {id} {wire_id}"),
            Self::Welcome(id, term) => write!(f, "Welcome {id} in term {term}"),
            Self::Refused(text) => write!(f, "Refused: {text}"),
            Self::Event(event) => show_event(event, f),
            Self::Directive(directive, _) => show_directive(directive, f),
        }
    }
}

fn show_event(event: &FrameworkMessage, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match event {
        FrameworkMessage::Offers(offers) => {
            let ids: Vec<_> = offers.iter().map(|offer| (offer.id.0, offer.agent.0)).collect();
            write!(f, "Offers {ids:?}")
        }
        FrameworkMessage::InverseOffers(offers) => write!(f, "InverseOffers {}", offers.len()),
        FrameworkMessage::InverseRescinded(offer) => write!(f, "InverseRescinded {offer}"),
        FrameworkMessage::Rescinded(offer) => write!(f, "Rescinded {offer}"),
        FrameworkMessage::Updated(update) => {
            let (state, reason) = (update.status.state, update.status.reason.map(|it| it.0));
            write!(f, "Updated {} {state:?} {reason:?}", update.task)
        }
        FrameworkMessage::OperationUpdated(update) => {
            write!(f, "OperationUpdated {} {:?}", update.operation, update.state)
        }
        FrameworkMessage::Failed { agent, executor } => write!(f, "Failed {agent} {executor:?}"),
        FrameworkMessage::Message { .. } => write!(f, "Message"),
        FrameworkMessage::Failure(text) => write!(f, "Failure: {text}"),
        FrameworkMessage::Closed => write!(f, "Closed"),
    }
}

fn show_directive(directive: &Directive, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match directive {
        Directive::Launch(task, _) => write!(f, "Launch {} as {}", task.key.task, task.launched),
        Directive::LaunchGroup(tasks, _) => {
            let ids: Vec<_> = tasks.iter().map(|task| &task.key.task).collect();
            write!(f, "LaunchGroup {ids:?}")
        }
        Directive::Kill { task, .. } => write!(f, "Kill {task}"),
        Directive::Acknowledge { task, .. } => write!(f, "Acknowledge {task}"),
        Directive::Message { .. } => write!(f, "Message"),
        Directive::ShutdownExecutor { framework, executor, .. } => {
            write!(f, "ShutdownExecutor {executor} of {framework}")
        }
        Directive::ShutdownFramework { framework, .. } => {
            write!(f, "ShutdownFramework {framework}")
        }
        Directive::FrameworkChanged(framework) => write!(f, "FrameworkChanged {framework}"),
        Directive::Reconcile { tasks, .. } => write!(f, "Reconcile {tasks:?}"),
        Directive::Leave { reason } => write!(f, "Leave: {reason}"),
        Directive::Resources { total, .. } => write!(f, "Resources {total}"),
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.command.name())?;
        match &self.command {
            Command::Update(update) => {
                write!(f, " {} {:?}, now {:?}", update.task, update.status.state, update.latest)
            }
            Command::Acknowledge(acknowledge) => write!(f, " {}", acknowledge.task),
            Command::Kill(kill) => write!(f, " {}", kill.task),
            Command::RegisterAgent(hello) => {
                let (launch, tasks) = (hello.last_launch, hello.tasks.len());
                write!(f, " {:?}, {tasks} tasks, launches to {launch}", hello.agent)
            }
            _ => Ok(()),
        }?;
        write!(f, " on {}", self.session)
    }
}
