//! The leader: the master's own sans-I/O core, with the simulation around it as its shell. Requests
//! go in, batches and messages come out; planted faults change what passes through here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use master::leader::{Core, Decided, Input, Release};
use statemachine::{
    AgentId, Batch, Command, Directive, Effect, Event, FrameworkId, FrameworkMessage, Rejection,
    Reply, Session, Settings, State, Time, agent, cluster, framework,
};

use super::replica::forget_deadlines;
use crate::bug::Bug;
use crate::happening::{Call, Request, ToClient};

/// Commands decided in one turn at most; the rest wait for the next.
const COMMANDS_PER_TURN: usize = 64;
/// How early the ticks of a planted fault are.
const EARLY_MS: u64 = 3_000;

/// Something to send now that everything decided before it is committed.
#[derive(Clone, Debug)]
pub enum Output {
    /// Over a stream.
    Tell(Session, ToClient),
    /// Over a stream that is then closed.
    Close(Session, Option<ToClient>),
    /// The answer to a scheduler's call: 202, or else.
    Answer(Call, bool),
}

/// What a turn made.
#[derive(Debug, Default)]
pub struct Turn {
    /// To propose, if anything happened; with the state it leads to.
    pub batch: Option<(Vec<u8>, State)>,
    /// To send at once: nothing stands behind it that is not committed.
    pub outputs: Vec<Output>,
}

/// Whose stream it is.
#[derive(Clone, Copy, Debug)]
enum Client {
    Framework(FrameworkId),
    Agent(AgentId),
}

/// The leader.
#[derive(Debug)]
pub struct Leader {
    core: Core<Request>,
    bug: Option<Bug>,
    inbox: VecDeque<Request>,
    ended: BTreeSet<Session>,
    clients: BTreeMap<Session, Client>,
    /// Batches on their way, and how long the log must be committed for each.
    window: VecDeque<(u64, usize)>,
    proposed: u64,
    settled: usize,
}

impl Leader {
    /// A leader that has applied everything up to its own first entry, the last of `applied`; its
    /// first command is `lead`.
    pub fn new(
        (committed, applied): (State, usize),
        settings: Arc<Settings>,
        lead: cluster::Lead,
        bug: Option<Bug>,
    ) -> Self {
        let request = Request { session: Session(0), command: lead.into(), call: None };
        Self {
            core: Core::new(committed, settings),
            bug,
            inbox: VecDeque::from([request]),
            ended: BTreeSet::new(),
            clients: BTreeMap::new(),
            window: VecDeque::new(),
            proposed: 0,
            settled: applied,
        }
    }

    /// The state with all decisions so far.
    pub fn working(&self) -> &State {
        self.core.state()
    }

    /// Entries up to here are committed, and nothing that is sent now needs more.
    pub fn settled(&self) -> usize {
        self.settled
    }

    /// A request has arrived.
    pub fn receive(&mut self, request: Request) {
        self.inbox.push_back(request);
    }

    /// A stream is over. What came over it and is not decided yet is dropped.
    pub fn ended(&mut self, session: Session) {
        self.inbox.retain(|request| request.session != session || request.call.is_some());
        self.ended.insert(session);
    }

    /// Decides what is in the inbox and what is due; none while the window is full.
    pub fn turn(&mut self, clock_ms: u64, seed: u64) -> Option<Turn> {
        if self.core.is_full() {
            return None;
        }
        let mut outputs = Vec::new();
        let mut inputs = self.disconnects();
        let count = self.inbox.len().min(COMMANDS_PER_TURN);
        for request in self.inbox.drain(..count).collect::<Vec<_>>() {
            match self.admit(&request) {
                Some(taken) => outputs.extend(request.call.map(|call| Output::Answer(call, taken))),
                None => inputs.push(input(request, self.bug)),
            }
        }
        let clock = Time(clock_ms);
        let early_ms = if self.bug == Some(Bug::TicksEarly) { EARLY_MS } else { 0 };
        let (proposal, release) = self.core.turn(clock.after_ms(early_ms), seed, inputs);
        outputs.extend(release.into_iter().flat_map(|release| self.outputs(release)));
        let batch = proposal.map(|proposal| {
            self.proposed = proposal.sequence;
            self.batch(&proposal.payload, clock)
        });
        Some(Turn { batch, outputs })
    }

    /// The batch of the last turn has become entry `upto` of the log.
    pub fn park(&mut self, upto: usize) {
        self.window.push_back((self.proposed, upto));
    }

    /// Entries up to `applied` are committed and folded: what may be sent now, and what it rests on.
    pub fn release(&mut self, applied: usize) -> Vec<(usize, Output)> {
        let mut released = Vec::new();
        while let Some((sequence, upto)) = self.window.front().copied() {
            if upto > applied {
                break;
            }
            self.window.pop_front();
            self.settled = upto;
            for release in self.core.committed(sequence) {
                released.extend(self.outputs(release).into_iter().map(|output| (upto, output)));
            }
        }
        released
    }

    /// A call that needs no decision, and its answer: one over another stream than the current one
    /// is refused (semantics 52, 53).
    fn admit(&self, request: &Request) -> Option<bool> {
        let call = request.call?;
        let framework = self.core.state().frameworks.get(&call.framework);
        let current = framework.is_some_and(|it| it.session() == Some(request.session));
        let dropped = self.bug == Some(Bug::AcknowledgementDropped)
            && matches!(request.command, Command::Acknowledge(_));
        if current { dropped.then_some(true) } else { Some(false) }
    }

    /// Streams that are over and belong to somebody; the others are not decided or not released yet.
    fn disconnects(&mut self) -> Vec<Input<Request>> {
        let known: Vec<_> =
            self.ended.iter().filter(|it| self.clients.contains_key(it)).copied().collect();
        let mut inputs = Vec::new();
        for session in known {
            self.ended.remove(&session);
            let Some(client) = self.clients.remove(&session) else { continue };
            let command = self.disconnect(client, session);
            inputs.push(input(Request { session, command, call: None }, self.bug));
        }
        inputs
    }

    fn disconnect(&self, client: Client, session: Session) -> Command {
        let confused = self.bug == Some(Bug::OldStreamEndsNew);
        match client {
            Client::Framework(framework) => {
                let current = self.core.state().frameworks.get(&framework);
                let current = current.and_then(|it| it.session());
                let session = current.filter(|_| confused).unwrap_or(session);
                framework::Disconnect { framework, session }.into()
            }
            Client::Agent(agent) => {
                agent::Disconnect { agent, session, cause: agent::Cause::Closed }.into()
            }
        }
    }

    /// The batch to propose and the state it leads to, or what planted faults make of them.
    fn batch(&self, payload: &[u8], clock: Time) -> (Vec<u8>, State) {
        let mut working = self.core.state().clone();
        let Ok(mut batch) = Batch::decode(payload) else { return (payload.to_vec(), working) };
        forget_deadlines(&mut working, &batch, self.bug);
        match self.bug {
            Some(Bug::TicksEarly | Bug::ClockNotHeld) => batch.at = clock,
            Some(Bug::OffersRepeated) => {
                for record in &mut batch.records {
                    let offers = record.events.iter();
                    let offers = offers.filter(|event| matches!(event, Event::OffersMade(_)));
                    let again: Vec<_> = offers.cloned().collect();
                    record.events.extend(again);
                }
            }
            _ => return (payload.to_vec(), working),
        }
        (batch.encode(), working)
    }

    fn outputs(&mut self, release: Release<Request>) -> Vec<Output> {
        let mut outputs = Vec::new();
        for decided in release.decided {
            outputs.extend(self.answer(&decided));
            let unowed = self.bug == Some(Bug::LaunchesNotOwed)
                && decided.ticket.as_ref().is_some_and(is_register);
            let effects = decided.effects.into_iter();
            let effects = effects.filter(|effect| !(unowed && is_launch(effect)));
            outputs.extend(effects.filter_map(|effect| output(&release.state, effect)));
        }
        outputs
    }

    /// What the caller hears before anything else.
    fn answer(&mut self, decided: &Decided<Request>) -> Option<Output> {
        let request = decided.ticket.as_ref()?;
        if let Some(call) = request.call {
            return Some(Output::Answer(call, decided.outcome.is_ok()));
        }
        let session = request.session;
        match &decided.outcome {
            Ok(Reply::Done | Reply::Converted(..)) => self.acknowledge_early(&request.command),
            Ok(Reply::Subscribed(id, wire_id)) => {
                self.clients.insert(session, Client::Framework(*id));
                Some(Output::Tell(session, ToClient::Subscribed(*id, wire_id.clone())))
            }
            Ok(Reply::Registered(id)) => {
                self.clients.insert(session, Client::Agent(*id));
                let term = self.core.state().cluster.term;
                Some(Output::Tell(session, ToClient::Welcome(*id, term)))
            }
            Err(refusal) => refused(request, refusal),
        }
    }

    /// A planted fault: the master takes it on itself to acknowledge.
    fn acknowledge_early(&self, command: &Command) -> Option<Output> {
        let Command::Update(update) = command else { return None };
        let id = update.status.update.filter(|_| self.bug == Some(Bug::AcknowledgedByMaster))?;
        let (framework, task) = (update.framework.clone(), update.task.clone());
        let directive = Directive::Acknowledge { framework, task, update: id };
        Some(Output::Tell(update.session, ToClient::Directive(directive, None)))
    }
}

/// Only what opens a stream is answered; an agent repeats all else.
fn refused(request: &Request, refusal: &Rejection) -> Option<Output> {
    let opens = matches!(request.command, Command::Subscribe(_) | Command::RegisterAgent(_));
    let text = refusal.to_string().into();
    opens.then(|| Output::Close(request.session, Some(ToClient::Refused(text))))
}

/// A request to decide, or what a planted fault makes of it.
fn input(request: Request, bug: Option<Bug>) -> Input<Request> {
    let mut command = request.command.clone();
    if let (Command::Decline(decline), Some(Bug::FilterLost)) = (&mut command, bug) {
        decline.refuse_seconds = Some(0.0);
    }
    if let (Command::RegisterAgent(hello), Some(Bug::LingeringForgotten)) = (&mut command, bug) {
        hello.description.tells_stops = false;
    }
    Input { command, principal: None, ticket: request }
}

/// An effect as a message, with what its text needs besides.
fn output(state: &State, effect: Effect) -> Option<Output> {
    match effect {
        Effect::Framework { session, message, .. } => {
            let over = matches!(message, FrameworkMessage::Failure(_) | FrameworkMessage::Closed);
            let message = ToClient::Event(message);
            Some(if over {
                Output::Close(session, Some(message))
            } else {
                Output::Tell(session, message)
            })
        }
        Effect::Agent { session, directive: Directive::Leave { reason }, .. } => {
            Some(Output::Close(session, Some(ToClient::Refused(reason))))
        }
        Effect::Agent { session, directive, .. } => {
            let named = named(&directive);
            let framework = named.and_then(|id| state.frameworks.get(&id));
            let wire_id = framework.map(|framework| framework.wire_id.clone());
            // what names a framework that is over is followed by its shutdown
            (named.is_none() || wire_id.is_some())
                .then(|| Output::Tell(session, ToClient::Directive(directive, wire_id)))
        }
        Effect::Operators(_) => None,
    }
}

fn is_register(request: &Request) -> bool {
    matches!(request.command, Command::RegisterAgent(_))
}

fn is_launch(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Agent { directive: Directive::Launch(..) | Directive::LaunchGroup(..), .. }
    )
}

/// The framework that a directive names by its number.
fn named(directive: &Directive) -> Option<FrameworkId> {
    match directive {
        Directive::Launch(task, _) => Some(task.key.framework),
        Directive::LaunchGroup(tasks, _) => tasks.first().map(|task| task.key.framework),
        Directive::Kill { framework, .. }
        | Directive::Message { framework, .. }
        | Directive::ShutdownExecutor { framework, .. }
        | Directive::FrameworkChanged(framework)
        | Directive::Reconcile { framework, .. } => Some(*framework),
        Directive::Acknowledge { .. }
        | Directive::Leave { .. }
        | Directive::ShutdownFramework { .. }
        | Directive::Resources { .. } => None,
    }
}
