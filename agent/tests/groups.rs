//! Task groups on a real agent process, with a master that is none.

mod support;

use std::path::{Path, PathBuf};

use protocol::agents::{ShutdownExecutor, from_agent, to_agent};
use protocol::v1;
use protocol::v1::TaskState::{
    TaskDropped, TaskFailed, TaskFinished, TaskKilled, TaskKilling, TaskRunning, TaskStarting,
};
use protocol::v1::task_status::{Reason, Source};
use protocol::v1::volume::source::{self, SandboxPath, sandbox_path};
use serde_json::json;
use support::http::{get, post};
use support::{AgentProcess, FRAMEWORK, FakeMaster, default_executor, poll, task};

/// A master and an agent that has registered with it.
async fn connected(work: &Path) -> (FakeMaster, AgentProcess) {
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work);
    master.wait_connected(1).await;
    (master, agent)
}

/// The executor's newest sandbox.
fn sandbox(work: &Path, executor_id: &str) -> PathBuf {
    work.join(format!(
        "slaves/cluster-S0/frameworks/{FRAMEWORK}/executors/{executor_id}/runs/latest"
    ))
}

/// Waits for the end of an executor, and gives back its wait status.
async fn wait_executor(master: &FakeMaster, executor_id: &str) -> i32 {
    master
        .wait_for("end of the executor", |heard| {
            heard.messages.iter().find_map(|message| match message {
                from_agent::Message::ExecutorExited(exited)
                    if exited.executor_id == executor_id =>
                {
                    Some(exited.status)
                }
                _ => None,
            })
        })
        .await
}

fn states(master: &FakeMaster, task_id: &str) -> Vec<v1::TaskState> {
    master.heard.lock().expect("heard").states(task_id)
}

/// A script that says it runs, and then waits for ever.
fn waits(work: &Path, name: &str) -> String {
    format!("echo {name} >> {}; exec sleep 1000", work.join("ran").display())
}

/// What has run so far, in order of names.
fn ran(work: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(work.join("ran")).unwrap_or_default();
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_group_run_beside_one_another() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    let script = |id: &str| format!("echo $MESOS_TASK_ID $MESOS_EXECUTOR_ID; pwd; echo {id} >&2");
    master.launch_group("pod", vec![task("a", &script("a")), task("b", &script("b"))]).await;
    assert_eq!(wait_executor(&master, "pod").await, 0, "it ends when it has no task left");
    let mut parents = Vec::new();
    for id in ["a", "b"] {
        assert_eq!(states(&master, id), [TaskStarting, TaskRunning, TaskFinished]);
        let status = master.wait_state(id, TaskRunning).await;
        assert_eq!(status.source(), Source::Executor);
        assert_eq!(status.executor_id.map(|id| id.value).as_deref(), Some("pod"));
        let container = status.container_status.expect("a container");
        assert!(container.executor_pid.is_some());
        let container_id = container.container_id.expect("an id");
        let parent = container_id.parent.expect("a parent").value;
        // both where they are and under the task's name (semantics 268)
        let executor = sandbox(work.path(), "pod").parent().expect("runs").join(&parent);
        let own = executor.join("containers").join(&container_id.value);
        let output = std::fs::read_to_string(executor.join("tasks").join(id).join("stdout"));
        let place = own.canonicalize().expect("a sandbox");
        assert_eq!(output.expect("output"), format!("{id} pod\n{}\n", place.display()));
        assert_eq!(std::fs::read_to_string(own.join("stderr")).expect("output"), format!("{id}\n"));
        parents.push(parent);
    }
    assert_eq!(parents[0], parents[1], "one executor");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_takes_its_group_with_it_and_no_other() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    let go = work.path().join("go");
    let fails = format!("while [ ! -e {} ]; do sleep 0.01; done; exit 1", go.display());
    master.launch_group("pod", vec![task("fails", &fails), task("goes", "sleep 1000")]).await;
    master.launch_group("pod", vec![task("stays", &waits(work.path(), "stays"))]).await;
    for id in ["fails", "goes", "stays"] {
        master.wait_state(id, TaskRunning).await;
    }
    std::fs::write(&go, "").expect("written");
    let status = master.wait_state("fails", TaskFailed).await;
    assert_eq!(status.message(), "Command exited with status 1");
    let status = master.wait_state("goes", TaskKilled).await;
    assert_eq!(status.message(), "Command terminated with signal Terminated");
    assert_eq!(states(&master, "stays"), [TaskStarting, TaskRunning], "semantics 263");
    master.kill("stays", None).await;
    master.wait_state("stays", TaskKilled).await;
    assert_eq!(wait_executor(&master, "pod").await, 0);
    master.launch_group("pod", vec![task("again", "true")]).await;
    master.wait_state("again", TaskFinished).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ends_well_leaves_its_group_alone() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    master.launch_group("pod", vec![task("ends", "true"), task("stays", "sleep 1000")]).await;
    master.wait_state("ends", TaskFinished).await;
    master.wait_state("stays", TaskRunning).await;
    // answered after everything that the end of the other has brought about
    master.kill("never launched", None).await;
    master.wait_state("never launched", TaskDropped).await;
    assert_eq!(states(&master, "stays"), [TaskStarting, TaskRunning]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_of_one_kills_its_group() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    master.launch_group("pod", vec![task("a", "sleep 1000"), task("b", "sleep 1000")]).await;
    for id in ["a", "b"] {
        master.wait_state(id, TaskRunning).await;
    }
    master.kill("a", None).await;
    for id in ["a", "b"] {
        master.wait_state(id, TaskKilled).await;
        assert_eq!(states(&master, id), [TaskStarting, TaskRunning, TaskKilling, TaskKilled]);
    }
    assert_eq!(wait_executor(&master, "pod").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_all_groups_of_an_executor() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    for id in ["a", "b"] {
        master.launch_group("pod", vec![task(id, "sleep 1000")]).await;
        master.wait_state(id, TaskRunning).await;
    }
    let (framework_id, executor_id) = (FRAMEWORK.to_owned(), "pod".to_owned());
    let index = master.next_index();
    let shutdown = ShutdownExecutor { framework_id, executor_id, index };
    master.say(to_agent::Message::ShutdownExecutor(shutdown)).await;
    for id in ["a", "b"] {
        master.wait_state(id, TaskKilled).await;
    }
    assert_eq!(wait_executor(&master, "pod").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_cannot_start_takes_its_group_with_it() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    let mut stranger = task("stranger", "true");
    if let Some(command) = &mut stranger.command {
        command.uris = vec![v1::command_info::Uri {
            value: work.path().join("no such file").display().to_string(),
            ..Default::default()
        }];
    }
    master.launch_group("pod", vec![stranger, task("other", "sleep 1000")]).await;
    let status = master.wait_state("stranger", TaskFailed).await;
    assert_eq!(status.reason(), Reason::ContainerLaunchFailed);
    master.wait_state("other", TaskKilled).await;
    assert_eq!(wait_executor(&master, "pod").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_live_on_without_their_agent() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, mut agent) = connected(work.path()).await;
    let go = work.path().join("go");
    let ends = |id: &str, code: u8| {
        let (go, done) = (go.display(), work.path().join(format!("{id}.done")));
        let done = done.display();
        format!("while [ ! -e {go} ]; do sleep 0.01; done; touch {done}; exit {code}")
    };
    master
        .launch_group(
            "pod",
            vec![task("fails", &ends("fails", 3)), task("goes", &waits(work.path(), "goes"))],
        )
        .await;
    master
        .launch_group(
            "pod",
            vec![task("well", &ends("well", 0)), task("stays", &waits(work.path(), "stays"))],
        )
        .await;
    for id in ["fails", "goes", "well", "stays"] {
        master.wait_state(id, TaskRunning).await;
    }
    poll("both run", || (ran(work.path()).len() == 2).then_some(()));
    agent.kill();
    std::fs::write(&go, "").expect("written");
    poll("their ends", || {
        let is_done = |id: &&str| work.path().join(format!("{id}.done")).exists();
        ["fails", "well"].iter().all(is_done).then_some(())
    });
    agent.restart();
    master.wait_connected(2).await;
    let status = master.wait_state("fails", TaskFailed).await;
    assert_eq!(status.message(), "Command exited with status 3");
    master.wait_state("goes", TaskKilled).await;
    master.wait_state("well", TaskFinished).await;
    assert_eq!(states(&master, "stays"), [TaskStarting, TaskRunning]);
    master.kill("stays", None).await;
    master.wait_state("stays", TaskKilled).await;
    assert_eq!(wait_executor(&master, "pod").await, 0);
    assert_eq!(ran(work.path()), ["goes", "stays"], "each ran once");
    poll("cleanup", || {
        let left = std::fs::read_dir(work.path().join("run")).expect("listed").count();
        (left == 0).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_share_directories_of_their_executor() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    let with_volume = |task: v1::TaskInfo| {
        let sandbox_path =
            SandboxPath { r#type: Some(sandbox_path::Type::Parent.into()), path: "shared".into() };
        let source = v1::volume::Source {
            r#type: Some(source::Type::SandboxPath.into()),
            sandbox_path: Some(sandbox_path),
            ..Default::default()
        };
        let volume = v1::Volume {
            mode: v1::volume::Mode::Rw.into(),
            container_path: "common".to_owned(),
            source: Some(source),
            ..Default::default()
        };
        let container = v1::ContainerInfo {
            r#type: v1::container_info::Type::Mesos.into(),
            volumes: vec![volume],
            ..Default::default()
        };
        v1::TaskInfo { container: Some(container), ..task }
    };
    let writer = task("writer", "echo hello > common/draft; mv common/draft common/word");
    let reader = task("reader", "while [ ! -e common/word ]; do sleep 0.01; done; cat common/word");
    master.launch_group("pod", vec![with_volume(writer), with_volume(reader)]).await;
    master.wait_state("reader", TaskFinished).await;
    let executor = sandbox(work.path(), "pod");
    let output = std::fs::read_to_string(executor.join("tasks/reader/stdout"));
    assert_eq!(output.expect("output"), "hello\n");
    assert!(executor.join("shared/word").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_executor_and_its_containers() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, agent) = connected(work.path()).await;
    master.launch_group("pod", vec![task("a", "sleep 1000"), task("b", "sleep 1000")]).await;
    for id in ["a", "b"] {
        master.wait_state(id, TaskRunning).await;
    }
    let ask = |call: serde_json::Value| post(agent.port, "/api/v1", &call).json();
    let executors = ask(json!({ "type": "GET_EXECUTORS" }));
    let info = &executors["get_executors"]["executors"][0]["executor_info"];
    assert_eq!((&info["type"], &info["executor_id"]["value"]), (&json!("DEFAULT"), &json!("pod")));
    let containers = |shows: bool| {
        let call = json!({ "type": "GET_CONTAINERS", "get_containers": { "show_nested": shows } });
        ask(call)["get_containers"]["containers"].as_array().expect("containers").clone()
    };
    let [whole] = &containers(false)[..] else { panic!("one container has no parent") };
    assert_eq!(whole["executor_id"]["value"], json!("pod"));
    assert!(whole["resource_statistics"]["processes"].as_u64() >= Some(2), "{whole}");
    let all = containers(true);
    let nested: Vec<_> =
        all.iter().filter(|one| one["container_id"]["parent"] == whole["container_id"]).collect();
    assert_eq!((all.len(), nested.len()), (3, 2));
    assert!(nested.iter().all(|one| one["container_status"]["executor_pid"].is_u64()));
    let state = get(agent.port, "/state").json();
    let shown = &state["frameworks"][0]["executors"][0];
    assert_eq!(shown["type"], json!("DEFAULT"));
    let tasks = shown["tasks"].as_array().expect("tasks").iter();
    assert!(tasks.map(|task| &task["executor_id"]).eq([&json!("pod"), &json!("pod")]));
    let path = format!("{}/tasks/a", shown["directory"].as_str().expect("a directory"));
    let browsed = get(agent.port, &format!("/files/browse?path={path}"));
    assert!(browsed.text().contains("stdout"), "{}", browsed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_run_here_is_refused_whole() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let (master, _agent) = connected(work.path()).await;
    master.launch(task("plain", "sleep 1000")).await;
    master.wait_state("plain", TaskRunning).await;
    // its executor has the name of a command task's
    master.launch_group("plain", vec![task("a", "true"), task("b", "true")]).await;
    for id in ["a", "b"] {
        let status = master.wait_state(id, TaskDropped).await;
        assert_eq!(status.reason(), Reason::TaskInvalid);
    }
    // a task alone does not go with a default executor
    let alone = v1::TaskInfo { executor: Some(default_executor("pod")), ..task("c", "true") };
    master.launch(alone).await;
    assert_eq!(master.wait_state("c", TaskDropped).await.reason(), Reason::TaskInvalid);
    assert_eq!(states(&master, "plain"), [TaskStarting, TaskRunning]);
}
