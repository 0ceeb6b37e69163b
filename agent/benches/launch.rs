//! How fast containers come up: `cargo bench -p agent --bench launch`.
//!
//! A real agent process with real shims, and a master in this process that acknowledges at once.
//! Prints the time from a Launch to its `TASK_RUNNING`, one task at a time, and the time for many
//! containers launched together.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use protocol::v1::TaskState::{TaskFinished, TaskKilled, TaskRunning};
use support::{AgentProcess, FakeMaster, task};

/// Tasks that are launched one after the other.
const SINGLE: usize = 200;
/// Containers that are launched together.
const TOGETHER: usize = 1_000;

#[tokio::main]
async fn main() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    one_by_one(&master).await;
    together(&master).await;
    let (own, ended) = agent.processor_time();
    let count = (SINGLE + TOGETHER) as u32;
    report("processor time per container, the agent's own:", own / count);
    report("processor time per container, its shim's and its own:", ended / count);
}

async fn one_by_one(master: &FakeMaster) {
    let mut times = Vec::new();
    for number in 0..SINGLE {
        let id = format!("single-{number}");
        let started = Instant::now();
        master.launch(task(&id, "true")).await;
        master.wait_state(&id, TaskRunning).await;
        times.push(started.elapsed());
        master.wait_state(&id, TaskFinished).await;
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    report("launch to running: p50", at(50));
    report("launch to running: p95", at(95));
}

async fn together(master: &FakeMaster) {
    let started = Instant::now();
    for number in 0..TOGETHER {
        master.launch(task(&format!("many-{number}"), "exec sleep 1000")).await;
    }
    wait_all(master, protocol::v1::TaskState::TaskRunning).await;
    report("1,000 containers launched together: running after", started.elapsed());
    let started = Instant::now();
    for number in 0..TOGETHER {
        master.kill(&format!("many-{number}"), None).await;
    }
    wait_all(master, TaskKilled).await;
    report("1,000 containers killed together: gone after", started.elapsed());
}

async fn wait_all(master: &FakeMaster, state: protocol::v1::TaskState) {
    master
        .wait_for("all tasks", |heard| {
            let mut ids = std::collections::BTreeSet::new();
            for status in heard.updates.iter().filter_map(|update| update.status.as_ref()) {
                if status.state() == state && status.task_id.value.starts_with("many-") {
                    ids.insert(status.task_id.value.as_str());
                }
            }
            (ids.len() == TOGETHER).then_some(())
        })
        .await;
}

fn report(what: &str, time: Duration) {
    #[expect(clippy::print_stdout, reason = "a benchmark's result")]
    {
        println!("{what} {:.2} ms", time.as_secs_f64() * 1000.0);
    }
}
