//! Metrics by Mesos's names, and the same for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;

use protocol::v1;
use protocol::v1::TaskState;
use serde_json::{Value, json};

use super::Api;
use super::classic::used;
use super::reply::{self, Reply};
use crate::collect;
use crate::containerizer::Counts;
use crate::containerizer::usage::scalar;
use crate::turns::Known;

/// Every metric, by name.
pub(super) fn all(api: &Api) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    {
        let known = api.known.read();
        resources(&known, &mut metrics);
        tasks(&known, &mut metrics);
        executors(&known, &mut metrics);
        counts(&known, &mut metrics);
    }
    let usage = collect::disk_usage(&api.config.work_dir);
    let age = collect::allowed_age(api.config.gc_delay, api.config.gc_disk_headroom, usage);
    set(&mut metrics, "slave/executor_directory_max_allowed_age_secs", age.as_secs_f64());
    set(&mut metrics, "slave/recovery_time_secs", api.recovery_time.as_secs_f64());
    set(&mut metrics, "slave/uptime_secs", super::now() - api.start_time);
    sandboxes(&api.sandboxes, &mut metrics);
    containerizer(&api.containerizer.counts(), &mut metrics);
    for (name, value) in machine() {
        set(&mut metrics, name, value);
    }
    metrics
}

fn sandboxes(counts: &collect::Counts, metrics: &mut BTreeMap<String, f64>) {
    let counts = [
        ("pending", &counts.pending),
        ("succeeded", &counts.succeeded),
        ("failed", &counts.failed),
    ];
    for (name, count) in counts {
        set(metrics, &format!("gc/path_removals_{name}"), count.load(Ordering::Relaxed) as f64);
    }
}

/// There is no fetcher cache yet, and nothing is said of one.
fn containerizer(counts: &Counts, metrics: &mut BTreeMap<String, f64>) {
    let counts = [
        ("fetcher/task_fetches_succeeded", counts.fetches_succeeded),
        ("fetcher/task_fetches_failed", counts.fetches_failed),
        ("mesos/container_destroy_errors", counts.destroy_errors),
    ];
    for (name, count) in counts {
        set(metrics, &format!("containerizer/{name}"), count as f64);
    }
}

fn set(metrics: &mut BTreeMap<String, f64>, name: &str, value: f64) {
    metrics.insert(name.to_owned(), value);
}

fn resources(known: &Known, metrics: &mut BTreeMap<String, f64>) {
    let total = known.state.info.as_ref().map(|info| info.resources.clone()).unwrap_or_default();
    let used = used(known);
    let (revocable, firm): (Vec<v1::Resource>, Vec<v1::Resource>) =
        used.into_iter().partition(|resource| resource.revocable.is_some());
    for name in ["cpus", "gpus", "mem", "disk"] {
        for (infix, total, used) in
            [("", &total, &firm), ("_revocable", &known.live.estimate, &revocable)]
        {
            let (all, used) = (scalar(total, name), scalar(used, name));
            let share = if all > 0.0 { used / all } else { 0.0 };
            set(metrics, &format!("slave/{name}{infix}_total"), all);
            set(metrics, &format!("slave/{name}{infix}_used"), used);
            set(metrics, &format!("slave/{name}{infix}_percent"), share);
        }
    }
}

fn tasks(known: &Known, metrics: &mut BTreeMap<String, f64>) {
    let now = [
        ("staging", TaskState::TaskStaging),
        ("starting", TaskState::TaskStarting),
        ("running", TaskState::TaskRunning),
        ("killing", TaskState::TaskKilling),
    ];
    for (name, state) in now {
        let count = known.state.tasks.values().filter(|task| task.state() == state).count();
        set(metrics, &format!("slave/tasks_{name}"), count as f64);
    }
    let ever = [
        ("finished", TaskState::TaskFinished),
        ("failed", TaskState::TaskFailed),
        ("killed", TaskState::TaskKilled),
        ("lost", TaskState::TaskLost),
        ("gone", TaskState::TaskGone),
    ];
    for (name, state) in ever {
        let count = known.live.counts.ended.get(&state).copied().unwrap_or(0);
        set(metrics, &format!("slave/tasks_{name}"), count as f64);
    }
}

fn executors(known: &Known, metrics: &mut BTreeMap<String, f64>) {
    let mut count = BTreeMap::from([("registering", 0), ("running", 0), ("terminating", 0)]);
    for (key, executor) in known.state.executors.iter().filter(|(_, known)| !known.has_ended) {
        let has_subscribed = known.live.executors.get(key).is_some_and(|live| live.has_subscribed);
        let runs = |container_id: &String| {
            let live = known.live.containers.get(container_id);
            live.is_some_and(|live| live.process.is_some())
        };
        let is_own = !executor.is_custom();
        let is_ready = has_subscribed || (is_own && executor.running_containers().iter().any(runs));
        let phase = match (executor.is_shut_down, is_ready) {
            (true, _) => "terminating",
            (false, true) => "running",
            (false, false) => "registering",
        };
        *count.entry(phase).or_default() += 1;
    }
    for (phase, count) in count {
        set(metrics, &format!("slave/executors_{phase}"), f64::from(count));
    }
    set(metrics, "slave/frameworks_active", known.state.frameworks.len() as f64);
}

fn counts(known: &Known, metrics: &mut BTreeMap<String, f64>) {
    let counts = &known.live.counts;
    let totals = [
        ("slave/executors_terminated", counts.executors_terminated),
        ("slave/executors_preempted", counts.executors_preempted),
        ("slave/valid_status_updates", counts.valid_status_updates),
        ("slave/invalid_status_updates", counts.invalid_status_updates),
        ("slave/valid_framework_messages", counts.valid_framework_messages),
        ("slave/invalid_framework_messages", counts.invalid_framework_messages),
        ("slave/container_launch_errors", counts.container_launch_errors),
        ("slave/recovery_errors", 0),
        ("slave/registered", u64::from(known.live.is_connected)),
    ];
    for (name, value) in totals {
        set(metrics, name, value as f64);
    }
}

/// What the machine says of itself; what it does not say is left out.
fn machine() -> Vec<(&'static str, f64)> {
    let mut values = Vec::new();
    if let Ok(cpus) = std::thread::available_parallelism() {
        values.push(("system/cpus_total", cpus.get() as f64));
    }
    if let Ok(text) = std::fs::read_to_string("/proc/loadavg") {
        let names = ["system/load_1min", "system/load_5min", "system/load_15min"];
        let loads = text.split(' ').filter_map(|load| load.parse().ok());
        values.extend(names.into_iter().zip(loads));
    }
    if let Ok(text) = std::fs::read_to_string("/proc/meminfo") {
        let read = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim()
                .trim_end_matches(" kB")
                .parse::<f64>()
                .ok()
                .map(|kilobytes| kilobytes * 1024.0)
        };
        values.extend(read("MemTotal:").map(|bytes| ("system/mem_total_bytes", bytes)));
        values.extend(read("MemFree:").map(|bytes| ("system/mem_free_bytes", bytes)));
    }
    values
}

pub(super) fn snapshot(api: &Api) -> Value {
    json!(all(api))
}

/// `/system/stats.json`: the machine alone, under names of its own.
pub(super) fn system() -> Value {
    let named = machine().into_iter().map(|(name, value)| {
        let name = name.trim_start_matches("system/").replace("load_", "avg_load_");
        (name, json!(value))
    });
    Value::Object(named.collect())
}

/// Prometheus's text format: `slave/tasks_running` is `mesolith_agent_tasks_running`.
pub(super) fn prometheus(api: &Api) -> Reply {
    let mut text = String::new();
    for (name, value) in all(api) {
        let name = name.replace("slave/", "agent/").replace(['/', '.'], "_");
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE mesolith_{name} gauge\nmesolith_{name} {value}");
    }
    reply::metrics(text)
}
