//! Custom executors: the container is a real process, and the test speaks for it.

mod support;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use protocol::agents::{FrameworkMessage, ShutdownExecutor, from_agent, to_agent};
use protocol::v1;
use protocol::v1::TaskState::{TaskDropped, TaskFailed, TaskFinished, TaskKilled, TaskRunning};
use protocol::v1::task_status::Reason;
use serde_json::{Value, json};
use support::http::{Subscription, post};
use support::{AgentProcess, FRAMEWORK, FakeMaster, poll, task};

/// A task of the executor `e`, whose process does this.
fn custom(task_id: &str, executor: &str) -> v1::TaskInfo {
    let command = v1::CommandInfo { value: Some(executor.to_owned()), ..Default::default() };
    let executor = v1::ExecutorInfo {
        executor_id: "e".into(),
        command: Some(command),
        framework_id: Some(FRAMEWORK.into()),
        ..Default::default()
    };
    v1::TaskInfo { executor: Some(executor), command: None, ..task(task_id, "") }
}

fn call(kind: &str, rest: &Value) -> Value {
    let mut call = json!({
        "type": kind,
        "framework_id": { "value": FRAMEWORK },
        "executor_id": { "value": "e" },
    });
    if let (Value::Object(call), Value::Object(rest)) = (&mut call, rest) {
        call.extend(rest.clone());
    }
    call
}

fn update(task_id: &str, state: &str) -> (Value, String) {
    let uuid = BASE64_STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
    let status = json!({
        "task_id": { "value": task_id },
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "uuid": uuid,
        "data": "c3RhdHVz",
    });
    (status, uuid)
}

fn subscribe(unacknowledged: &Value) -> Value {
    call("SUBSCRIBE", &json!({ "subscribe": unacknowledged }))
}

/// Subscribes as soon as the agent knows the executor.
fn connect(agent: &AgentProcess, unacknowledged: &Value) -> Subscription {
    let connected = || {
        std::net::TcpStream::connect(("127.0.0.1", agent.port)).ok()?;
        Subscription::open(agent.port, &subscribe(unacknowledged)).ok()
    };
    let subscription = poll("executor", connected);
    subscription.expect("SUBSCRIBED");
    subscription
}

fn say(agent: &AgentProcess, executor: &Subscription, task_id: &str, state: &str) {
    let (status, uuid) = update(task_id, state);
    let answer = post(
        agent.port,
        "/api/v1/executor",
        &call("UPDATE", &json!({ "update": { "status": status } })),
    );
    assert_eq!(answer.status, 202, "{}", answer.text());
    let event = executor.expect("ACKNOWLEDGED");
    assert_eq!(event["acknowledged"]["uuid"], uuid);
}

/// semantics 192, 193, 199, 200: an update goes back to its executor as soon as it is on disk, and to the
/// master with what the agent knows of it.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_come_in_order_and_updates_go_back() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    for number in 0..20 {
        master.launch(custom(&format!("t{number}"), "sleep 1000")).await;
    }
    let executor = connect(&agent, &json!({}));
    for number in 0..20 {
        let event = executor.expect("LAUNCH");
        assert_eq!(event["launch"]["task"]["task_id"]["value"], format!("t{number}"));
    }
    say(&agent, &executor, "t0", "TASK_RUNNING");
    let status = master.wait_state("t0", TaskRunning).await;
    assert_eq!(status.data.as_deref(), Some(b"status".as_slice()));
    assert_eq!(status.executor_id, Some("e".into()));
    assert_eq!(status.agent_id, Some("cluster-S0".into()));
    assert!(status.timestamp.is_some_and(|at| at > 1.7e9), "{:?}", status.timestamp);
    let container = status.container_status.expect("a container");
    assert!(container.container_id.is_some(), "{container:?}");
    assert_eq!(container.network_infos[0].ip_addresses[0].ip_address(), "127.0.0.1");
    say(&agent, &executor, "t0", "TASK_FINISHED");
    master.wait_state("t0", TaskFinished).await;
    // After the end of a task nothing changes it, and its executor is answered all the same
    // (semantics 193).
    say(&agent, &executor, "t0", "TASK_FAILED");
    master.kill("t1", None).await;
    assert_eq!(executor.expect("KILL")["kill"]["task_id"]["value"], "t1");
    say(&agent, &executor, "t1", "TASK_KILLED");
    master.wait_state("t1", TaskKilled).await;
    assert_eq!(master.heard.lock().expect("heard").states("t0"), [TaskRunning, TaskFinished]);
}

/// semantics 97, 206, 255
#[tokio::test(flavor = "multi_thread")]
async fn groups_come_as_one_before_and_after_the_subscription() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut executor = custom("", "sleep 1000").executor.expect("an executor");
    executor.r#type = Some(v1::executor_info::Type::Custom.into());
    let group = |ids: [&str; 2]| ids.map(|id| task(id, "")).to_vec();
    let (killed, early, late) = (["gone", "gone too"], ["a", "b"], ["c", "d"]);
    for ids in [killed, early] {
        master.launch_group_on(executor.clone(), group(ids)).await;
    }
    master.kill("gone", None).await;
    for id in killed {
        let status = master.wait_state(id, TaskKilled).await;
        assert_eq!(status.reason(), Reason::TaskKilledDuringLaunch);
    }
    let stream = connect(&agent, &json!({}));
    for ids in [early, late] {
        if ids == late {
            master.launch_group_on(executor.clone(), group(ids)).await;
        }
        let event = stream.expect("LAUNCH_GROUP");
        let tasks = event["launch_group"]["task_group"]["tasks"].as_array().expect("tasks");
        let found = tasks.iter().map(|task| &task["task_id"]["value"]);
        assert!(found.eq(&ids.map(|id| json!(id))), "{event}");
        assert!(tasks.iter().all(|task| task["executor"]["executor_id"]["value"] == "e"));
    }
}

/// Mesos never finishes this many (semantics 328).
#[tokio::test(flavor = "multi_thread")]
async fn nine_thousand_tasks_reach_one_executor() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    for number in 0..9_000 {
        master.launch(custom(&format!("t{number}"), "sleep 1000")).await;
    }
    let executor = connect(&agent, &json!({}));
    for number in 0..9_000 {
        let event = executor.expect("LAUNCH");
        assert_eq!(event["launch"]["task"]["task_id"]["value"], format!("t{number}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_both_ways_and_a_shutdown_ends_the_executor() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut launched = custom("t", "exec sleep 1000");
    if let Some(executor) = &mut launched.executor {
        executor.shutdown_grace_period = Some(v1::DurationInfo { nanoseconds: 200_000_000 });
    }
    master.launch(launched).await;
    let executor = connect(&agent, &json!({}));
    executor.expect("LAUNCH");
    master
        .say(to_agent::Message::FrameworkMessage(FrameworkMessage {
            framework_id: FRAMEWORK.to_owned(),
            executor_id: "e".to_owned(),
            data: b"ping".as_slice().into(),
        }))
        .await;
    assert_eq!(executor.expect("MESSAGE")["message"]["data"], "cGluZw==");
    let message = call("MESSAGE", &json!({ "message": { "data": "cG9uZw==" } }));
    assert_eq!(post(agent.port, "/api/v1/executor", &message).status, 202);
    master
        .wait_for("a message", |heard| {
            heard.messages.iter().find_map(|message| match message {
                from_agent::Message::ExecutorMessage(message) => Some(message.data.clone()),
                _ => None,
            })
        })
        .await;
    let index = master.next_index();
    let (framework_id, executor_id) = (FRAMEWORK.to_owned(), "e".to_owned());
    let shutdown = ShutdownExecutor { framework_id, executor_id, index };
    master.say(to_agent::Message::ShutdownExecutor(shutdown)).await;
    executor.expect("SHUTDOWN");
    let status = master.wait_state("t", TaskFailed).await;
    assert_eq!(
        (status.reason(), status.message()),
        (Reason::ExecutorTerminated, "Executor terminated")
    );
    let raw = master
        .wait_for("its end", |heard| {
            heard.messages.iter().find_map(|message| match message {
                from_agent::Message::ExecutorExited(exited) => Some(exited.status),
                _ => None,
            })
        })
        .await;
    assert_eq!(raw, 9, "killed after its grace");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_exits_fails_its_tasks() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let go = work.path().join("go");
    let script = format!("until [ -e {} ]; do sleep 0.01; done; exit 3", go.display());
    master.launch(custom("t", &script)).await;
    master.launch(custom("queued", &script)).await;
    let executor = connect(&agent, &json!({}));
    executor.expect("LAUNCH");
    executor.expect("LAUNCH");
    say(&agent, &executor, "t", "TASK_RUNNING");
    std::fs::write(&go, "").expect("written");
    for id in ["t", "queued"] {
        let status = master.wait_state(id, TaskFailed).await;
        assert_eq!(status.reason(), Reason::ExecutorTerminated);
    }
    let answer = post(agent.port, "/api/v1/executor", &subscribe(&json!({})));
    assert_eq!(answer.status, 400, "{}", answer.text());
}

/// The master says what it believes of an executor, and nothing runs where that is wrong (semantics
/// 259).
#[tokio::test(flavor = "multi_thread")]
async fn tasks_for_another_executor_than_the_master_believes_are_dropped() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let late = custom("late", "sleep 1000");
    master.launch_saying(master.next_index(), late, false).await;
    let status = master.wait_state("late", TaskDropped).await;
    assert_eq!(status.reason(), Reason::ExecutorTerminated, "{}", status.message());
    // One that it is told to start may not be there, and one that never starts is reported.
    master.launch_saying(master.next_index(), custom("first", "sleep 1000"), true).await;
    let executor = connect(&agent, &json!({}));
    executor.expect("LAUNCH");
    master.launch_saying(master.next_index(), custom("again", "sleep 1000"), true).await;
    let status = master.wait_state("again", TaskDropped).await;
    assert_eq!(status.reason(), Reason::ExecutorTerminated, "{}", status.message());
    let mut misnamed = custom("..", "sleep 1000");
    if let Some(executor) = &mut misnamed.executor {
        executor.executor_id = "never".into();
    }
    master.launch_saying(master.next_index(), misnamed, true).await;
    master.wait_state("..", TaskDropped).await;
    let exited = master
        .wait_for("its end", |heard| {
            heard.messages.iter().find_map(|message| match message {
                from_agent::Message::ExecutorExited(exited) => Some(exited.clone()),
                _ => None,
            })
        })
        .await;
    assert_eq!((exited.executor_id.as_str(), exited.status), ("never", -1));
    master.launch_saying(master.next_index(), custom("second", "sleep 1000"), false).await;
    assert_eq!(executor.expect("LAUNCH")["launch"]["task"]["task_id"]["value"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_comes_back_to_a_restarted_agent() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let mut agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    for id in ["known", "lost", "other"] {
        master.launch(custom(id, "sleep 1000")).await;
    }
    let executor = connect(&agent, &json!({}));
    for _ in 0..3 {
        executor.expect("LAUNCH");
    }
    say(&agent, &executor, "known", "TASK_RUNNING");
    master.wait_state("known", TaskRunning).await;
    agent.restart();
    master.wait_connected(2).await;
    // It has `lost` and an update that never arrived; of `other` it never heard.
    let (status, uuid) = update("lost", "TASK_RUNNING");
    let executor = connect(
        &agent,
        &json!({
            "unacknowledged_tasks": [{
                "name": "lost", "task_id": { "value": "lost" }, "agent_id": { "value": "cluster-S0" },
            }],
            "unacknowledged_updates": [{ "status": status }],
        }),
    );
    assert_eq!(executor.expect("ACKNOWLEDGED")["acknowledged"]["uuid"], uuid);
    assert_eq!(executor.expect("LAUNCH")["launch"]["task"]["task_id"]["value"], "other");
    master.wait_state("lost", TaskRunning).await;
    // It has that task from before, and says no more of it.
    master.kill("known", None).await;
    assert_eq!(executor.expect("KILL")["kill"]["task_id"]["value"], "known");
    let newer = connect(&agent, &json!({}));
    executor.expect_end();
    drop(newer);
}

/// semantics 206
#[tokio::test(flavor = "multi_thread")]
async fn a_task_killed_before_its_executor_subscribed_is_never_delivered() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    master.launch(custom("t", "sleep 1000")).await;
    master.kill("t", None).await;
    let status = master.wait_state("t", TaskKilled).await;
    assert_eq!(status.reason(), Reason::TaskKilledDuringLaunch);
    assert_eq!(status.source(), v1::task_status::Source::Agent);
    poll("the end of an executor that nobody needs", || {
        let left = std::fs::read_dir(agent.work_dir.join("run")).expect("listed").count();
        (left == 0).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_with_the_right_status() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let path = "/slave(1)/api/v1/executor";
    let stranger = subscribe(&json!({}));
    assert_eq!(post(agent.port, path, &stranger).text(), "Framework cannot be found");
    master.launch(custom("t", "sleep 1000")).await;
    poll("the executor", || {
        let answer =
            post(agent.port, path, &call("MESSAGE", &json!({ "message": { "data": "" } })));
        (answer.status == 403).then_some(())
    });
    let (status, _) = update("t", "TASK_STAGING");
    for (bad, expected) in [
        (call("UPDATE", &json!({ "update": { "status": status } })), 400),
        (call("SUBSCRIBE", &json!({})), 400),
        (call("UNKNOWN", &json!({})), 501),
        (call("HEARTBEAT", &json!({})), 202),
        (call("NONSENSE", &json!({})), 400),
        (json!({ "type": "SUBSCRIBE" }), 400),
        (json!([]), 400),
    ] {
        assert_eq!(post(agent.port, path, &bad).status, expected, "{bad}");
    }
    let mut other = call("SUBSCRIBE", &json!({ "subscribe": {} }));
    other["executor_id"] = json!({ "value": "other" });
    assert_eq!(post(agent.port, path, &other).text(), "Executor cannot be found");
}
