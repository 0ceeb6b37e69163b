//! How fast the core decides and folds, and what a task costs in memory.
//!
//! `cargo run --release -p statemachine --features testing --example fold_bench [TASKS]`
//!
//! A history of TASKS tasks (default 100,000) on 100 agents, each offered, launched, running, finished
//! and acknowledged, is decided once and then folded from its encoded batches, as a restart does.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "it measures, and says so")]

use std::sync::Arc;
use std::time::Instant;

use statemachine::offer::Operation;
use statemachine::testing::{command_task, resources};
use statemachine::{
    Batch, Command, Context, FrameworkId, Record, Session, Settings, State, Status, TaskState,
    Time, UpdateId, agent, allocator, cluster, decide, framework, offer, task,
};

const AGENTS: usize = 100;

struct Bench {
    state: State,
    context: Context,
    journal: Vec<Vec<u8>>,
    events: usize,
}

impl Bench {
    fn new() -> Self {
        let settings = Arc::new(Settings::default());
        let context = Context { now: Time(1), seed: 0, principal: None, settings };
        Self { state: State::default(), context, journal: Vec::new(), events: 0 }
    }

    /// Decides commands as one turn of the leader does.
    fn turn(&mut self, commands: impl IntoIterator<Item = Command>) {
        self.context.now.0 += 1;
        self.context.seed += 1;
        let mut records = Vec::new();
        for command in commands {
            let decision = decide(&mut self.state, &self.context, &command).expect("not refused");
            self.events += decision.events.len();
            let cause = command.name().to_owned();
            records.push(Record { cause, principal: None, events: decision.events });
        }
        self.journal.push(Batch { at: self.context.now, records }.encode());
    }
}

fn update(state: &State, id: usize, told: TaskState) -> Command {
    let key = statemachine::TaskKey { framework: FrameworkId(0), task: format!("t{id}").into() };
    let agent = state.tasks[&key].agent;
    let session = state.agents[&agent].session().expect("connected");
    let mut update = [told as u8; 16];
    update[..8].copy_from_slice(&(id as u64).to_le_bytes());
    let status = Status {
        update: Some(UpdateId(update)),
        payload: vec![0; 150].into(),
        ..Status::by_master(told, statemachine::Reason(0), "", Time(1))
    };
    let (framework, task) = ("c-0000".into(), key.task);
    let (executor, status) = (None, Arc::new(status));
    task::Update { agent, session, framework, task, executor, status, latest: told }.into()
}

fn acknowledge(state: &State, id: usize) -> Option<Command> {
    let key = statemachine::TaskKey { framework: FrameworkId(0), task: format!("t{id}").into() };
    let held = &state.tasks[&key];
    let update = held.pending.as_ref()?.update?;
    let (framework, agent) = (FrameworkId(0), Some(held.agent));
    Some(task::Acknowledge { framework, agent, task: key.task, update }.into())
}

fn launch(bench: &mut Bench, first: usize, tasks: usize) {
    bench.turn([allocator::Allocate::default().into()]);
    let offers: Vec<_> = bench.state.offers.values().cloned().collect();
    let each = tasks.div_ceil(offers.len());
    let commands: Vec<Command> = offers
        .iter()
        .enumerate()
        .map(|(position, held)| {
            let ids = position * each..((position + 1) * each).min(tasks).max(position * each);
            let specs = ids.map(|id| {
                let mut spec =
                    command_task(&format!("t{}", first + id), held.agent, "cpus:0.01;mem:1");
                spec.payload = vec![0; 150].into();
                spec
            });
            let text = bench.state.offer_text(held.id).into();
            offer::Accept {
                framework: FrameworkId(0),
                offers: vec![offer::OfferReference { id: Some(held.id), text }],
                operations: vec![Operation::Launch(specs.collect())],
                refuse_seconds: Some(0.0),
            }
            .into()
        })
        .collect();
    bench.turn(commands);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn set_up(bench: &mut Bench) {
    bench.turn([cluster::Lead { term: 1, leader: 1, cluster: "c".into() }.into()]);
    let agents = (0..AGENTS).map(|number| {
        agent::Register {
            agent: None,
            description: agent::Description {
                hostname: "node".into(),
                address: "127.0.0.1:5051".into(),
                version: "0.1.0".into(),
                capabilities: statemachine::Capabilities::default(),
                resources: resources("cpus:1000000;mem:100000000"),
                attributes: Vec::new(),
                domain: None,
                tells_stops: false,
                payload: bytes::Bytes::new(),
            },
            session: Session(number as u64),
            tasks: Vec::new(),
            executors: Vec::new(),
            running: std::collections::BTreeSet::new(),
            last_launch: statemachine::EventNumber(0),
            estimate: statemachine::resources::Resources::default(),
        }
        .into()
    });
    bench.turn(agents.collect::<Vec<Command>>());
    bench.turn([framework::Subscribe {
        wire_id: None,
        description: framework::Description {
            principal: None,
            user: "nobody".into(),
            roles: ["*".into()].into(),
            capabilities: statemachine::Capabilities::default(),
            checkpoint: true,
            minimums: std::collections::BTreeMap::new(),
            failover_timeout_ms: 60_000,
            payload: bytes::Bytes::new(),
        },
        suppressed: Vec::new(),
        constraints: statemachine::offer::OfferConstraints::default(),
        session: Session(1_000_000),
    }
    .into()]);
}

fn rate(what: &str, events: usize, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!("{what:32} {:>10.0} events/s", events as f64 / seconds);
}

fn main() {
    let tasks = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut bench = Bench::new();
    set_up(&mut bench);
    let before = resident_kib();
    let started = Instant::now();
    for first in (0..tasks).step_by(1000) {
        launch(&mut bench, first, 1000.min(tasks - first));
    }
    rate("decided launches", bench.events, started);
    for told in [TaskState::Running, TaskState::Finished] {
        let (events, started) = (bench.events, Instant::now());
        for first in (0..tasks).step_by(256) {
            let ids = first..(first + 256).min(tasks);
            let updates: Vec<_> = ids.clone().map(|id| update(&bench.state, id, told)).collect();
            bench.turn(updates);
            let done: Vec<_> = ids.filter_map(|id| acknowledge(&bench.state, id)).collect();
            bench.turn(done);
        }
        rate(&format!("decided {told:?}, acknowledged"), bench.events - events, started);
        let journal_kib = bench.journal.iter().map(Vec::len).sum::<usize>() as u64 / 1024;
        let grown = resident_kib().saturating_sub(before).saturating_sub(journal_kib);
        println!(
            "{:32} {:>10} bytes/task",
            "  resident, without the journal",
            grown * 1024 / tasks as u64
        );
    }
    let bytes: usize = bench.journal.iter().map(Vec::len).sum();
    println!("{:32} {:>10} bytes/event", "journal", bytes / bench.events);
    let started = Instant::now();
    let mut replica = State::default();
    for bytes in &bench.journal {
        Batch::decode(bytes).expect("decodes").apply(&mut replica);
    }
    rate("decoded and folded", bench.events, started);
    assert_eq!(replica.cluster.events, bench.state.cluster.events);
    let started = Instant::now();
    let snapshot = bench.state.encode();
    println!(
        "{:32} {:>10.3} s, {} bytes",
        "snapshot",
        started.elapsed().as_secs_f64(),
        snapshot.len()
    );
}
