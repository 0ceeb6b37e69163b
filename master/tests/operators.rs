//! What operators ask over the v1 API and over the endpoints from before it, and what they are sent.

mod world;

use protocol::v1::TaskState;
use serde_json::{Value, json};
use world::Cluster;
use world::agent::{Agent, hello};
use world::http::{get, request, send};
use world::scheduler::{Scheduler, info, operator};

const HAS: &str = "cpus:4;mem:1024;disk:100;ports:[31000-32000];cpus(db):1";
const DOMAIN: &str = r#"{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}"#;

/// An agent that says where it is.
async fn placed(address: &str) -> Agent {
    let mut hello = hello(HAS);
    if let Some(info) = &mut hello.info {
        info.domain = protocol::domain::parse(DOMAIN).ok();
    }
    Agent::connect(address, hello).await
}

fn check_keys(value: &Value, keys: &str) {
    for key in keys.split_whitespace() {
        assert!(value.get(key).is_some(), "{key} is not in {value}");
    }
}

/// semantics 287, 288, 290
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_has_every_key() {
    let cluster = Cluster::start_with(1, &["--cluster=test", "--domain", DOMAIN]).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = placed(&address).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t").await;
    agent.launch().await;
    let state = get(&address, "/state").await.json();
    check_keys(
        &state,
        "version git_sha git_branch git_tag build_date build_time build_user start_time
        elected_time id pid hostname capabilities activated_slaves deactivated_slaves
        unreachable_slaves domain leader leader_info cluster log_dir external_log_file flags slaves
        recovered_slaves frameworks completed_frameworks orphan_tasks unregistered_frameworks",
    );
    assert_eq!(state["cluster"], "test");
    assert_eq!(state["domain"]["fault_domain"]["zone"]["name"], "eu-1");
    assert_eq!(state["activated_slaves"].as_f64(), Some(1.0));
    for empty in ["orphan_tasks", "unregistered_frameworks"] {
        assert_eq!(state[empty], json!([]), "{empty}");
    }
    let slave = &state["slaves"][0];
    check_keys(
        slave,
        "id hostname port attributes pid registered_time resources used_resources
        offered_resources reserved_resources unreserved_resources active deactivated version
        capabilities domain",
    );
    let used = json!({"cpus": 1.0, "mem": 64.0, "disk": 0.0, "gpus": 0.0});
    assert_eq!(slave["used_resources"], used);
    assert_eq!(slave["resources"]["cpus"], 5.0);
    assert_eq!(slave["resources"]["ports"], "[31000-32000]");
    assert_eq!(slave["reserved_resources"]["db"]["cpus"], 1.0);
    assert_eq!(slave["unreserved_resources"]["cpus"], 4.0);
    let whole = get(&address, "/slaves").await.json()["slaves"][0].take();
    check_keys(
        &whole,
        "reserved_resources_full unreserved_resources_full used_resources_full
        offered_resources_full",
    );
    assert_eq!(whole["used_resources_full"][0]["role"], "*", "{whole}");
}

/// semantics 289: what a task says of itself is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_shown_with_its_limits_labels_and_health() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("first")).await;
    let mut agent = Agent::connect(&address, hello(HAS)).await;
    let offer = scheduler.offer().await;
    let scalar = |name: &str, value: f64| json!({"name": name, "type": "SCALAR", "scalar": {"value": value}});
    let task = json!({
        "name": "t", "task_id": {"value": "t"}, "agent_id": offer["agent_id"],
        "command": {"value": "true", "user": "someone"},
        "resources": [scalar("cpus", 1.0), scalar("mem", 64.0)],
        "limits": {"cpus": {"value": 2.5}},
        "labels": {"labels": [{"key": "k", "value": "v"}]},
        "discovery": {"visibility": "CLUSTER", "name": "d"},
        "health_check": {"type": "TCP", "tcp": {"port": 80}},
        "container": {"type": "MESOS"},
    });
    let launch = json!({"type": "LAUNCH", "launch": {"task_infos": [task]}});
    let accept = json!({"offer_ids": [offer["id"]], "operations": [launch]});
    scheduler.accepted(json!({"type": "ACCEPT", "accept": accept})).await;
    let launch = agent.launch().await;
    agent.report(&launch, TaskState::TaskRunning).await;
    scheduler.update().await;
    let tasks = get(&address, "/tasks").await.json();
    let shown = &tasks["tasks"][0];
    assert_eq!(shown["limits"], json!({"cpus": 2.5}), "{shown}");
    assert_eq!(shown["labels"], json!([{"key": "k", "value": "v"}]));
    assert_eq!((&shown["user"], &shown["role"]), (&json!("someone"), &json!("test")));
    check_keys(shown, "discovery container health_check statuses");
    assert_eq!(shown["statuses"][0]["state"], "TASK_RUNNING");
}

/// semantics 292, 310
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_end_frameworks() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let classic = async |id: &str| {
        let body = format!("frameworkId={id}");
        let answer = send(&address, request("POST", "/teardown", &[], body)).await;
        (answer.status, answer.text())
    };
    let call = async |id: &str| {
        let call = json!({"type": "TEARDOWN", "teardown": {"framework_id": {"value": id}}});
        let answer = operator(&address, &call).await;
        (answer.status, answer.text())
    };
    let unknown = (400, "No framework found with specified ID".to_owned());
    assert_eq!((classic("x").await, call("x").await), (unknown.clone(), unknown.clone()));
    let mut first = Scheduler::subscribe(&address, info("first")).await;
    assert_eq!(classic(&first.framework_id).await, (200, String::new()));
    assert_eq!(classic(&first.framework_id).await, unknown, "it is over");
    let mut second = Scheduler::subscribe(&address, info("second")).await;
    assert_eq!(call(&second.framework_id).await, (200, String::new()));
    for scheduler in [&mut first, &mut second] {
        while let Some(event) = scheduler.next().await {
            assert_ne!(event["type"], "ERROR", "the stream ends without a word: {event}");
        }
    }
}

/// semantics 294: what only reads takes any method, but for the status of maintenance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_takes_any_method() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    for path in ["/frameworks", "/slaves", "/state-summary", "/roles", "/state", "/tasks"] {
        let whole = get(&address, path).await.json();
        for method in ["POST", "PUT", "DELETE"] {
            let answer = send(&address, request(method, path, &[], "nonsense")).await;
            assert_eq!(answer.status, 200, "{method} {path}");
            assert_eq!(answer.json(), whole, "{method} {path}");
        }
    }
    let refused = send(&address, request("POST", "/maintenance/status", &[], "")).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET")));
}

/// semantics 309: what reads answers under its own name, what changes something with nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_named_after_their_call() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    for name in [
        "GET_HEALTH",
        "GET_FLAGS",
        "GET_VERSION",
        "GET_STATE",
        "GET_AGENTS",
        "GET_FRAMEWORKS",
        "GET_EXECUTORS",
        "GET_OPERATIONS",
        "GET_TASKS",
        "GET_ROLES",
        "GET_WEIGHTS",
        "GET_MASTER",
        "GET_QUOTA",
        "GET_MAINTENANCE_STATUS",
        "GET_MAINTENANCE_SCHEDULE",
    ] {
        let answer = operator(&address, &json!({ "type": name })).await;
        assert_eq!(answer.status, 200, "{name}");
        let answer = answer.json();
        assert_eq!(answer["type"], name);
        assert!(answer[name.to_lowercase()].is_object(), "{answer}");
    }
    let metrics = operator(&address, &json!({"type": "GET_METRICS", "get_metrics": {}})).await;
    assert!(metrics.json()["get_metrics"]["metrics"].is_array());
    let weigh = json!({"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": []}});
    let plan = json!({"type": "UPDATE_MAINTENANCE_SCHEDULE",
        "update_maintenance_schedule": {"schedule": {}}});
    for call in [weigh, plan] {
        let answer = operator(&address, &call).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{call}");
        assert_eq!(answer.header("content-length"), Some("0"));
    }
}

/// semantics 311 differs: resources that make no sense are refused in the same words by all calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_that_make_no_sense_are_refused_alike() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let agent = Agent::connect(&address, hello(HAS)).await;
    let bad = json!([{"name": "disk", "type": "SCALAR", "scalar": {"value": -1.0}}]);
    let mut texts = Vec::new();
    for (name, part) in [
        ("RESERVE_RESOURCES", "resources"),
        ("UNRESERVE_RESOURCES", "resources"),
        ("CREATE_VOLUMES", "volumes"),
        ("DESTROY_VOLUMES", "volumes"),
    ] {
        let call = json!({"agent_id": {"value": agent.id}, part: bad});
        let answer = operator(&address, &json!({"type": name, name.to_lowercase(): call})).await;
        assert_eq!(answer.status, 400, "{name}");
        let text = answer.text();
        let (_, fault) = text.split_once(": ").expect("which operation, then what is wrong");
        texts.push(fault.to_owned());
    }
    assert!(texts.iter().all(|text| *text == texts[0] && text.contains("disk")), "{texts:?}");
}

/// semantics 315
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_says_who_it_is() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let shown = operator(&address, &json!({"type": "GET_MASTER"})).await.json();
    let master = &shown["get_master"];
    let info = &master["master_info"];
    let (host, port) = address.rsplit_once(':').expect("host:port");
    assert_eq!((&info["hostname"], &info["port"].to_string()), (&json!(host), &port.to_owned()));
    for time in ["start_time", "elected_time"] {
        assert!(master[time].is_f64(), "{shown}");
    }
    assert!(master["elected_time"].as_f64() >= master["start_time"].as_f64(), "{shown}");
}

/// semantics 300
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_too_many_watchers_the_oldest_goes() {
    let flag = "--max_operator_event_stream_subscribers=2";
    let cluster = Cluster::start_with(1, &[flag]).await;
    let address = cluster.leader().await;
    let mut watchers = Vec::new();
    for _ in 0..3 {
        watchers.push(Scheduler::watch(&address).await);
    }
    let mut oldest = watchers.remove(0);
    while oldest.next().await.is_some() {}
    let _framework = Scheduler::subscribe(&address, info("seen")).await;
    for mut watcher in watchers {
        watcher.expect("FRAMEWORK_ADDED").await;
    }
}

/// semantics 268, 285; surface 21: a master shows the log that it is told of, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_shows_its_log() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(log.path(), "0123456789").expect("written");
    let flag = format!("--external_log_file={}", log.path().display());
    let cluster = Cluster::start_with(1, &[&flag]).await;
    let address = cluster.leader().await;
    for prefix in ["", "/master"] {
        let shown = get(&address, &format!("{prefix}/files/debug")).await.json();
        assert_eq!(shown, json!({"/master/log": log.path().display().to_string()}));
    }
    let check = async |query: &str, status: u16, expected: &str| {
        let answer = get(&address, &format!("/files/{query}")).await;
        assert_eq!((answer.status, answer.text()), (status, expected.to_owned()), "{query}");
    };
    let log_name = "path=/master/log";
    check(&format!("read?{log_name}"), 200, r#"{"data":"","offset":10}"#).await;
    check(&format!("read?{log_name}&offset=8"), 200, r#"{"data":"89","offset":8}"#).await;
    let wrapped = r#"f({"data":"0","offset":0})"#;
    check(&format!("read?{log_name}&offset=0&length=1&jsonp=f"), 200, wrapped).await;
    check(&format!("download?{log_name}"), 200, "0123456789").await;
    check(&format!("browse?{log_name}"), 404, "").await;
    check("read", 400, "Expecting 'path=value' in query.").await;
    check("read?path=/etc/passwd&offset=0", 404, "").await;
    check("download?path=/master/log/../x", 404, "").await;
    let call = json!({"type": "READ_FILE", "read_file": {"path": "/master/log", "offset": 7}});
    let read = operator(&address, &call).await.json();
    assert_eq!(read["read_file"], json!({"size": 10, "data": "Nzg5"}));
    let call = json!({"type": "LIST_FILES", "list_files": {"path": "/"}});
    assert_eq!(operator(&address, &call).await.status, 404);
    assert_eq!(get(&address, "/state").await.json()["external_log_file"], flag[20..]);
}
