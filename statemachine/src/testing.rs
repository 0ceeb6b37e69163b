//! A small world for tests: one working state, a clock that the test moves, and every message sent.
//!
//! Each step is checked as it is taken: a refusal must leave the state as it was, and the batch that
//! a decision makes must, encoded and decoded again, fold into the very same state on a replica.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::resources::{
    Disk, Name, Persistence, Ranges, Reservation, ReservationKind, Resource, Resources, Scalar,
    Value,
};
use crate::{
    AgentId, Batch, Capabilities, Command, Context, Decision, Effect, Event, EventNumber,
    FrameworkId, FrameworkMessage, OfferId, Record, Rejection, Reply, Role, Session, Settings,
    State, Status, TaskState, Time, UpdateId, agent, allocator, cluster, decide, framework, offer,
    task,
};

/// The world.
#[derive(Debug)]
pub struct World {
    /// The leader's working state.
    pub state: State,
    /// A replica that folds what is encoded.
    pub replica: State,
    /// Now.
    pub now: Time,
    /// The leader's flags.
    pub settings: Settings,
    /// All effects so far that the test has not taken.
    pub effects: Vec<Effect>,
    /// All events so far.
    pub events: Vec<Event>,
    sessions: u64,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A cluster named `c` with a leader and nothing else, at time 1,000,000 ms.
    pub fn new() -> Self {
        let mut world = Self {
            state: State::default(),
            replica: State::default(),
            now: Time(1_000_000),
            settings: Settings::default(),
            effects: Vec::new(),
            events: Vec::new(),
            sessions: 0,
        };
        world.lead(1);
        world
    }

    /// Decides a command, and checks what must hold for each.
    ///
    /// # Errors
    /// The refusal.
    ///
    /// # Panics
    /// When one of them does not hold.
    pub fn ask(&mut self, command: impl Into<Command>) -> Result<Reply, Rejection> {
        let command = command.into();
        let context = Context {
            now: self.now,
            seed: self.events.len() as u64,
            principal: None,
            settings: Arc::new(self.settings.clone()),
        };
        let before = self.state.clone();
        match decide(&mut self.state, &context, &command) {
            Ok(decision) => Ok(self.take(&command, decision)),
            Err(rejection) => {
                assert_eq!(self.state, before, "{} was refused", command.name());
                Err(rejection)
            }
        }
    }

    fn take(&mut self, command: &Command, decision: Decision) -> Reply {
        if !decision.events.is_empty() {
            let record = Record {
                cause: command.name().into(),
                principal: None,
                events: decision.events.clone(),
            };
            let bytes = Batch { at: self.now, records: vec![record] }.encode();
            let batch = Batch::decode(&bytes).expect("what was encoded decodes");
            batch.apply(&mut self.replica);
            assert_eq!(self.replica, self.state, "a replica differs after {}", command.name());
            let violations = crate::invariants::check(&self.state);
            assert!(violations.is_empty(), "after {}: {violations:?}", command.name());
        }
        self.events.extend(decision.events);
        self.effects.extend(decision.effects);
        decision.reply
    }

    /// Decides a command that must not be refused.
    ///
    /// # Panics
    /// When it is.
    pub fn must(&mut self, command: impl Into<Command>) -> Reply {
        self.ask(command).expect("not refused")
    }

    /// Takes all effects so far.
    pub fn sent(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Takes what one framework was told so far; the rest is dropped.
    pub fn told(&mut self, framework: FrameworkId) -> Vec<FrameworkMessage> {
        let sent = self.sent().into_iter();
        sent.filter_map(|effect| match effect {
            Effect::Framework { to, message, .. } if to == framework => Some(message),
            Effect::Framework { .. } | Effect::Agent { .. } | Effect::Operators(_) => None,
        })
        .collect()
    }

    /// A fresh stream.
    pub fn session(&mut self) -> Session {
        self.sessions += 1;
        Session(self.sessions)
    }

    /// A leader of this term is elected.
    pub fn lead(&mut self, term: u64) {
        self.must(cluster::Lead { term, leader: term, cluster: "c".into() });
    }

    /// Time passes, and what is due happens.
    pub fn pass_ms(&mut self, milliseconds: u64) {
        self.now = self.now.after_ms(milliseconds);
        self.must(cluster::Tick);
    }

    /// A new agent with these resources, such as `agent("cpus:4;mem:4096")`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn agent(&mut self, text: &str) -> AgentId {
        let register = self.hello(None, text);
        let reply = self.must(register);
        let Reply::Registered(agent) = reply else { panic!("not registered: {reply:?}") };
        agent
    }

    /// A connected agent's stream ends.
    ///
    /// # Panics
    /// When it has none.
    pub fn disconnect(&mut self, agent: AgentId) {
        let session = self.state.agents[&agent].session().expect("connected");
        self.must(agent::Disconnect { agent, session, cause: agent::Cause::Closed });
    }

    /// An agent's Hello on a fresh stream, with no tasks.
    pub fn hello(&mut self, agent: Option<AgentId>, text: &str) -> agent::Register {
        // each its own, and the same when it comes back
        let number = agent.map_or(self.state.cluster.agents, |agent| agent.0);
        agent::Register {
            agent,
            description: agent::Description {
                hostname: "node".into(),
                address: format!("127.0.0.1:{}", 5051 + number).into(),
                version: "0.1.0".into(),
                // all that an agent of today has
                capabilities: (1..=8).fold(Capabilities::default(), Capabilities::with),
                resources: resources(text),
                attributes: Vec::new(),
                domain: None,
                tells_stops: true,
                payload: Bytes::new(),
            },
            session: self.session(),
            tasks: Vec::new(),
            executors: Vec::new(),
            running: BTreeSet::new(),
            last_launch: EventNumber(0),
            estimate: Resources::default(),
        }
    }

    /// A new framework with these roles, partition-aware, with a failover timeout of 60 s.
    pub fn framework(&mut self, roles: &[&str]) -> FrameworkId {
        let subscribe = self.subscription(None, roles);
        self.subscribe(subscribe)
    }

    /// Subscribes, and says under which number.
    ///
    /// # Panics
    /// When it is refused.
    pub fn subscribe(&mut self, subscribe: framework::Subscribe) -> FrameworkId {
        let reply = self.must(subscribe);
        let Reply::Subscribed(framework, _) = reply else { panic!("not subscribed: {reply:?}") };
        framework
    }

    /// A SUBSCRIBE on a fresh stream.
    pub fn subscription(&mut self, wire_id: Option<&str>, roles: &[&str]) -> framework::Subscribe {
        framework::Subscribe {
            wire_id: wire_id.map(Into::into),
            description: framework::Description {
                principal: None,
                user: "nobody".into(),
                roles: roles.iter().map(|role| Role::from(*role)).collect(),
                capabilities: Capabilities::default()
                    .with(crate::framework_capability::PARTITION_AWARE)
                    .with(crate::framework_capability::MULTI_ROLE)
                    .with(crate::framework_capability::RESERVATION_REFINEMENT),
                checkpoint: true,
                minimums: std::collections::BTreeMap::new(),
                failover_timeout_ms: 60_000,
                payload: Bytes::new(),
            },
            suppressed: Vec::new(),
            constraints: offer::OfferConstraints::default(),
            session: self.session(),
        }
    }

    /// The same for role `*`, from somebody who can tell lost tasks apart, or cannot.
    pub fn subscription_of(&mut self, partition_aware: bool) -> framework::Subscribe {
        let mut subscribe = self.subscription(None, &["*"]);
        if !partition_aware {
            let capabilities = &mut subscribe.description.capabilities;
            capabilities.0 &= !(1 << crate::framework_capability::PARTITION_AWARE);
        }
        subscribe
    }

    /// Launches task `t` of this size, which runs, as the framework knows and has acknowledged.
    ///
    /// # Panics
    /// When the framework is offered nothing.
    pub fn run(&mut self, framework: FrameworkId, text: &str) {
        self.launch(framework, "t", text);
        self.update(framework, "t", TaskState::Running, 1).expect("taken");
        self.acknowledge(framework, "t", 1);
    }

    /// Offers what is free.
    pub fn allocate(&mut self) {
        self.must(allocator::Allocate::default());
    }

    /// The offers that a framework holds, in order.
    pub fn offers(&self, framework: FrameworkId) -> Vec<OfferId> {
        let framework = self.state.frameworks.get(&framework);
        framework.map(|framework| framework.offers.iter().copied().collect()).unwrap_or_default()
    }

    /// Takes offers and does `operations` with them; what is left over is not filtered.
    pub fn accept(
        &mut self,
        framework: FrameworkId,
        offers: &[OfferId],
        operations: Vec<offer::Operation>,
    ) {
        let offers = offers.iter().map(|id| self.reference(*id)).collect();
        let refuse_seconds = Some(0.0);
        self.must(offer::Accept { framework, offers, operations, refuse_seconds });
    }

    /// Allocates, and does operations with all that a framework is then offered of one agent.
    ///
    /// # Panics
    /// When it holds no offer.
    pub fn operate(&mut self, framework: FrameworkId, operations: Vec<offer::Operation>) {
        self.allocate();
        let offer = *self.offers(framework).first().expect("an offer");
        self.accept(framework, &[offer], operations);
    }

    /// An offer as a framework names it.
    pub fn reference(&self, offer: OfferId) -> offer::OfferReference {
        offer::OfferReference { id: Some(offer), text: self.state.offer_text(offer).into() }
    }

    /// Allocates, and launches one command task on the framework's first offer.
    ///
    /// # Panics
    /// When it holds no offer.
    pub fn launch(&mut self, framework: FrameworkId, task: &str, text: &str) -> AgentId {
        self.allocate();
        let offer = *self.offers(framework).first().expect("an offer");
        let agent = self.state.offers[&offer].agent;
        self.accept(
            framework,
            &[offer],
            vec![offer::Operation::Launch(vec![command_task(task, agent, text)])],
        );
        agent
    }

    /// An agent reports a state; `number` names the update.
    pub fn update(
        &mut self,
        framework: FrameworkId,
        task: &str,
        state: TaskState,
        number: u8,
    ) -> Result<Reply, Rejection> {
        let key = crate::TaskKey { framework, task: task.into() };
        let agent = self.state.tasks.get(&key).map_or(AgentId(0), |task| task.agent);
        let session = self.state.agents.get(&agent).and_then(|agent| agent.session());
        let wire_id = self.state.frameworks.get(&framework).map(|it| it.wire_id.clone());
        self.ask(task::Update {
            agent,
            session: session.unwrap_or_default(),
            framework: wire_id.unwrap_or_else(|| "gone".into()),
            task: task.into(),
            executor: None,
            status: Arc::new(Status {
                update: Some(UpdateId([number; 16])),
                ..Status::by_master(state, crate::Reason(0), "reported", self.now)
            }),
            latest: state,
        })
    }

    /// A framework acknowledges the update named `number`.
    pub fn acknowledge(&mut self, framework: FrameworkId, task: &str, number: u8) {
        let update = UpdateId([number; 16]);
        let key = crate::TaskKey { framework, task: task.into() };
        let agent = self.state.tasks.get(&key).map(|task| task.agent);
        self.must(task::Acknowledge { framework, agent, task: task.into(), update });
    }
}

/// What updates among these messages say, and why.
pub fn told_states(messages: &[FrameworkMessage]) -> Vec<(TaskState, crate::Reason)> {
    let updates = messages.iter().filter_map(|message| match message {
        FrameworkMessage::Updated(update) => {
            Some((update.status.state, update.status.reason.unwrap_or(crate::Reason(0))))
        }
        _ => None,
    });
    updates.collect()
}

/// A command task for an agent.
pub fn command_task(id: &str, agent: AgentId, text: &str) -> task::TaskSpec {
    task::TaskSpec {
        id: id.into(),
        agent: Some(agent),
        resources: resources(text),
        executor: None,
        payload: Bytes::from_static(b"task info"),
        fault: None,
    }
}

/// Resources from text such as `cpus:4;mem:512;ports:[31000-31005]`; `name(role)` reserves statically.
///
/// # Panics
/// When the text is not like that.
pub fn resources(text: &str) -> Resources {
    text.split(';').filter(|part| !part.is_empty()).map(resource).collect()
}

/// The same, dynamically reserved for a role, on top of what they are reserved for already.
pub fn reserved(resources: &Resources, role: &str) -> Resources {
    let reservation = Reservation {
        kind: ReservationKind::Dynamic,
        role: role.into(),
        principal: None,
        labels: Bytes::new(),
    };
    let push = |resource: &Resource| Resource {
        reservations: resource.reservations.iter().chain([&reservation]).cloned().collect(),
        ..resource.clone()
    };
    resources.iter().map(push).collect()
}

/// A persistent volume of so many MB on space dynamically reserved for a role.
pub fn volume(id: &str, role: &str, megabytes: u32) -> Resources {
    let disk = Disk {
        source: None,
        persistence: Some(Persistence { id: id.into(), principal: None }),
        volume: Bytes::from_static(b"volume"),
    };
    let disk = Some(Arc::new(disk));
    let space = reserved(&resources(&format!("disk:{megabytes}")), role);
    space.iter().map(|space| Resource { disk: disk.clone(), ..space.clone() }).collect()
}

/// The same, shared.
pub fn shared(volumes: &Resources) -> Resources {
    volumes.iter().map(|volume| Resource { shared: true, ..volume.clone() }).collect()
}

/// The same, revocable.
pub fn revocable(resources: &Resources) -> Resources {
    resources.iter().map(|it| Resource { revocable: true, ..it.clone() }).collect()
}

/// The sum of both.
pub fn plus(a: &Resources, b: &Resources) -> Resources {
    a.iter().chain(b).cloned().collect()
}

fn resource(text: &str) -> Resource {
    let (name, value) = text.split_once(':').expect("name:value");
    let (name, role) = match name.split_once('(') {
        Some((name, role)) => (name, Some(role.trim_end_matches(')'))),
        None => (name, None),
    };
    let reservations = role.map(|role| Reservation {
        kind: ReservationKind::Static,
        role: role.into(),
        principal: None,
        labels: Bytes::new(),
    });
    Resource {
        name: Name::from(name),
        value: amount(value),
        reservations: reservations.into_iter().collect(),
        disk: None,
        provider: None,
        shared: false,
        revocable: false,
    }
}

fn amount(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('{') {
        return Value::Set(items.trim_end_matches('}').split(',').map(Into::into).collect());
    }
    let Some(ranges) = text.strip_prefix('[') else {
        return Value::Scalar(Scalar::from_f64(text.parse().expect("a number")));
    };
    Value::Ranges(Ranges::new(ranges.trim_end_matches(']').split(',').map(|range| {
        let (begin, end) = range.split_once('-').expect("begin-end");
        (begin.parse().expect("a number"), end.parse().expect("a number"))
    })))
}
