//! What this process has seen pass by. It begins anew with the process, and is not the cluster's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::v1::offer::operation;
use protocol::v1::scheduler::{call, event};
use statemachine::{FrameworkId, State};

use super::name::Metrics;
use super::timer::Timer;

/// Counters by name, without `master/`, that are there before anything has been counted.
const NAMES: [&str; 39] = [
    "dropped_messages",
    "invalid_executor_to_framework_messages",
    "invalid_framework_to_executor_messages",
    "invalid_operation_status_update_acknowledgements",
    "invalid_operation_status_updates",
    "invalid_status_update_acknowledgements",
    "invalid_status_updates",
    "messages_authenticate",
    "messages_deactivate_framework",
    "messages_decline_offers",
    "messages_executor_to_framework",
    "messages_exited_executor",
    "messages_framework_to_executor",
    "messages_kill_task",
    "messages_launch_tasks",
    "messages_operation_status_update",
    "messages_operation_status_update_acknowledgement",
    "messages_reconcile_operations",
    "messages_reconcile_tasks",
    "messages_register_framework",
    "messages_register_slave",
    "messages_reregister_framework",
    "messages_reregister_slave",
    "messages_resource_request",
    "messages_revive_offers",
    "messages_status_update",
    "messages_status_update_acknowledgement",
    "messages_suppress_offers",
    "messages_unregister_framework",
    "messages_unregister_slave",
    "messages_update_slave",
    "valid_executor_to_framework_messages",
    "valid_framework_to_executor_messages",
    "valid_operation_status_update_acknowledgements",
    "valid_operation_status_updates",
    "valid_status_update_acknowledgements",
    "valid_status_updates",
    "http_cache_hits",
    "http_requests",
];

/// How many of something there are now.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicI64);

impl Level {
    /// One more, until the guard is dropped.
    pub(crate) fn enter(&self) -> impl Drop + '_ {
        self.rise();
        Entered(self)
    }

    pub(crate) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed).max(0) as f64
    }
}

struct Entered<'a>(&'a Level);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.fall();
    }
}

/// What the leader's task measures of itself.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// How often resources were allocated.
    pub(crate) allocation_runs: AtomicU64,
    /// How long that took.
    pub(crate) allocation_run: Timer,
    /// How long it was waited for, from when the turn began that asked for it.
    pub(crate) allocation_latency: Timer,
    /// How long the journal took to commit what was proposed.
    pub(crate) store: Timer,
    /// Decisions that may leave and have not been sent yet.
    pub(crate) unsent: Level,
}

/// What passes between a framework and this master.
#[derive(Debug, Default)]
struct Traffic {
    calls: BTreeMap<i32, u64>,
    events: BTreeMap<i32, u64>,
    operations: BTreeMap<i32, u64>,
}

/// All that this process counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    named: Mutex<BTreeMap<&'static str, u64>>,
    traffic: Mutex<BTreeMap<FrameworkId, Traffic>>,
    /// Requests that are being answered.
    pub(crate) requests: Level,
    /// How long it took to read the journal when the process began.
    pub(crate) fetch: Timer,
    /// What the leader's task measures.
    pub(crate) meter: Arc<Meter>,
}

impl Counters {
    /// Something happened that is counted under this name.
    pub(crate) fn count(&self, name: &'static str) {
        *lock(&self.named).entry(name).or_default() += 1;
    }

    /// Counts under the first name or under the second.
    pub(crate) fn count_either(&self, is_first: bool, names: [&'static str; 2]) {
        let [first, second] = names;
        self.count(if is_first { first } else { second });
    }

    /// A framework has called.
    pub(crate) fn call(&self, framework: FrameworkId, r#type: call::Type) {
        let mut traffic = lock(&self.traffic);
        let calls = &mut traffic.entry(framework).or_default().calls;
        *calls.entry(r#type as i32).or_default() += 1;
    }

    /// A framework was sent an event.
    pub(crate) fn event(&self, framework: FrameworkId, r#type: i32) {
        let mut traffic = lock(&self.traffic);
        let events = &mut traffic.entry(framework).or_default().events;
        *events.entry(r#type).or_default() += 1;
    }

    /// A framework has asked for an operation on what it was offered.
    pub(crate) fn operation(&self, framework: FrameworkId, r#type: i32) {
        let mut traffic = lock(&self.traffic);
        let operations = &mut traffic.entry(framework).or_default().operations;
        *operations.entry(r#type).or_default() += 1;
    }

    /// Forgets frameworks that are over.
    pub(crate) fn retain(&self, state: &State) {
        lock(&self.traffic).retain(|framework, _| state.frameworks.contains_key(framework));
    }

    /// Everything that is not about one framework.
    pub(super) fn add_to(&self, metrics: &mut Metrics) {
        let named = lock(&self.named);
        for name in NAMES {
            let count = named.get(name).copied().unwrap_or(0);
            metrics.counter(format!("master/{name}"), count as f64);
        }
        drop(named);
        metrics.gauge("master/event_queue_http_requests", self.requests.get());
        metrics.gauge("master/event_queue_dispatches", self.meter.unsent.get());
        let runs = self.meter.allocation_runs.load(Ordering::Relaxed);
        metrics.counter("allocator/mesos/allocation_runs", runs as f64);
        self.meter.allocation_run.add_to(metrics, "allocator/mesos/allocation_run_ms");
        self.meter.allocation_latency.add_to(metrics, "allocator/mesos/allocation_run_latency_ms");
        self.meter.store.add_to(metrics, "registrar/state_store_ms");
        self.fetch.add_to(metrics, "registrar/state_fetch_ms");
    }

    /// What has passed between one framework and this master, by the end of its name.
    pub(super) fn of_framework(&self, framework: FrameworkId) -> Vec<(String, f64)> {
        let traffic = lock(&self.traffic);
        let empty = Traffic::default();
        let of = traffic.get(&framework).unwrap_or(&empty);
        let mut found = Vec::new();
        let name = |number| Some(call::Type::try_from(number).ok()?.as_str_name());
        add_kinds(&mut found, "calls", &of.calls, name);
        let name = |number| Some(event::Type::try_from(number).ok()?.as_str_name());
        add_kinds(&mut found, "events", &of.events, name);
        let name = |number| Some(operation::Type::try_from(number).ok()?.as_str_name());
        add_kinds(&mut found, "operations", &of.operations, name);
        found
    }
}

/// The sum, and how many there were of each type that has a name; 0 is the unknown one.
fn add_kinds(
    found: &mut Vec<(String, f64)>,
    what: &str,
    counts: &BTreeMap<i32, u64>,
    name: impl Fn(i32) -> Option<&'static str>,
) {
    found.push((what.to_owned(), counts.values().sum::<u64>() as f64));
    for (number, name) in (1..64).filter_map(|number| Some((number, name(number)?))) {
        let count = counts.get(&number).copied().unwrap_or(0);
        found.push((format!("{what}/{}", name.to_lowercase()), count as f64));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
