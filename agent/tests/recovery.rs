//! Agents that die at any moment, and what the next ones make of it.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use protocol::agents::{Reconcile, ShutdownFramework, from_agent, to_agent};
use protocol::v1;
use protocol::v1::TaskState::{TaskDropped, TaskFailed, TaskFinished, TaskKilled, TaskRunning};
use protocol::v1::task_status::Reason;
use rand::{RngExt, SeedableRng};
use support::{AgentProcess, FRAMEWORK, FakeMaster, Heard, poll, task};

/// Lines of a file, empty if there is none.
fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_tasks_at_once_run_once_each() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let ledger = work.path().join("ledger");
    for number in 0..300 {
        let script = format!("echo {number} >> {}", ledger.display());
        master.launch(task(&format!("t{number}"), &script)).await;
    }
    for number in 0..300 {
        master.wait_state(&format!("t{number}"), TaskFinished).await;
    }
    let ran = lines(&ledger);
    assert_eq!(ran.len(), 300);
    assert_eq!(ran.into_iter().collect::<BTreeSet<_>>().len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_forgets_nothing_and_repeats_nothing() {
    let seed: u64 = rand::rng().random();
    #[expect(clippy::print_stdout, reason = "shown when the test fails")]
    {
        println!("seed {seed}");
    }
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let ledger = work.path().join("ledger");
    let mut launched = 0_u32;
    for round in 2..14 {
        for _ in 0..random.random_range(1..12) {
            let pause = random.random_range(0..100);
            let script = format!(
                "echo {launched} >> {}; sleep 0.{pause:02}; exit {}",
                ledger.display(),
                launched % 3
            );
            master.launch(task(&format!("t{launched}"), &script)).await;
            launched += 1;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
        agent.restart();
        master.wait_connected(round).await;
        resend(&master, &ledger, launched).await;
    }
    for number in 0..launched {
        let state = if number % 3 == 0 { TaskFinished } else { TaskFailed };
        let status = master.wait_state(&format!("t{number}"), state).await;
        assert_eq!(status.message(), format!("Command exited with status {}", number % 3));
    }
    let mut ran: Vec<u32> =
        lines(&ledger).iter().map(|line| line.parse().expect("a number")).collect();
    ran.sort_unstable();
    assert_eq!(ran, (0..launched).collect::<Vec<_>>(), "each ran once");
    let left = poll("cleanup", || {
        let left = std::fs::read_dir(work.path().join("run")).expect("listed").count();
        (left == 0).then_some(left)
    });
    assert_eq!(left, 0);
}

/// What a leader does when an agent is back: it repeats the launches that the agent has not made
/// durable.
async fn resend(master: &FakeMaster, ledger: &Path, launched: u32) {
    let last = master
        .wait_for("a hello", |heard| heard.hellos.last().map(|hello| hello.last_launch_index))
        .await;
    for number in 0..launched {
        let index = u64::from(number) + 1;
        let script = format!("echo {number} >> {}; exit {}", ledger.display(), number % 3);
        if index > last {
            master.launch_at(index, task(&format!("t{number}"), &script)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_run_on_without_their_agent() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let (go, done) = (work.path().join("go"), work.path().join("done"));
    let script = format!(
        "until [ -e {} ]; do sleep 0.01; done; touch {}; exit 7",
        go.display(),
        done.display()
    );
    master.launch(task("ends", &script)).await;
    master.launch(task("runs", "sleep 1000")).await;
    master.wait_state("ends", TaskRunning).await;
    master.wait_state("runs", TaskRunning).await;
    agent.kill();
    std::fs::write(&go, "").expect("written");
    poll("end of the task", || done.exists().then_some(()));
    agent.restart();
    let status = master.wait_state("ends", TaskFailed).await;
    assert_eq!(status.message(), "Command exited with status 7");
    master.kill("runs", Some(Duration::ZERO)).await;
    master.wait_state("runs", TaskKilled).await;
    let hello = master.heard.lock().expect("heard").hellos.last().cloned().expect("a hello");
    let reported: BTreeSet<_> = hello.tasks.iter().map(|task| task.task_id.as_str()).collect();
    assert!(reported.contains("runs"), "{reported:?}");
    assert_eq!((hello.cluster_id.as_str(), hello.agent_id.as_str()), ("cluster", "cluster-S0"));
}

/// semantics 316 differs: whoever asks while the agent recovers is answered when it has, by what it knows
/// then, and not with 503.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_recovers_lets_callers_wait() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    master.launch(task("t", "sleep 1000")).await;
    master.wait_state("t", TaskRunning).await;
    agent.restart();
    let port = agent.port;
    let connected = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
    drop(poll("the agent's port", connected));
    let answer = support::http::post(port, "/api/v1", &serde_json::json!({"type": "GET_TASKS"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tasks = answer.json();
    let tasks = &tasks["get_tasks"]["launched_tasks"];
    assert_eq!(tasks[0]["task_id"]["value"], "t", "{tasks}");
}

/// semantics 190
#[tokio::test(flavor = "multi_thread")]
async fn unacknowledged_updates_are_sent_again_to_a_new_leader() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    master.acknowledge(false);
    master.launch(task("t", "exit 1")).await;
    let first = master.wait_for("an update", |heard| heard.updates.first().cloned()).await;
    agent.restart();
    master
        .wait_for("the same update", |heard| {
            (heard.updates.iter().filter(|update| update.status == first.status).count() > 1)
                .then_some(())
        })
        .await;
    assert_eq!(master.heard.lock().expect("heard").states("t").len(), 1, "one at a time");
    master.acknowledge(true);
    agent.restart();
    master.wait_state("t", TaskFailed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_of_an_older_term_is_not_listened_to() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    master.heard.lock().expect("heard").term = 5;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    master.launch(task("t", "true")).await;
    master.wait_state("t", TaskFinished).await;
    master.heard.lock().expect("heard").term = 4;
    agent.restart();
    // It comes back again and again, since nobody better is there.
    master.wait_connected(4).await;
    // At once, or the hello that the new term answers might be among those counted.
    let before = {
        let mut heard = master.heard.lock().expect("heard");
        heard.term = 6;
        heard.hellos.len()
    };
    master.wait_connected(before + 1).await;
    master.launch(task("u", "true")).await;
    master.wait_state("u", TaskFinished).await;
}

/// semantics 207, 226
#[tokio::test(flavor = "multi_thread")]
async fn unknown_tasks_are_reported_and_frameworks_shut_down() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let unknown =
        v1::TaskStatus { task_id: "gone".into(), state: TaskRunning.into(), ..Default::default() };
    master
        .say(to_agent::Message::Reconcile(Reconcile {
            tasks: vec![unknown],
            framework_id: FRAMEWORK.to_owned(),
            partition_aware: true,
        }))
        .await;
    let status = master.wait_state("gone", TaskDropped).await;
    assert_eq!(status.reason(), Reason::Reconciliation);
    assert_eq!(status.source(), v1::task_status::Source::Agent);
    assert_eq!(status.message(), "Reconciliation: task unknown to the agent");
    assert!(status.uuid.is_some(), "it is repeated until it is acknowledged");
    master.launch(task("t", "sleep 1000")).await;
    // only now does the agent know that the framework tells lost tasks apart
    master.kill("never", None).await;
    let status = master.wait_state("never", TaskDropped).await;
    assert_eq!(status.reason(), Reason::ExecutorTerminated);
    assert_eq!(status.message(), "Cannot find executor");
    master.wait_state("t", TaskRunning).await;
    let index = master.next_index();
    let framework_id = FRAMEWORK.to_owned();
    master
        .say(to_agent::Message::ShutdownFramework(ShutdownFramework { framework_id, index }))
        .await;
    poll("cleanup", || {
        let left = std::fs::read_dir(agent.work_dir.join("run")).expect("listed").count();
        (left == 0).then_some(())
    });
}

/// gaps 51
#[tokio::test(flavor = "multi_thread")]
async fn a_framework_has_stopped_once_its_last_container_has_ended() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let [deaf, gate] = ["deaf", "gate"].map(|name| work.path().join(name));
    let (deaf_at, gate_at) = (deaf.display(), gate.display());
    let script =
        format!("trap '' TERM; touch {deaf_at}; while [ ! -e {gate_at} ]; do sleep 0.01; done");
    master.launch(task("t", &script)).await;
    poll("the task is deaf", || deaf.exists().then_some(()));
    let index = master.next_index();
    let framework_id = FRAMEWORK.to_owned();
    let shutdown = ShutdownFramework { framework_id, index };
    master.say(to_agent::Message::ShutdownFramework(shutdown)).await;
    let is_stopped = |it: &from_agent::Message| matches!(it, from_agent::Message::FrameworkStopped(it) if it.framework_id == FRAMEWORK);
    let is_said = |heard: &Heard| heard.messages.iter().any(is_stopped);
    let is_early = |heard: &Heard| (heard.confirmed >= index).then(|| is_said(heard));
    assert!(!master.wait_for("the directive is taken", is_early).await, "it runs");
    std::fs::write(&gate, "").expect("written");
    master.wait_for("the end", |heard| is_said(heard).then_some(())).await;
}

/// Whether a process has ended, though its parent may not know yet.
fn is_over(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z")
}

/// SIGUSR1: the agent says good-bye, ends its tasks and itself, and is a new one ever after.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_unregisters_ends_its_tasks_and_forgets_who_it_was() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    master.launch(task("t", "sleep 1000")).await;
    let status = master.wait_state("t", TaskRunning).await;
    let pid = status.container_status.and_then(|status| status.executor_pid).expect("a pid");
    assert!(agent.unregister().success(), "an end that was wanted");
    let said = master.heard.lock().expect("heard").messages.clone();
    let farewells =
        said.iter().filter(|message| matches!(message, from_agent::Message::Unregister(_)));
    assert_eq!(farewells.count(), 1, "{said:?}");
    assert!(is_over(pid), "its task ended before it");
    agent.restart();
    master.wait_connected(2).await;
    let hello = master.heard.lock().expect("heard").hellos.last().cloned().expect("a hello");
    assert_eq!((hello.agent_id.as_str(), hello.last_launch_index), ("", 0), "a new agent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_that_is_killed_takes_its_container_with_it() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    master.launch(task("t", "sleep 1000")).await;
    let status = master.wait_state("t", TaskRunning).await;
    let container = status.container_status.expect("a container");
    let id = container.container_id.expect("an id");
    let claim =
        std::fs::read_to_string(work.path().join(format!("run/{id}/claim"))).expect("a claim");
    let claim: serde_json::Value = serde_json::from_str(&claim).expect("JSON");
    let shim = nix::unistd::Pid::from_raw(claim["pid"].as_i64().expect("a pid") as i32);
    nix::sys::signal::kill(shim, nix::sys::signal::Signal::SIGKILL).expect("killed");
    let status = master.wait_state("t", TaskFailed).await;
    assert_eq!(status.reason(), Reason::ExecutorTerminated);
    let pid = container.executor_pid.expect("a pid");
    poll("end of the container", || is_over(pid).then_some(()));
}
