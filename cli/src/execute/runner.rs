//! One task from subscription to its end, across changes of leader.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use protocol::v1::scheduler::{Call, Event, event};
use protocol::v1::task_status::Reason;
use protocol::v1::{
    FrameworkId, FrameworkInfo, Offer, OfferId, TaskId, TaskInfo, TaskState, TaskStatus,
};
use tokio::time::sleep;

use super::work::Work;
use super::{exit_status, framework, offers};
use crate::client::{Address, EventStream, Leader, Sandbox, StreamError, Subscription};
use crate::exit;
use crate::interrupt::Interrupts;
use crate::say::say;

/// How long we look for a leader, at the start and whenever it is gone.
const LEADER_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at the task's output.
const OUTPUT_PAUSE: Duration = Duration::from_millis(50);

/// How far the task is.
enum Phase {
    /// No offer was large enough yet.
    Waiting,
    /// We asked for its launch and do not know whether the master heard it.
    Asked(Address),
    /// It was launched on the agent with this address.
    Launched(Address),
}

struct Runner<'a> {
    work: &'a Work,
    command: &'a [String],
    info: FrameworkInfo,
    task_id: TaskId,
    phase: Phase,
    sandbox: Option<Sandbox>,
    has_complained: bool,
    interrupts: Interrupts,
}

/// Why one subscription is over.
enum End {
    /// The task has ended.
    Task(TaskState, String),
    /// This signal asks us to end.
    Interrupted(u8),
    /// The stream is broken; another subscription goes on.
    Stream(StreamError),
}

/// Runs a command as a task, copying its output to ours. Gives the exit code that says how it ended.
pub(crate) async fn run(
    masters: &[Address],
    work: &Work,
    command: &[String],
) -> anyhow::Result<ExitCode> {
    let mut runner = Runner {
        work,
        command,
        info: framework::info(work),
        task_id: TaskId { value: format!("{}-{}", work.name, uuid::Uuid::new_v4()) },
        phase: Phase::Waiting,
        sandbox: None,
        has_complained: false,
        interrupts: Interrupts::new()?,
    };
    runner.run(masters).await
}

impl Runner<'_> {
    async fn run(&mut self, masters: &[Address]) -> anyhow::Result<ExitCode> {
        let mut leader = Leader::among(masters);
        loop {
            let (subscription, mut events) = tokio::select! {
                subscribed = leader.subscribe(&self.info) => subscribed?,
                signal = self.interrupts.next() => return Ok((exit::SIGNALLED + signal).into()),
            };
            match self.follow(&subscription, &mut events).await? {
                End::Task(state, message) => {
                    self.copy_rest().await;
                    self.say_farewell(&subscription).await;
                    return Ok(self.conclude(state, &message).into());
                }
                End::Interrupted(signal) => {
                    self.say_farewell(&subscription).await;
                    return Ok((exit::SIGNALLED + signal).into());
                }
                End::Stream(error) => {
                    tracing::warn!(%error, "lost the leader, subscribing again");
                    leader = Leader::patient(masters, LEADER_PATIENCE);
                }
            }
        }
    }

    async fn follow(
        &mut self,
        subscription: &Subscription,
        events: &mut EventStream,
    ) -> anyhow::Result<End> {
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                signal = self.interrupts.next() => return Ok(End::Interrupted(signal)),
                () = sleep(OUTPUT_PAUSE), if self.sandbox.is_some() => {
                    self.copy().await?;
                    continue;
                }
            };
            match event {
                Err(error) => return Ok(End::Stream(error)),
                Ok(event) => {
                    if let Some(end) = self.handle(subscription, event).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    async fn handle(
        &mut self,
        subscription: &Subscription,
        event: Event,
    ) -> anyhow::Result<Option<End>> {
        if let Some(subscribed) = event.subscribed {
            self.info.id = Some(subscribed.framework_id);
            if !matches!(self.phase, Phase::Waiting) {
                let question = framework::reconcile(&self.task_id);
                self.call(subscription, question).await;
            }
        } else if let Some(offers) = event.offers {
            self.consider(subscription, offers.offers).await;
        } else if let Some(event::Update { status }) = event.update {
            return Ok(self.update(subscription, status).await);
        } else if let Some(event::Error { message }) = event.error {
            bail!("the master ends our subscription: {message}");
        }
        Ok(None)
    }

    /// Launches on the first offer that is large enough, and gives the others back.
    async fn consider(&mut self, subscription: &Subscription, offers: Vec<Offer>) {
        let mut unwanted: Vec<OfferId> = Vec::new();
        for offer in offers {
            let fit = offers::take(&offer, &self.work.scalars());
            let (Phase::Waiting, Some(resources)) = (&self.phase, fit) else {
                unwanted.push(offer.id);
                continue;
            };
            let agent = agent_address(&offer);
            let task = TaskInfo {
                name: self.work.name.clone(),
                task_id: self.task_id.clone(),
                agent_id: offer.agent_id.clone(),
                resources,
                command: Some(self.work.command_info(self.command)),
                ..TaskInfo::default()
            };
            self.phase = Phase::Asked(agent.clone());
            if self.call(subscription, framework::launch(&offer, task)).await {
                self.phase = Phase::Launched(agent);
                self.call(subscription, framework::suppress()).await;
            }
        }
        if !unwanted.is_empty() {
            if matches!(self.phase, Phase::Waiting) {
                self.complain();
            }
            self.call(subscription, framework::decline(unwanted)).await;
        }
    }

    async fn update(&mut self, subscription: &Subscription, status: TaskStatus) -> Option<End> {
        if status.task_id != self.task_id {
            return None;
        }
        if let Some(acknowledgement) = framework::acknowledge(&status) {
            self.call(subscription, acknowledgement).await;
        }
        if self.never_began(&status) {
            self.phase = Phase::Waiting;
            return None;
        }
        if let Phase::Asked(agent) | Phase::Launched(agent) = &self.phase {
            let agent = agent.clone();
            self.watch(agent.clone(), &status);
            self.phase = Phase::Launched(agent);
        }
        let state = status.state();
        let ended = state.is_terminal();
        ended.then(|| End::Task(state, status.message.unwrap_or_default()))
    }

    /// Whether a new leader has never heard of a launch whose answer we never got.
    fn never_began(&self, status: &TaskStatus) -> bool {
        let unheard = matches!(self.phase, Phase::Asked(_));
        unheard && status.reason() == Reason::Reconciliation && status.state().is_terminal()
    }

    /// Looks at the task's output from now on.
    fn watch(&mut self, agent: Address, status: &TaskStatus) {
        let (Some(FrameworkId { value: framework_id }), None) = (&self.info.id, &self.sandbox)
        else {
            return;
        };
        let executor_id = status.executor_id.as_ref().map_or(&self.task_id.value, |id| &id.value);
        self.sandbox = Some(Sandbox::new(agent, framework_id, executor_id));
    }

    /// An agent that is restarting shows its files later; anything else ends us.
    async fn copy(&mut self) -> anyhow::Result<()> {
        let Some(sandbox) = &mut self.sandbox else { return Ok(()) };
        match sandbox.copy().await {
            Ok(_) => Ok(()),
            Err(crate::client::OutputError::Write(error)) => {
                Err(error).context("writing the task's output")
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no output now");
                Ok(())
            }
        }
    }

    async fn copy_rest(&mut self) {
        if let Some(sandbox) = &mut self.sandbox
            && let Err(error) = sandbox.copy().await
        {
            say(&format!("the task's output may be incomplete: {:#}", anyhow::Error::from(error)));
        }
    }

    /// The whole framework goes, and its task with it if it still runs.
    async fn say_farewell(&self, subscription: &Subscription) {
        self.call(subscription, framework::teardown()).await;
    }

    /// Makes a call; says whether it was taken. What a failed one leaves undone is done after the next
    /// subscription, which a failed call foretells.
    async fn call(&self, subscription: &Subscription, call: Call) -> bool {
        let Some(framework_id) = &self.info.id else { return false };
        match subscription.call(framework_id, call).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a call was not taken");
                false
            }
        }
    }

    fn complain(&mut self) {
        if !self.has_complained {
            self.has_complained = true;
            let needed: Vec<String> =
                self.work.scalars().map(|(name, amount)| format!("{name} {amount}")).into();
            say(&format!("waiting for an offer with {}", needed.join(", ")));
        }
    }

    fn conclude(&self, state: TaskState, message: &str) -> u8 {
        let code = exit_status::code(state, message);
        if code == exit::NOT_RUN {
            say(&format!(
                "task {} ended with {}: {message}",
                self.task_id.value,
                state.as_str_name()
            ));
        }
        code
    }
}

/// Where the offer's agent listens.
fn agent_address(offer: &Offer) -> Address {
    let address = offer.url.as_ref().map(|url| &url.address);
    let host = address.and_then(|address| address.ip.as_ref().or(address.hostname.as_ref()));
    let port = address.and_then(|address| u16::try_from(address.port).ok());
    Address::new(host.unwrap_or(&offer.hostname), port.unwrap_or(5051))
}
