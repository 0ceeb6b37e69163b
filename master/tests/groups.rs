//! Task groups, over real sockets.

mod world;

use std::collections::BTreeSet;

use protocol::agents::{
    ExecutorExited, ExecutorReport, Hello, LaunchGroup, TaskReport, Update, from_agent, to_agent,
};
use protocol::v1::{TaskInfo, TaskState, TaskStatus, task_status};
use serde_json::{Value, json};
use world::Cluster;
use world::agent::{Agent, hello};
use world::scheduler::{Scheduler, info, operator};

const HAS: &str = "cpus:4;mem:1024;disk:1024";

fn scalar(name: &str, value: f64) -> Value {
    json!({"name": name, "type": "SCALAR", "scalar": {"value": value}})
}

fn task(id: &str, offer: &Value) -> Value {
    json!({"name": id, "task_id": {"value": id}, "agent_id": offer["agent_id"],
        "command": {"value": "true"}, "resources": [scalar("cpus", 1.0), scalar("mem", 64.0)]})
}

fn executor(framework_id: &str) -> Value {
    json!({"type": "DEFAULT", "executor_id": {"value": "pod"},
        "framework_id": {"value": framework_id},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32.0), scalar("disk", 16.0)]})
}

/// Launches a group, and keeps nothing else of the offer.
async fn launch(scheduler: &Scheduler, offer: &Value, executor: &Value, tasks: &[Value]) {
    let group = json!({"type": "LAUNCH_GROUP", "launch_group": {"executor": executor,
        "task_group": {"tasks": tasks}}});
    let accept = json!({"offer_ids": [offer["id"]], "operations": [group],
        "filters": {"refuse_seconds": 0.0}});
    scheduler.accepted(json!({"type": "ACCEPT", "accept": accept})).await;
}

fn ids(group: &LaunchGroup) -> Vec<&str> {
    group.tasks.iter().map(|task| task.task_id.value.as_str()).collect()
}

fn framework_id(group: &LaunchGroup) -> String {
    let id = group.framework.as_ref().and_then(|it| it.id.clone());
    id.expect("an id").value
}

/// Reports a state of one task of a group.
async fn report(agent: &Agent, group: &LaunchGroup, task: &TaskInfo, state: TaskState) {
    let uuid = format!("{:<16.16}", format!("{}{}", task.task_id.value, state as i32));
    let status = TaskStatus {
        task_id: task.task_id.clone(),
        state: state as i32,
        source: Some(task_status::Source::Executor as i32),
        agent_id: Some(agent.id.as_str().into()),
        executor_id: Some("pod".into()),
        uuid: Some(uuid.into_bytes()),
        ..TaskStatus::default()
    };
    let (framework_id, latest_state) = (framework_id(group), status.state);
    let update = Update { framework_id, status: Some(status), latest_state };
    agent.say(from_agent::Message::Update(update)).await;
}

/// semantics 95
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_reaches_its_agent_as_one() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("pods")).await;
    let mut agent = Agent::connect(&address, hello(HAS)).await;
    let offer = scheduler.offer().await;
    let executor = executor(&scheduler.framework_id);
    launch(&scheduler, &offer, &executor, &[task("a", &offer), task("b", &offer)]).await;
    let group = agent.launch_group().await;
    assert_eq!((ids(&group), group.starts_executor), (vec!["a", "b"], true));
    let sent = group.executor.as_ref().expect("an executor");
    assert_eq!(sent.r#type(), protocol::v1::executor_info::Type::Default);
    let executors = operator(&address, &json!({"type": "GET_EXECUTORS"})).await.json();
    let shown = &executors["get_executors"]["executors"][0]["executor_info"];
    assert_eq!(shown["type"], "DEFAULT", "{executors}");
    let rest = scheduler.offer().await;
    assert_eq!(rest["executor_ids"], json!([{"value": "pod"}]));
    let cpus = rest["resources"].as_array().expect("resources").iter();
    let cpus = cpus.filter(|it| it["name"] == "cpus").map(|it| &it["scalar"]["value"]);
    assert!(cpus.eq([&json!(1.9)]), "the executor is charged once: {rest}");
    scheduler.accepted(json!({"type": "RECONCILE", "reconcile": {"tasks": []}})).await;
    for _ in 0..2 {
        assert_eq!(scheduler.update().await["state"], "TASK_STAGING");
    }
    // a second group on the same executor, which is not started again
    launch(&scheduler, &rest, &executor, &[task("c", &rest)]).await;
    let second = agent.launch_group().await;
    assert_eq!((ids(&second), second.starts_executor), (vec!["c"], false));
    scheduler.accepted(json!({"type": "KILL", "kill": {"task_id": {"value": "a"}}})).await;
    match agent.next().await {
        Some(to_agent::Message::Kill(kill)) => assert_eq!(kill.task_id, "a"),
        other => panic!("no kill: {other:?}"),
    }
    for task in group.tasks.iter().chain(&second.tasks) {
        report(&agent, &group, task, TaskState::TaskKilled).await;
        assert_eq!(scheduler.update().await["state"], "TASK_KILLED");
    }
    let (framework_id, executor_id) = (framework_id(&group), "pod".to_owned());
    let exited = ExecutorExited { framework_id, executor_id, status: 0 };
    agent.say(from_agent::Message::ExecutorExited(exited)).await;
    let failure = scheduler.expect("FAILURE").await;
    assert_eq!(failure["failure"]["executor_id"]["value"], "pod");
    assert_eq!(failure["failure"]["status"], 0);
}

/// Refusals as Mesos words and names them, recorded from it (semantics 88, 93, 97, 147 to 151, 326).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_with_a_fault_is_refused_whole() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("pods")).await;
    let _agent = Agent::connect(&address, hello(HAS)).await;
    let good = executor(&scheduler.framework_id);
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    let command = json!({"value": "true"});
    let small = json!([scalar("cpus", 0.001), scalar("mem", 32.0), scalar("disk", 1.0)]);
    let executors = [
        (with("type", json!("UNKNOWN")), "Unknown executor type"),
        (with("type", Value::Null), "'ExecutorInfo.type' must be set"),
        (with("type", json!("CUSTOM")), "'ExecutorInfo.command' must be set for 'CUSTOM' executor"),
        (with("command", command), "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"),
        (with("resources", small), "Executor 'pod' uses less CPUs (0.001)"),
        (with("framework_id", json!({"value": "x"})), "invalid FrameworkID (Actual: x"),
    ];
    for (executor, words) in &executors {
        let offer = scheduler.offer().await;
        launch(&scheduler, &offer, executor, &[task("a", &offer), task("b", &offer)]).await;
        check_refused(&mut scheduler, &["a", "b"], words).await;
    }
    let docker = json!({"type": "DOCKER", "docker": {"image": "x"}});
    let tasks = [
        ("resources", json!([scalar("cpus", 1e6)]), "required by task group and its executor"),
        ("container", docker, "Task 'b' is invalid: Docker ContainerInfo is not supported"),
        ("executor", executor_of_another(), "`ExecutorInfo` of task 'b' is different"),
        ("task_id", json!({"value": "a"}), "Task 'a' is invalid: Task has duplicate ID: a"),
    ];
    for (name, value, words) in tasks {
        let offer = scheduler.offer().await;
        let mut bad = task("b", &offer);
        bad[name] = value;
        let second = bad["task_id"]["value"].as_str().unwrap_or_default().to_owned();
        launch(&scheduler, &offer, &good, &[task("a", &offer), bad]).await;
        check_refused(&mut scheduler, &["a", &second], words).await;
    }
    let executors = operator(&address, &json!({"type": "GET_EXECUTORS"})).await.json();
    assert_eq!(executors["get_executors"]["executors"], json!([]), "{executors}");
}

fn executor_of_another() -> Value {
    json!({"type": "DEFAULT", "executor_id": {"value": "other"}})
}

async fn check_refused(scheduler: &mut Scheduler, ids: &[&str], words: &str) {
    for id in ids {
        let status = scheduler.update().await;
        assert_eq!(status["task_id"]["value"], *id, "{status}");
        assert_eq!(status["state"], "TASK_ERROR", "{status}");
        assert_eq!(status["reason"], "REASON_TASK_GROUP_INVALID", "{status}");
        let message = status["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{message} does not say {words}");
    }
}

/// What the agent says when it comes back, having taken the group or not.
fn again(agent: &Agent, group: &LaunchGroup, has_taken: bool) -> Hello {
    let framework_id = framework_id(group);
    let report = |task: &TaskInfo| TaskReport {
        framework_id: framework_id.clone(),
        task_id: task.task_id.value.clone(),
        executor_id: "pod".to_owned(),
        state: TaskState::TaskRunning as i32,
    };
    let taken: &[TaskInfo] = if has_taken { &group.tasks } else { &[] };
    let executor = ExecutorReport {
        framework_id: framework_id.clone(),
        executor_id: "pod".to_owned(),
        container_id: "c".to_owned(),
    };
    Hello {
        cluster_id: agent.welcome.cluster_id.clone(),
        agent_id: agent.id.clone(),
        tasks: taken.iter().map(report).collect(),
        executors: Vec::from_iter(has_taken.then_some(executor)),
        last_launch_index: if has_taken { group.index } else { group.index - 1 },
        ..hello(HAS)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_leader_owes_the_group_until_it_was_taken() {
    let mut cluster = Cluster::start(3).await;
    let first = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&first, info("pods")).await;
    let mut agent = Agent::connect(&first, hello(HAS)).await;
    let offer = scheduler.offer().await;
    let executor = executor(&scheduler.framework_id);
    launch(&scheduler, &offer, &executor, &[task("a", &offer), task("b", &offer)]).await;
    let group = agent.launch_group().await;
    cluster.stop(&first).await;
    let second = cluster.leader().await;
    let mut returned = Agent::connect(&second, again(&agent, &group, false)).await;
    let repeated = returned.launch_group().await;
    assert_eq!((repeated.index, ids(&repeated)), (group.index, vec!["a", "b"]));
    assert!(repeated.starts_executor);
    // one that has taken it hears only of what comes next
    let mut returned = Agent::connect(&second, again(&agent, &group, true)).await;
    let mut back = info("pods");
    back["id"] = json!({"value": scheduler.framework_id});
    let scheduler = Scheduler::subscribe(&second, back).await;
    scheduler.accepted(json!({"type": "KILL", "kill": {"task_id": {"value": "b"}}})).await;
    match returned.next().await {
        Some(to_agent::Message::Kill(kill)) => assert_eq!(kill.task_id, "b"),
        other => panic!("not the kill: {other:?}"),
    }
    let tasks = operator(&second, &json!({"type": "GET_TASKS"})).await.json();
    let tasks = tasks["get_tasks"]["tasks"].as_array().expect("tasks").iter();
    let known: BTreeSet<_> = tasks.map(|it| it["task_id"]["value"].as_str()).collect();
    assert_eq!(known, BTreeSet::from([Some("a"), Some("b")]), "{known:?}");
}
