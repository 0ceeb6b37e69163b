//! The leader's side of deciding: a working state ahead of the committed one, a window of batches
//! on their way, and everything that has to wait until they are committed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use statemachine::{
    AgentId, Batch, Command, Context, Decision, Directive, Effect, Event, FrameworkId, Record,
    Rejection, Reply, Session, Settings, State, Time, agent, allocator, cluster, decide, framework,
};

use super::replica::forget_deadlines;
use crate::bug::Bug;
use crate::happening::{Call, Request, ToClient};

/// Batches on their way at most.
const WINDOW: usize = 4;
/// Commands decided in one turn at most; the rest wait for the next.
const COMMANDS_PER_TURN: usize = 64;

/// Something to send once everything decided so far is committed.
#[derive(Clone, Debug)]
pub enum Output {
    /// Over a stream.
    Tell(Session, ToClient),
    /// Over a stream that is then closed.
    Close(Session, Option<ToClient>),
    /// The answer to a scheduler's call: 202, or else.
    Answer(Call, bool),
}

/// A batch on its way, or decisions without events behind one.
#[derive(Debug)]
struct Parked {
    upto: usize,
    outputs: Vec<Output>,
}

/// What a turn made.
#[derive(Debug, Default)]
pub struct Turn {
    /// To propose, if anything happened; with the state it leads to.
    pub batch: Option<(Vec<u8>, State)>,
    /// To send once that is committed.
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
    working: State,
    settings: Arc<Settings>,
    bug: Option<Bug>,
    inbox: VecDeque<Request>,
    ended: Vec<Session>,
    clients: BTreeMap<Session, Client>,
    parked: VecDeque<Parked>,
    allocated_at: u64,
}

impl Leader {
    /// A leader that has applied everything up to its own first entry; its first command is `lead`.
    pub fn new(
        committed: State,
        settings: Arc<Settings>,
        lead: cluster::Lead,
        bug: Option<Bug>,
    ) -> Self {
        let request = Request { session: Session(0), command: lead.into(), call: None };
        Self {
            working: committed,
            settings,
            bug,
            inbox: VecDeque::from([request]),
            ended: Vec::new(),
            clients: BTreeMap::new(),
            parked: VecDeque::new(),
            allocated_at: 0,
        }
    }

    /// The state with all decisions so far.
    pub fn working(&self) -> &State {
        &self.working
    }

    /// A request has arrived.
    pub fn receive(&mut self, request: Request) {
        self.inbox.push_back(request);
    }

    /// A stream is over. News of one that nothing was decided for yet takes the request along.
    pub fn ended(&mut self, session: Session) {
        self.inbox.retain(|request| request.session != session || request.call.is_some());
        self.ended.push(session);
    }

    /// Decides what is in the inbox and what is due; none while the window is full.
    pub fn turn(&mut self, clock_ms: u64, seed: u64) -> Option<Turn> {
        if self.parked.len() >= WINDOW {
            return None;
        }
        let clock = Time(clock_ms);
        let held = self.bug == Some(Bug::ClockNotHeld);
        let now = if held { clock } else { clock.max(self.working.cluster.now) };
        let mut turn = Turning { now, seed, records: Vec::new(), outputs: Vec::new() };
        for session in std::mem::take(&mut self.ended) {
            self.disconnect(session, &mut turn);
        }
        let count = self.inbox.len().min(COMMANDS_PER_TURN);
        let requests: Vec<_> = self.inbox.drain(..count).collect();
        for request in requests {
            self.request(&request, &mut turn);
        }
        self.tick(&mut turn);
        self.allocate(&mut turn);
        Some(self.finish(turn))
    }

    /// Something is to be sent once `upto` entries are committed.
    pub fn park(&mut self, upto: usize, outputs: Vec<Output>) {
        if !outputs.is_empty() || self.parked.back().is_none_or(|last| last.upto < upto) {
            self.parked.push_back(Parked { upto, outputs });
        }
    }

    /// Entries up to `applied` are committed and folded: what may be sent now.
    pub fn release(&mut self, applied: usize) -> Vec<(usize, Output)> {
        let mut released = Vec::new();
        while self.parked.front().is_some_and(|parked| parked.upto <= applied) {
            let Some(parked) = self.parked.pop_front() else { break };
            released.extend(parked.outputs.into_iter().map(|output| (parked.upto, output)));
        }
        released
    }

    fn request(&mut self, request: &Request, turn: &mut Turning) {
        let Some(call) = request.call else { return self.over_stream(request, turn) };
        let framework = self.working.frameworks.get(&call.framework);
        let current = framework.is_some_and(|it| it.session() == Some(request.session));
        let dropped = self.bug == Some(Bug::AcknowledgementDropped)
            && matches!(request.command, Command::Acknowledge(_));
        let taken = match current {
            true if dropped => true,
            true => self.decide(&request.command, turn).is_ok(),
            false => false,
        };
        turn.outputs.push(Output::Answer(call, taken));
    }

    fn over_stream(&mut self, request: &Request, turn: &mut Turning) {
        let at = turn.outputs.len();
        let first = match self.decide(&request.command, turn) {
            Ok(Reply::Done) => return self.acknowledge_early(&request.command, turn),
            Ok(Reply::Subscribed(id, wire_id)) => {
                self.clients.insert(request.session, Client::Framework(id));
                Output::Tell(request.session, ToClient::Subscribed(id, wire_id))
            }
            Ok(Reply::Registered(id)) => {
                self.clients.insert(request.session, Client::Agent(id));
                Output::Tell(request.session, ToClient::Welcome(id, self.working.cluster.term))
            }
            // the agent repeats what was refused; only what opens a stream is answered
            Err(refusal) => match request.command {
                Command::Subscribe(_) | Command::RegisterAgent(_) => {
                    let text = refusal.to_string().into();
                    Output::Close(request.session, Some(ToClient::Refused(text)))
                }
                _ => return,
            },
        };
        turn.outputs.insert(at, first);
    }

    /// A planted fault: the master takes it on itself to acknowledge.
    fn acknowledge_early(&self, command: &Command, turn: &mut Turning) {
        let Command::Update(update) = command else { return };
        let Some(id) = update.status.update else { return };
        if self.bug == Some(Bug::AcknowledgedByMaster) {
            let (framework, task) = (update.framework.clone(), update.task.clone());
            let directive = Directive::Acknowledge { framework, task, update: id };
            turn.outputs.push(Output::Tell(update.session, ToClient::Directive(directive, None)));
        }
    }

    fn disconnect(&mut self, session: Session, turn: &mut Turning) {
        let Some(client) = self.clients.remove(&session) else { return };
        let confused = self.bug == Some(Bug::OldStreamEndsNew);
        let command: Command = match client {
            Client::Framework(framework) => {
                let current = self.working.frameworks.get(&framework).and_then(|it| it.session());
                let session = current.filter(|_| confused).unwrap_or(session);
                framework::Disconnect { framework, session }.into()
            }
            Client::Agent(agent) => agent::Disconnect { agent, session }.into(),
        };
        // the framework or agent may be over already
        let _refusal = self.decide(&command, turn);
    }

    fn tick(&mut self, turn: &mut Turning) {
        let early_ms = if self.bug == Some(Bug::TicksEarly) { 3_000 } else { 0 };
        let until = turn.now.after_ms(early_ms);
        let due = |state: &State| state.deadlines.get_min().is_some_and(|(at, _)| *at <= until);
        if due(&self.working) {
            let now = std::mem::replace(&mut turn.now, until);
            let _refusal = self.decide(&cluster::Tick.into(), turn);
            turn.now = now;
        }
    }

    fn allocate(&mut self, turn: &mut Turning) {
        let interval_ms = self.settings.allocation_interval_ms;
        let due = turn.now.0 >= self.allocated_at + interval_ms;
        if due || turn.records.iter().any(|record| record.cause != "Tick") {
            self.allocated_at = turn.now.0;
            let _refusal = self.decide(&allocator::Allocate::default().into(), turn);
        }
    }

    fn decide(&mut self, command: &Command, turn: &mut Turning) -> Result<Reply, Rejection> {
        turn.seed = turn.seed.wrapping_add(1);
        let context = Context {
            now: turn.now,
            seed: turn.seed,
            principal: None,
            settings: self.settings.clone(),
        };
        let Decision { mut events, effects, reply } =
            decide(&mut self.working, &context, &unfiltered(command, self.bug))?;
        if self.bug == Some(Bug::OffersRepeated) {
            let offers = events.iter().filter(|event| matches!(event, Event::OffersMade(_)));
            let again: Vec<_> = offers.cloned().collect();
            for event in &again {
                statemachine::apply(&mut self.working, turn.now, event, &mut Vec::new());
            }
            events.extend(again);
        }
        let unowed =
            self.bug == Some(Bug::LaunchesNotOwed) && matches!(command, Command::RegisterAgent(_));
        for effect in effects {
            if unowed && is_launch(&effect) {
                continue;
            }
            turn.outputs.extend(self.output(effect));
        }
        if !events.is_empty() {
            let cause = command.name().into();
            turn.records.push(Record { cause, principal: None, events });
        }
        Ok(reply)
    }

    /// An effect as a message, with what its text needs besides.
    fn output(&self, effect: Effect) -> Option<Output> {
        match effect {
            Effect::Framework { session, message, .. } => {
                let over = matches!(
                    message,
                    statemachine::FrameworkMessage::Failure(_)
                        | statemachine::FrameworkMessage::Closed
                );
                let message = ToClient::Event(message);
                Some(if over {
                    Output::Close(session, Some(message))
                } else {
                    Output::Tell(session, message)
                })
            }
            Effect::Agent { session, directive, .. } => {
                let wire_id = named(&directive).and_then(|id| self.wire_id(id));
                let needs = named(&directive).is_some();
                (!needs || wire_id.is_some())
                    .then(|| Output::Tell(session, ToClient::Directive(directive, wire_id)))
            }
            Effect::Operators(_) => None,
        }
    }

    fn wire_id(&self, framework: FrameworkId) -> Option<Arc<str>> {
        self.working.frameworks.get(&framework).map(|framework| framework.wire_id.clone())
    }

    fn finish(&mut self, turn: Turning) -> Turn {
        if turn.records.is_empty() {
            return Turn { batch: None, outputs: turn.outputs };
        }
        let batch = Batch { at: turn.now, records: turn.records };
        let bytes = batch.encode();
        forget_deadlines(&mut self.working, &batch, self.bug);
        Turn { batch: Some((bytes, self.working.clone())), outputs: turn.outputs }
    }
}

/// What a turn gathers.
#[derive(Debug)]
struct Turning {
    now: Time,
    seed: u64,
    records: Vec<Record>,
    outputs: Vec<Output>,
}

/// The framework that a directive names by its number.
fn named(directive: &Directive) -> Option<FrameworkId> {
    match directive {
        Directive::Launch(task, _) => Some(task.key.framework),
        Directive::Kill { framework, .. }
        | Directive::Message { framework, .. }
        | Directive::ShutdownExecutor { framework, .. }
        | Directive::Reconcile { framework, .. } => Some(*framework),
        Directive::Acknowledge { .. }
        | Directive::ShutdownFramework { .. }
        | Directive::Resources { .. } => None,
    }
}

fn is_launch(effect: &Effect) -> bool {
    matches!(effect, Effect::Agent { directive: Directive::Launch(..), .. })
}

/// The command, or what a planted fault makes of it.
fn unfiltered(command: &Command, bug: Option<Bug>) -> Command {
    match command {
        Command::Decline(decline) if bug == Some(Bug::FilterLost) => {
            let mut decline = decline.clone();
            decline.refuse_seconds = Some(0.0);
            decline.into()
        }
        command => command.clone(),
    }
}
