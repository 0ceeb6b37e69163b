//! Metrics by Mesos's names (surface 37). What the state tells is read from it; only what passes by
//! is counted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::v1::task_status;
use statemachine::resources::{Name, Resources};
use statemachine::{Source, State, TaskState};

use crate::clock;
use crate::master::Master;
use crate::standing::Standing;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

/// What this process has seen pass by.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) http_requests: Counter,
    pub(crate) valid_status_updates: Counter,
    pub(crate) invalid_status_updates: Counter,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// A scheduler has made a call of this type.
    pub(crate) fn call(&self, r#type: &'static str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(r#type).or_default() += 1;
    }
}

/// Names of scheduler calls in metrics.
const MESSAGES: [(&str, &str); 11] = [
    ("SUBSCRIBE", "register_framework"),
    ("TEARDOWN", "unregister_framework"),
    ("ACCEPT", "launch_tasks"),
    ("DECLINE", "decline_offers"),
    ("REVIVE", "revive_offers"),
    ("SUPPRESS", "suppress_offers"),
    ("KILL", "kill_task"),
    ("ACKNOWLEDGE", "status_update_acknowledgement"),
    ("RECONCILE", "reconcile_tasks"),
    ("MESSAGE", "framework_to_executor"),
    ("REQUEST", "resource_request"),
];

type Metrics = BTreeMap<String, f64>;

/// All metrics now.
pub(crate) fn snapshot(master: &Master, state: &State) -> Metrics {
    let mut metrics = Metrics::new();
    let uptime_ms = clock::wall().since_ms(master.started);
    let leads = matches!(master.stand.now(), Standing::Leading(_));
    metrics.insert("master/uptime_secs".into(), uptime_ms as f64 / 1000.0);
    metrics.insert("master/elected".into(), f64::from(u8::from(leads)));
    metrics.insert("master/outstanding_offers".into(), state.offers.len() as f64);
    let operators = master.streams.operators() as f64;
    metrics.insert("master/operator_event_stream_subscribers".into(), operators);
    add_resources(&mut metrics, state);
    add_peers(&mut metrics, state);
    add_tasks(&mut metrics, state);
    add_counters(&mut metrics, &master.counters);
    add_journal(&mut metrics, master);
    add_host(&mut metrics);
    metrics
}

fn add_resources(metrics: &mut Metrics, state: &State) {
    let mut total = Resources::default();
    let mut used = Resources::default();
    let mut taken = Resources::default();
    for agent in state.agents.values().filter(|agent| agent.unreachable_since.is_none()) {
        total.add_all(&agent.total);
        used.add_all(&agent.used);
        taken.add_all(&agent.used);
        taken.add_all(&agent.offered);
    }
    let names = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus];
    for (infix, revocable) in [("", false), ("_revocable", true)] {
        let total = total.filtered(|resource| resource.revocable == revocable);
        let used = used.filtered(|resource| resource.revocable == revocable);
        for name in &names {
            let (all, in_use) = (total.scalar(name).to_f64(), used.scalar(name).to_f64());
            let percent = if all > 0.0 { in_use / all } else { 0.0 };
            metrics.insert(format!("master/{name}{infix}_total"), all);
            metrics.insert(format!("master/{name}{infix}_used"), in_use);
            metrics.insert(format!("master/{name}{infix}_percent"), percent);
        }
    }
    for name in names {
        let all = total.scalar(&name).to_f64();
        let held = taken.scalar(&name).to_f64();
        metrics.insert(format!("allocator/mesos/resources/{name}/total"), all);
        metrics.insert(format!("allocator/mesos/resources/{name}/offered_or_allocated"), held);
    }
}

fn add_peers(metrics: &mut Metrics, state: &State) {
    let mut count = |name: &str, number: usize| {
        metrics.insert(format!("master/{name}"), number as f64);
    };
    let reachable = || state.agents.values().filter(|agent| agent.unreachable_since.is_none());
    let connected = reachable().filter(|agent| agent.connection.is_connected()).count();
    count("slaves_active", reachable().filter(|agent| agent.is_active()).count());
    count("slaves_inactive", reachable().filter(|agent| !agent.is_active()).count());
    count("slaves_connected", connected);
    count("slaves_disconnected", reachable().count() - connected);
    count("slaves_unreachable", state.agents.len() - reachable().count());
    let frameworks = || state.frameworks.values().map(|framework| framework.connection);
    let active = frameworks().filter(|connection| connection.is_active()).count();
    let connected = frameworks().filter(|connection| connection.is_connected()).count();
    count("frameworks_active", active);
    count("frameworks_inactive", state.frameworks.len() - active);
    count("frameworks_connected", connected);
    count("frameworks_disconnected", state.frameworks.len() - connected);
}

fn add_tasks(metrics: &mut Metrics, state: &State) {
    for task_state in TaskState::ALL {
        let name = short(task_state);
        metrics.insert(format!("master/tasks_{name}"), 0.0);
    }
    for task in state.tasks.values().filter(|task| !task.state.is_terminal()) {
        *metrics.entry(format!("master/tasks_{}", short(task.state))).or_default() += 1.0;
    }
    for ((task_state, source, reason), count) in &state.ended {
        let name = short(*task_state);
        *metrics.entry(format!("master/tasks_{name}")).or_default() += *count as f64;
        let source = match source {
            Source::Master => "master",
            Source::Agent => "slave",
            Source::Executor => "executor",
        };
        let mut detailed = format!("master/task_{name}/source_{source}");
        if let Some(reason) = reason.and_then(|it| task_status::Reason::try_from(it.0).ok()) {
            detailed.push('/');
            detailed.push_str(&reason.as_str_name().to_lowercase().replace("_agent_", "_slave_"));
        }
        *metrics.entry(detailed).or_default() += *count as f64;
    }
}

/// `TASK_RUNNING` as `running`.
fn short(state: TaskState) -> &'static str {
    match state {
        TaskState::Starting => "starting",
        TaskState::Running => "running",
        TaskState::Finished => "finished",
        TaskState::Failed => "failed",
        TaskState::Killed => "killed",
        TaskState::Lost => "lost",
        TaskState::Staging => "staging",
        TaskState::Error => "error",
        TaskState::Killing => "killing",
        TaskState::Dropped => "dropped",
        TaskState::Unreachable => "unreachable",
        TaskState::Gone => "gone",
        TaskState::GoneByOperator => "gone_by_operator",
        TaskState::Unknown => "unknown",
    }
}

fn add_counters(metrics: &mut Metrics, counters: &Counters) {
    let mut count = |name: &str, value: f64| metrics.insert(format!("master/{name}"), value);
    count("http_requests", counters.http_requests.get());
    count("valid_status_updates", counters.valid_status_updates.get());
    count("invalid_status_updates", counters.invalid_status_updates.get());
    let updates = counters.valid_status_updates.get() + counters.invalid_status_updates.get();
    count("messages_status_update", updates);
    let calls = counters.calls.lock().unwrap_or_else(PoisonError::into_inner);
    for (call, name) in MESSAGES {
        count(&format!("messages_{name}"), calls.get(call).copied().unwrap_or(0) as f64);
    }
}

fn add_journal(metrics: &mut Metrics, master: &Master) {
    let status = master.journal.status();
    let mut count =
        |name: &str, value: u64| metrics.insert(format!("journal/{name}"), value as f64);
    count("term", status.term);
    count("last_index", status.last_index);
    count("committed_index", status.committed);
    count("applied_index", status.applied);
    count("members", status.members.len() as u64);
    count("stopped", u64::from(status.stopped.is_some()));
    metrics.insert("registrar/log/recovered".into(), 1.0);
    metrics.insert("registrar/log/ensemble_size".into(), status.members.len() as f64);
}

/// Load and memory of the machine, where the kernel tells.
fn add_host(metrics: &mut Metrics) {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    metrics.insert("system/cpus_total".into(), cpus as f64);
    if let Ok(text) = std::fs::read_to_string("/proc/loadavg") {
        for (name, value) in ["1min", "5min", "15min"].iter().zip(text.split(' ')) {
            let value = value.parse().unwrap_or(0.0);
            metrics.insert(format!("system/load_{name}"), value);
        }
    }
    if let Ok(text) = std::fs::read_to_string("/proc/meminfo") {
        for (key, name) in [("MemTotal:", "mem_total_bytes"), ("MemFree:", "mem_free_bytes")] {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
            metrics.insert(format!("system/{name}"), kilobytes.unwrap_or(0.0) * 1024.0);
        }
    }
}
