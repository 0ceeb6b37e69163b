//! Every event ever written must still decode. `golden/events.txt` has one line for each: its kind,
//! its name, and its bytes. Lines are only ever added: `UPDATE_GOLDEN=1 cargo test -p statemachine`
//! appends what today's examples encode to, where that is new.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use statemachine::agent::{
    AgentDeactivated, AgentDisconnected, AgentDrained, AgentDraining, AgentForgotten, AgentGone,
    AgentOversubscribed, AgentReactivated, AgentRegistered, AgentReregistered, AgentUnreachable,
    AgentUnregistered, AgentsSpared, Attribute, Domain, Spared,
};
use statemachine::cluster::{HistoryForgotten, LeaderElected, WeightsUpdated};
use statemachine::framework::{
    FrameworkDisconnected, FrameworkRemoved, FrameworkResubscribed, FrameworkStopped,
    FrameworkSubscribed, FrameworkUpdated, RolesRevived, RolesSuppressed,
};
use statemachine::maintenance::{
    InverseOffersAnswered, InverseOffersMade, Machine, MachinesDowned, MachinesUpped,
    MaintenanceScheduled, Unavailability, Window,
};
use statemachine::offer::{
    Constraint, OfferConstraints, OfferSpec, OffersAccepted, OffersDeclined, OffersFiltered,
    OffersMade, OffersRescinded, Pattern, Predicate, Selector,
};
use statemachine::operation::{
    Conversion, Label, OperationAcknowledged, OperationRefused, OperationsFinished,
    ResourcesConverted,
};
use statemachine::quota::{Amounts, Quota, QuotasUpdated};
use statemachine::resources::{
    Disk, DiskKind, DiskSource, Name, Persistence, Ranges, Reservation, ReservationKind, Resource,
    Resources, Scalar, Value,
};
use statemachine::task::{
    ExecutorEnded, ExecutorShutdownRequested, GroupLaunched, Grouped, NewExecutor,
    TaskAcknowledged, TaskKillRequested, TaskLaunched, TaskRefused, TaskUpdated,
};
use statemachine::{
    AgentId, Batch, Capabilities, Event, EventNumber, ExecutorKey, FrameworkId, OfferId,
    OperationKey, Reason, Record, Retention, Session, Source, Status, TaskKey, TaskState, Time,
    UpdateId, agent, framework,
};

const GOLDEN: &str = "tests/golden/events.txt";

fn resource(name: &str, value: Value) -> Resource {
    Resource {
        name: Name::from(name),
        value,
        reservations: Arc::default(),
        disk: None,
        provider: None,
        shared: false,
        revocable: false,
    }
}

fn resources() -> Resources {
    let volume = Disk {
        source: Some(DiskSource { kind: DiskKind::Path, payload: Bytes::from_static(b"source") }),
        persistence: Some(Persistence { id: "db".into(), principal: Some("ops".into()) }),
        volume: Bytes::from_static(b"volume"),
    };
    let reservation = Reservation {
        kind: ReservationKind::Dynamic,
        role: "eng/db".into(),
        principal: Some("ops".into()),
        labels: Bytes::from_static(b"labels"),
    };
    [
        resource("cpus", Value::Scalar(Scalar(1500))),
        resource("ports", Value::Ranges(Ranges::new([(31000, 31005), (32000, 32000)]))),
        resource("names", Value::Set(["a".into(), "b".into()].into())),
        Resource {
            reservations: Arc::new([reservation]),
            disk: Some(Arc::new(volume)),
            shared: true,
            ..resource("disk", Value::Scalar(Scalar(64_000)))
        },
        Resource {
            provider: Some("provider".into()),
            revocable: true,
            ..resource("mem", Value::Scalar(Scalar(1_000)))
        },
    ]
    .into_iter()
    .collect()
}

fn framework_description() -> Arc<framework::Description> {
    Arc::new(framework::Description {
        principal: Some("ops".into()),
        user: "nobody".into(),
        roles: Arc::new(["*".into(), "eng/db".into()]),
        capabilities: Capabilities::default().with(5).with(6),
        checkpoint: true,
        minimums: [("*".into(), vec![cpus(10)])].into(),
        failover_timeout_ms: 3_600_000,
        payload: Bytes::from_static(b"framework info"),
    })
}

fn agent_description() -> Arc<agent::Description> {
    Arc::new(agent::Description {
        hostname: "node-1".into(),
        address: "10.0.0.1:5051".into(),
        version: "0.1.0".into(),
        capabilities: Capabilities::default().with(1),
        resources: resources(),
        attributes: vec![
            Attribute { name: "rack".into(), text: Some("a".into()) },
            Attribute { name: "cores".into(), text: None },
        ],
        domain: Some(Domain { region: "eu".into(), zone: "eu-1".into() }),
        tells_stops: true,
        payload: Bytes::from_static(b"agent info"),
    })
}

fn constraints() -> OfferConstraints {
    let pattern = || Pattern::new("eu-.*").expect("a pattern");
    let constraint = |selector, predicate| Constraint { selector, predicate };
    let groups = vec![
        vec![
            constraint(Selector::Attribute("rack".into()), Predicate::Exists),
            constraint(Selector::Hostname, Predicate::NotExists),
            constraint(Selector::Region, Predicate::TextEquals("eu".into())),
        ],
        vec![
            constraint(Selector::Zone, Predicate::TextNotEquals("us".into())),
            constraint(Selector::Zone, Predicate::TextMatches(pattern())),
            constraint(Selector::Zone, Predicate::TextNotMatches(pattern())),
        ],
    ];
    OfferConstraints(Arc::new([("*".into(), groups)].into()))
}

fn cpus(thousandths: i64) -> Amounts {
    [(Name::Cpus, Scalar(thousandths))].into()
}

fn operation() -> OperationKey {
    OperationKey { framework: FrameworkId(3), operation: "reserve-1".into() }
}

fn status() -> Arc<Status> {
    Arc::new(Status {
        state: TaskState::Running,
        source: Source::Executor,
        reason: Some(Reason::RECONCILIATION),
        message: Some("started".into()),
        at: Time(1_700_000_000_123),
        update: Some(UpdateId([7; 16])),
        unreachable_at: Some(Time(1_700_000_000_000)),
        healthy: Some(true),
        payload: Bytes::from_static(b"task status"),
        data: Bytes::from_static(b"data"),
    })
}

fn cluster_and_framework_events() -> Vec<Event> {
    let (id, session) = (FrameworkId(3), Session(11));
    let roles = vec!["eng/db".into()];
    vec![
        LeaderElected {
            term: 4,
            leader: 2,
            cluster: "8d0a".into(),
            frameworks_until: Time(10),
            agents_until: Time(20),
            retention: Retention::default(),
            weights: Vec::new(),
        }
        .into(),
        LeaderElected {
            term: 4,
            leader: 2,
            cluster: "8d0a".into(),
            frameworks_until: Time(10),
            agents_until: Time(20),
            retention: Retention {
                completed_task_age_ms: Some(3000),
                completed_framework_age_ms: Some(4000),
                ..Retention::default()
            },
            weights: Vec::new(),
        }
        .into(),
        HistoryForgotten { tasks_before: Some(Time(5)), frameworks_before: None }.into(),
        WeightsUpdated { weights: vec![("eng".into(), 1500)] }.into(),
        QuotasUpdated {
            quotas: vec![
                ("eng".into(), Quota { guarantees: cpus(1000), limits: cpus(0) }),
                ("ops".into(), Quota::default()),
            ],
        }
        .into(),
        FrameworkSubscribed {
            id,
            wire_id: "8d0a-0003".into(),
            description: framework_description(),
            suppressed: roles.clone(),
            constraints: constraints(),
            session,
        }
        .into(),
        FrameworkResubscribed {
            id,
            description: framework_description(),
            suppressed: roles.clone(),
            constraints: constraints(),
            session,
            discarded: vec![OfferId(9)],
        }
        .into(),
        FrameworkUpdated {
            id,
            description: framework_description(),
            suppressed: roles.clone(),
            constraints: constraints(),
            rescinded: vec![OfferId(9)],
        }
        .into(),
        FrameworkDisconnected { id, until: Time(99) }.into(),
        FrameworkRemoved { id, lingers: vec![AgentId(1), AgentId(4)] }.into(),
        FrameworkStopped { id, agent: AgentId(4) }.into(),
        RolesSuppressed { framework: id, roles: roles.clone() }.into(),
        RolesRevived { framework: id, roles }.into(),
    ]
}

fn agent_events() -> Vec<Event> {
    let (id, session) = (AgentId(5), Session(12));
    vec![
        AgentRegistered { id, description: agent_description(), session }.into(),
        AgentReregistered {
            id,
            description: agent_description(),
            session,
            total: resources(),
            last_launch: EventNumber(77),
        }
        .into(),
        AgentDisconnected { id, until: Time(99) }.into(),
        AgentUnreachable { id, until: Some(Time(98)), counted: None }.into(),
        AgentUnreachable { id, until: Some(Time(98)), counted: Some(2) }.into(),
        AgentUnregistered { id, replaced: false }.into(),
        AgentUnregistered { id, replaced: true }.into(),
        AgentGone { id, until: Time(97) }.into(),
        AgentForgotten { id }.into(),
        AgentDeactivated { id }.into(),
        AgentReactivated { id }.into(),
        AgentDraining { id, max_grace_ns: Some(9_000), mark_gone: true }.into(),
        AgentDrained { id }.into(),
        AgentsSpared { agents: vec![id, AgentId(6)], until: Time(9), why: Spared::Recovery }.into(),
        AgentsSpared { agents: vec![id], until: Time(9), why: Spared::Rate }.into(),
        AgentOversubscribed { id, estimate: resources() }.into(),
        ResourcesConverted {
            agent: id,
            kind: Conversion::Create,
            consumed: resources(),
            converted: resources(),
            label: None,
        }
        .into(),
        ResourcesConverted {
            agent: id,
            kind: Conversion::Grow,
            consumed: resources(),
            converted: resources(),
            label: Some(Label { key: operation(), update: UpdateId([7; 16]) }),
        }
        .into(),
        OperationRefused { key: operation(), message: "no".into() }.into(),
        OperationsFinished { agent: id, keys: vec![operation()] }.into(),
        OperationAcknowledged { key: operation() }.into(),
    ]
}

fn offer_events() -> Vec<Event> {
    let (framework, agent) = (FrameworkId(3), AgentId(5));
    let offers = vec![OfferId(9), OfferId(10)];
    vec![
        OffersMade {
            offers: vec![OfferSpec { framework, role: "*".into(), agent, resources: resources() }],
            until: Some(Time(50)),
        }
        .into(),
        OffersAccepted { offers: offers.clone() }.into(),
        OffersDeclined { offers: offers.clone() }.into(),
        OffersRescinded { offers }.into(),
        OffersFiltered {
            framework,
            role: "*".into(),
            agent,
            resources: resources(),
            until: Time(60),
        }
        .into(),
    ]
}

fn task_events() -> Vec<Event> {
    let (framework, agent) = (FrameworkId(3), AgentId(5));
    let key = TaskKey { framework, task: "web.1".into() };
    let executor = ExecutorKey { agent, framework, executor: "exec".into() };
    vec![
        TaskLaunched {
            key: key.clone(),
            agent,
            role: "*".into(),
            resources: resources(),
            executor: Some("exec".into()),
            new_executor: Some(NewExecutor {
                resources: resources(),
                payload: Bytes::from_static(b"executor info"),
            }),
            payload: Bytes::from_static(b"task info"),
        }
        .into(),
        TaskRefused { framework, task: "web.2".into(), agent: Some(agent), status: status() }
            .into(),
        TaskUpdated { key: key.clone(), status: status(), latest: TaskState::Finished }.into(),
        TaskAcknowledged { key: key.clone(), update: UpdateId([7; 16]) }.into(),
        TaskKillRequested { key, policy: Bytes::from_static(b"kill policy") }.into(),
        ExecutorShutdownRequested { key: executor.clone() }.into(),
        ExecutorEnded { key: executor, status: -1 }.into(),
        GroupLaunched {
            framework,
            agent,
            role: "*".into(),
            executor: "pod".into(),
            new_executor: Some(NewExecutor {
                resources: resources(),
                payload: Bytes::from_static(b"executor info"),
            }),
            tasks: vec![Grouped {
                id: "web.3".into(),
                resources: resources(),
                payload: Bytes::from_static(b"task info"),
            }],
        }
        .into(),
    ]
}

fn maintenance_events() -> Vec<Event> {
    let machine = Machine::new("Node-1", "10.0.0.1");
    let machines = vec![machine];
    let unavailability = Unavailability { start_ns: 1_700_000_000, duration_ns: Some(60) };
    let window = Window { machines: machines.clone(), unavailability };
    vec![
        MaintenanceScheduled { windows: vec![window] }.into(),
        MachinesDowned { machines: machines.clone() }.into(),
        MachinesUpped { machines }.into(),
        InverseOffersMade { offers: vec![(FrameworkId(3), AgentId(5))] }.into(),
        InverseOffersAnswered { offers: vec![OfferId(9)], accepts: true, until: Some(Time(7)) }
            .into(),
    ]
}

fn examples() -> Vec<Event> {
    [
        cluster_and_framework_events(),
        agent_events(),
        offer_events(),
        task_events(),
        maintenance_events(),
    ]
    .concat()
}

fn encode(event: &Event) -> Vec<u8> {
    let record = Record { cause: "Golden".into(), principal: None, events: vec![event.clone()] };
    Batch { at: Time(1), records: vec![record] }.encode()
}

fn decode(bytes: &[u8]) -> Event {
    let mut batch = Batch::decode(bytes).expect("a golden batch decodes");
    batch.records.remove(0).events.remove(0)
}

fn line(event: &Event) -> String {
    let hex = encode(event).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{} {} {hex}", event.kind(), event.name())
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

#[test]
fn every_kind_has_an_example() {
    let shown: BTreeSet<_> = examples().iter().map(Event::kind).collect();
    let all: BTreeSet<_> = Event::KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(shown, all);
}

#[test]
fn examples_survive_the_round_trip() {
    for event in examples() {
        assert_eq!(decode(&encode(&event)), event);
    }
}

#[test]
fn every_event_ever_written_still_decodes() {
    let mut golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for event in examples() {
            let line = line(&event);
            if !golden.lines().any(|known| known == line) {
                golden.push_str(&line);
                golden.push('\n');
            }
        }
        std::fs::write(GOLDEN, &golden).expect("write the golden file");
    }
    let mut kinds = BTreeSet::new();
    for line in golden.lines() {
        let [kind, name, hex] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a golden line: {line}");
        };
        let event = decode(&unhex(hex));
        assert_eq!((event.kind().to_string().as_str(), event.name()), (kind, name));
        kinds.insert(event.kind());
    }
    for event in examples() {
        let line = line(&event);
        assert!(
            golden.lines().any(|known| known == line),
            "{} is encoded in a new way: if that is meant and old entries still decode, run \
             UPDATE_GOLDEN=1 cargo test -p statemachine",
            event.name()
        );
    }
}

#[test]
fn an_unknown_kind_is_named() {
    let known = encode(&examples()[0]);
    // the kind is the number before the body: kind 1 is one byte
    let at = known.windows(2).position(|pair| pair == [0x01, 0xc4]).expect("kind 1, binary");
    let mut bytes = known;
    bytes[at] = 0x63;
    let error = Batch::decode(&bytes).expect_err("kind 99 does not exist");
    assert!(error.to_string().contains("99"), "{error}");
}
