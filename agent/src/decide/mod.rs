//! What the agent does about what happens: inputs are decided into events and effects.
//!
//! Nothing here touches the disk, a socket or a process, and nothing waits. The loop in
//! [`crate::turns`] hands in inputs, writes the events, and only then carries out the effects.

mod acknowledge;
mod call;
mod check;
mod container;
mod ended;
mod group;
#[cfg(test)]
mod histories;
mod kill;
mod launch;
mod leave;
pub(crate) mod live;
mod oversubscribe;
mod reconcile;
pub(crate) mod recover;
mod resources;
#[cfg(test)]
mod retries;
mod session;
mod shutdown;
mod status;
mod subscribe;
mod timer;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use protocol::agents::{FromAgent, from_agent, to_agent};
use protocol::v1;
use protocol::v1::executor;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::checkpoint::apply::{Forgotten, apply};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{ExecutorKey, State};
use crate::checks::{Check, Found, Kind};
use crate::containerizer::share::Share;
use crate::containerizer::volumes::Volume;
use crate::containerizer::{Container, LaunchError};
use crate::oversubscribe::Correction;
use crate::shim::process::Process;
use crate::shim::spec::Exit;
pub(crate) use call::{Answer, Ask, ExecutorCall};
pub(crate) use live::Timer;
use live::{Live, Stream};
pub(crate) use session::{Capability, capabilities};

/// What decisions need to know that never changes while the agent runs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) work_dir: PathBuf,
    pub(crate) ip: String,
    /// ip:port under which executors reach the agent.
    pub(crate) address: String,
    pub(crate) registration_timeout: Duration,
    pub(crate) reregistration_timeout: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) recovery_timeout: Duration,
    pub(crate) session_id: String,
    pub(crate) capabilities: Vec<Capability>,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// A stream to a master is open, and its first message is due.
    Greeting { reply: oneshot::Sender<Box<protocol::agents::Hello>> },
    /// A leader has taken the agent in; what is owed to it goes to `outbound`.
    Welcomed {
        welcome: protocol::agents::Welcome,
        outbound: mpsc::Sender<FromAgent>,
        reply: oneshot::Sender<bool>,
    },
    /// The stream to the leader is gone.
    Disconnected,
    /// The leader says something.
    Directive(Box<to_agent::Message>),
    /// A container's first process runs.
    Started { executor: ExecutorKey, container_id: String, process: Process },
    /// A container could not be launched.
    NotLaunched { executor: ExecutorKey, container_id: String, error: LaunchError },
    /// A check of a task has a result; the answer is whether it is to be made again.
    Checked {
        executor: ExecutorKey,
        container_id: String,
        result: (Kind, Found),
        reply: oneshot::Sender<bool>,
    },
    /// A container has ended.
    Exited { executor: ExecutorKey, container_id: String, exit: Exit },
    /// An executor says something.
    Call { call: Box<ExecutorCall>, reply: oneshot::Sender<Answer> },
    /// An executor's stream is closed.
    Unsubscribed { executor: ExecutorKey, stream: u64 },
    /// The agent would lend out this, revocably.
    Estimated(Vec<v1::Resource>),
    /// These containers have to go for what was lent out.
    Corrected(Vec<Correction>),
    /// The operator wants the agent to leave its cluster.
    Unregister,
    /// A moment that was waited for has come.
    Due(Timer),
}

/// Why an agent ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Its operator wanted it to leave.
    Left,
    /// The master wants it gone, for this reason.
    Removed(String),
}

/// Something to be done, once everything decided so far is on disk.
#[derive(Debug)]
pub(crate) enum Effect {
    /// To the leader; dropped if there is no stream.
    Send(Box<from_agent::Message>),
    /// From now on, this is the stream to the leader.
    Attach(mpsc::Sender<FromAgent>),
    /// There is no stream to the leader.
    Detach,
    Greet(oneshot::Sender<Box<protocol::agents::Hello>>, Box<protocol::agents::Hello>),
    ConfirmWelcome(oneshot::Sender<bool>, bool),
    Launch(ExecutorKey, Box<Container>),
    /// Make these checks of a container's task.
    Check(ExecutorKey, Box<Container>, Vec<Check>),
    ConfirmCheck(oneshot::Sender<bool>, bool),
    /// A container runs already: wait for its end.
    Await(ExecutorKey, String),
    Kill {
        container_id: String,
        grace: Duration,
    },
    /// A container's resources have changed.
    Update {
        container_id: String,
        share: Share,
    },
    /// This container, which has no process of its own, is to have this for those in it.
    Share {
        container_id: String,
        share: Share,
    },
    /// Nothing of this container is needed any more but its sandbox.
    Remove {
        container_id: String,
    },
    /// To an executor's stream; one that is full is closed.
    Tell {
        executor: ExecutorKey,
        stream: Stream,
        event: Box<executor::Event>,
    },
    Answer(oneshot::Sender<Answer>, Answer),
    /// Removes these volumes with what is in them, then makes those that are missing.
    Volumes {
        remove: Vec<Volume>,
        make: Vec<Volume>,
    },
    /// The agent is to end.
    Stop(End),
}

/// One input's way from question to decision: the state it changes, and what comes out.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) live: &'a mut Live,
    pub(crate) settings: &'a Settings,
    pub(crate) now: Instant,
    /// Seconds since the epoch, for statuses.
    pub(crate) clock: f64,
    pub(crate) events: Vec<Event>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) forgotten: Vec<Forgotten>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        state: &'a mut State,
        live: &'a mut Live,
        settings: &'a Settings,
        now: Instant,
        clock: f64,
    ) -> Self {
        let (events, effects, forgotten) = (Vec::new(), Vec::new(), Vec::new());
        Self { state, live, settings, now, clock, events, effects, forgotten }
    }

    /// Decides one input.
    pub(crate) fn take(&mut self, input: Input) {
        match input {
            Input::Greeting { reply } => self.greet(reply),
            Input::Welcomed { welcome, outbound, reply } => self.welcome(welcome, outbound, reply),
            Input::Disconnected => self.disconnect(),
            Input::Directive(message) => self.direct(*message),
            Input::Started { executor, container_id, process } => {
                self.container_started(&executor, &container_id, process);
            }
            Input::NotLaunched { executor, container_id, error } => {
                self.container_not_launched(&executor, &container_id, &error);
            }
            Input::Checked { executor, container_id, result, reply } => {
                self.checked(&executor, &container_id, result, reply);
            }
            Input::Exited { executor, container_id, exit } => {
                self.container_exited(&executor, &container_id, &exit);
            }
            Input::Call { call, reply } => self.call(*call, reply),
            Input::Unsubscribed { executor, stream } => self.unsubscribed(&executor, stream),
            Input::Estimated(estimate) => self.estimated(estimate),
            Input::Corrected(corrections) => self.corrected(&corrections),
            Input::Unregister => self.unregister(),
            Input::Due(timer) => self.due(timer),
        }
    }

    fn direct(&mut self, message: to_agent::Message) {
        use to_agent::Message as M;
        match message {
            M::Launch(launch) => self.launch(launch),
            M::LaunchGroup(launch) => self.launch_group(launch),
            M::Kill(kill) => self.kill(kill),
            M::Acknowledge(acknowledge) => self.acknowledge(acknowledge),
            M::FrameworkMessage(message) => self.framework_message(message),
            M::ShutdownExecutor(shutdown) => self.shutdown_executor(&shutdown),
            M::ShutdownFramework(shutdown) => self.shutdown_framework(&shutdown),
            M::Reconcile(reconcile) => self.reconcile(reconcile),
            M::Resources(resources) => self.resources(resources),
            M::FrameworkInfoChanged(changed) => self.framework_changed(changed),
            M::Ping(_) => self.send(from_agent::Message::Pong(protocol::agents::Pong {})),
            M::Refused(refused) => self.refused(&refused),
            M::Unregistered(_) => self.farewell(live::Farewell::Taken),
            // The session deals with these two before anything comes here.
            M::Welcome(_) | M::NotLeader(_) => {}
        }
    }

    /// Makes an event so: in the state at once, on disk before the effects of this turn.
    fn record(&mut self, event: Event) {
        let forgotten = apply(self.state, &event);
        if forgotten != Forgotten::default() {
            self.forgotten.push(forgotten);
        }
        self.events.push(event);
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn send(&mut self, message: from_agent::Message) {
        self.effect(Effect::Send(Box::new(message)));
    }

    fn confirm(&mut self, index: u64) {
        self.send(from_agent::Message::Confirm(protocol::agents::Confirm { index }));
    }
}
