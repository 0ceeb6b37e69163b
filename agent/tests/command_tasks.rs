//! Command tasks on a real agent process, with a master that is none.

mod support;

use std::time::{Duration, Instant};

use protocol::v1;
use protocol::v1::TaskState::{
    TaskFailed, TaskFinished, TaskKilled, TaskKilling, TaskRunning, TaskStarting,
};
use protocol::v1::task_status::Reason;
use support::{AgentProcess, FRAMEWORK, FakeMaster, task};

/// A script, the states it goes through, and the last update's message and reason.
async fn check(
    master: &FakeMaster,
    id: &str,
    script: &str,
    last: v1::TaskState,
    message: &str,
    reason: Option<Reason>,
) {
    master.launch(task(id, script)).await;
    let status = master.wait_state(id, last).await;
    assert_eq!(status.message(), message);
    assert_eq!(status.reason.map(|reason| Reason::try_from(reason).expect("known")), reason);
    let told = master.heard.lock().expect("heard").states(id);
    assert_eq!(told, [TaskStarting, TaskRunning, last]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_told_as_they_were() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    check(&master, "ok", "true", TaskFinished, "Command exited with status 0", None).await;
    check(&master, "three", "exit 3", TaskFailed, "Command exited with status 3", None).await;
    let killed = "Command terminated with signal Killed";
    check(&master, "nine", "kill -9 $$", TaskFailed, killed, None).await;
    let missing = "Command exited with status 127";
    check(&master, "none", "/no/such/binary", TaskFailed, missing, None).await;
    let mut limited = task("limit", "sleep 1000");
    limited.max_completion_time = Some(v1::DurationInfo { nanoseconds: 200_000_000 });
    master.launch(limited).await;
    let status = master.wait_state("limit", TaskFailed).await;
    assert_eq!(status.reason(), Reason::MaxCompletionTimeReached);
    drop(agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_find_their_sandbox_and_environment() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let file = work.path().join("data.txt");
    std::fs::write(&file, "fetched").expect("written");
    let script = "pwd; echo $MESOS_SANDBOX $MESOS_TASK_ID $OWN; cat data.txt; echo oops >&2";
    let mut wanted = task("env", script);
    if let Some(command) = &mut wanted.command {
        command.uris =
            vec![v1::command_info::Uri { value: file.display().to_string(), ..Default::default() }];
        let variable = v1::environment::Variable {
            name: "OWN".to_owned(),
            value: Some("value".to_owned()),
            ..Default::default()
        };
        command.environment = Some(v1::Environment { variables: vec![variable] });
    }
    master.launch(wanted).await;
    let status = master.wait_state("env", TaskFinished).await;
    let container = status.container_status.and_then(|status| status.container_id).expect("an id");
    let sandbox =
        work.path().canonicalize().expect("a path").join(format!(
            "slaves/cluster-S0/frameworks/{FRAMEWORK}/executors/env/runs/{container}"
        ));
    let path = sandbox.display();
    let output = std::fs::read_to_string(sandbox.join("stdout")).expect("output");
    assert_eq!(output, format!("{path}\n{path} env value\nfetched"));
    assert_eq!(std::fs::read_to_string(sandbox.join("stderr")).expect("output"), "oops\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_uri_or_user_fails_the_launch() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut no_file = task("uri", "true");
    let mut no_user = task("user", "true");
    let mut no_program = task("program", "no-such-program");
    if let (Some(uri), Some(user), Some(program)) =
        (&mut no_file.command, &mut no_user.command, &mut no_program.command)
    {
        let value = "/no/such/file".to_owned();
        uri.uris = vec![v1::command_info::Uri { value, ..Default::default() }];
        user.user = Some("no-such-user".to_owned());
        program.shell = Some(false);
    }
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped in part: only root switches users");
        }
    }
    let tasks = [
        (no_file, "/no/such/file", true),
        (no_user, "no-such-user", is_root),
        (no_program, "no-such-program", true),
    ];
    for (task, named, _) in tasks.into_iter().filter(|(.., applies)| *applies) {
        let id = task.task_id.value.clone();
        master.launch(task).await;
        let status = master.wait_state(&id, TaskFailed).await;
        assert_eq!(status.reason(), Reason::ContainerLaunchFailed);
        assert!(status.message().contains(named), "{}", status.message());
        assert_eq!(master.heard.lock().expect("heard").states(&id), [TaskFailed]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_ends_the_whole_tree() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let marker = format!("{}", 31_000 + std::process::id());
    // One child in a session of its own: it must not get away either.
    let script = format!("setsid sleep {marker} & sleep {marker} & wait");
    master.launch(task("tree", &script)).await;
    master.wait_state("tree", TaskRunning).await;
    let sleeps = || {
        let mut command = std::process::Command::new("pgrep");
        let found = command.args(["-fx", &format!("sleep {marker}")]).output().expect("pgrep");
        String::from_utf8_lossy(&found.stdout).lines().count()
    };
    support::poll("children", || (sleeps() == 2).then_some(()));
    master.kill("tree", None).await;
    let status = master.wait_state("tree", TaskKilled).await;
    assert_eq!(status.message(), "Command terminated with signal Terminated");
    assert_eq!(sleeps(), 0, "reported dead only when all are");
    let told = master.heard.lock().expect("heard").states("tree");
    assert_eq!(told, [TaskStarting, TaskRunning, TaskKilling, TaskKilled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ignores_sigterm_is_killed_after_its_grace() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let script = "trap '' TERM; touch ready; while :; do sleep 0.05; done";
    master.launch(task("stubborn", script)).await;
    let running = master.wait_state("stubborn", TaskRunning).await;
    let container = running.container_status.and_then(|status| status.container_id).expect("an id");
    let ready = work.path().join(format!(
        "slaves/cluster-S0/frameworks/{FRAMEWORK}/executors/stubborn/runs/{container}/ready"
    ));
    support::poll("trap", || ready.exists().then_some(()));
    let started = Instant::now();
    master.kill("stubborn", Some(Duration::from_secs(30))).await;
    master.wait_state("stubborn", TaskKilling).await;
    // The shim alone holds the grace: it is shortened, and then runs out, while the agent is dead.
    master.kill("stubborn", Some(Duration::from_millis(1_500))).await;
    master.kill("stubborn", Some(Duration::from_secs(60))).await;
    // What comes after the kills has arrived, so they have too.
    master.launch(task("later", "true")).await;
    master.wait_state("later", TaskRunning).await;
    agent.restart();
    let status = master.wait_state("stubborn", TaskKilled).await;
    assert_eq!(status.message(), "Command terminated with signal Killed");
    assert!(started.elapsed() < Duration::from_secs(25), "the shorter grace counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_health_check_kills_its_task() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut sick = task("sick", "touch healthy; sleep 1000");
    // Healthy once, and never again.
    let probe = "[ -e healthy ] && rm healthy";
    sick.health_check = Some(v1::HealthCheck {
        delay_seconds: Some(0.3),
        interval_seconds: Some(0.0),
        grace_period_seconds: Some(0.0),
        consecutive_failures: Some(2),
        command: Some(v1::CommandInfo { value: Some(probe.to_owned()), ..Default::default() }),
        ..Default::default()
    });
    master.launch(sick).await;
    let status = master.wait_state("sick", TaskKilled).await;
    assert_eq!(status.healthy, Some(false));
    let told = master.heard.lock().expect("heard").statuses("sick");
    let healthy: Vec<_> = told.iter().map(|status| status.healthy).collect();
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(healthy, [None, None, yes, no, no, no, no]);
    let told: Vec<_> = told.iter().skip(4).map(v1::TaskStatus::state).collect();
    assert_eq!(told, [TaskRunning, TaskKilling, TaskKilled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_general_check_is_told_once_per_change() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut checked = task("checked", "until [ -e enough ]; do sleep 0.01; done");
    // 4 three times, then 5, and the task ends.
    let probe = "echo >> tries; [ $(wc -l < tries) -le 3 ] && exit 4; touch enough; exit 5";
    let command = v1::CommandInfo { value: Some(probe.to_owned()), ..Default::default() };
    checked.check = Some(v1::CheckInfo {
        r#type: Some(v1::check_info::Type::Command.into()),
        command: Some(v1::check_info::Command { command }),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.05),
        ..Default::default()
    });
    master.launch(checked).await;
    master.wait_state("checked", TaskFinished).await;
    let told = master.heard.lock().expect("heard").statuses("checked");
    let code = |status: &v1::TaskStatus| status.check_status?.command?.exit_code;
    let mut codes: Vec<_> = told.iter().map(code).collect();
    codes.dedup();
    assert!(codes.starts_with(&[None, Some(4)]), "{codes:?}");
    assert!(told.len() <= 5, "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_killed_while_its_uri_hangs_never_runs() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let mut hanging = task("hanging", "true");
    if let Some(command) = &mut hanging.command {
        let value = format!("http://127.0.0.1:{port}/file");
        command.uris = vec![v1::command_info::Uri { value, ..Default::default() }];
    }
    master.launch(hanging).await;
    let (_connection, _) = silent.accept().expect("the fetcher comes");
    master.kill("hanging", None).await;
    let status = master.wait_state("hanging", TaskKilled).await;
    assert_eq!(status.reason(), Reason::TaskKilledDuringLaunch);
    assert_eq!(master.heard.lock().expect("heard").states("hanging"), [TaskKilled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_run_as_their_user() {
    if !nix::unistd::geteuid().is_root() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: only root switches users");
        }
        return;
    }
    let work = tempfile::Builder::new().permissions(open_to_all()).tempdir().expect("a directory");
    let master = FakeMaster::start().await;
    let _agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut other = task("other", "[ $(id -un) = nobody ] && touch mine && ! touch /etc/not-mine");
    if let Some(command) = &mut other.command {
        command.user = Some("nobody".to_owned());
    }
    master.launch(other).await;
    master.wait_state("other", TaskFinished).await;
}

fn open_to_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}
