//! Requests by the book, and requests that are not: statuses, headers and bodies.

mod world;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::Cluster;
use world::agent::{Agent, hello};
use world::http::{Answer, get, post, request, send};
use world::scheduler::{Scheduler, info, operator};

const JSON: (&str, &str) = ("content-type", "application/json");
const HEALTH: &str = r#"{"type":"GET_HEALTH"}"#;

/// semantics 24 to 30, 37, 307, 308, 317, 320
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_calls_are_checked_in_order() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let check = |method, headers: &'static [(&str, &str)], body: &'static str| {
        let address = address.clone();
        async move {
            let answer = send(&address, request(method, "/api/v1", headers, body)).await;
            (answer.status, answer.text())
        }
    };
    let (status, text) = check("GET", &[JSON], HEALTH).await;
    assert_eq!(status, 405);
    assert_eq!(text, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.");
    let (status, text) = check("POST", &[], HEALTH).await;
    assert_eq!((status, text.as_str()), (400, "Expecting 'Content-Type' to be present"));
    for content_type in ["application/json; charset=utf-8", "Application/JSON", "text/plain"] {
        let headers = [("content-type", content_type)];
        let answer = send(&address, request("POST", "/api/v1", &headers, HEALTH)).await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
    let (status, text) = check("POST", &[JSON], "{").await;
    assert_eq!(status, 400);
    assert!(text.starts_with("Failed to parse body into JSON: "), "{text}");
    let (status, text) = check("POST", &[JSON], r#"{"type":5}"#).await;
    assert_eq!(status, 400, "semantics 321");
    assert!(text.starts_with("Failed to convert JSON into Call protobuf: "), "{text}");
    let (status, text) = check("POST", &[JSON], "{}").await;
    assert_eq!(status, 400);
    let expected = "Failed to validate master::Call: Expecting 'type' to be present";
    assert_eq!(text, expected);
    assert_eq!(check("POST", &[JSON], r#"{"type":"GET_METRICS"}"#).await.0, 400);
    assert_eq!(check("POST", &[JSON], r#"{"type":"UNKNOWN"}"#).await.0, 501);
    assert_eq!(check("POST", &[JSON, ("accept", "text/html")], HEALTH).await.0, 406);
    let healthy = r#"{"type":"GET_HEALTH","get_health":{"healthy":true}}"#;
    for accept in ["*/*", "application/x-protobuf, application/json;q=0.1", "application/json"] {
        let answer = send(
            &address,
            request("POST", "/api/v1/operator", &[JSON, ("accept", accept)], HEALTH),
        )
        .await;
        assert_eq!((answer.status, answer.text().as_str()), (200, healthy), "{accept}");
        assert!(answer.header("date").is_some(), "semantics 38");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_says_how_long_the_body_would_be() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    for path in ["/health", "/version", "/state-summary"] {
        let whole = send(&address, request("GET", path, &[], "")).await.text().len();
        let head = send(&address, request("HEAD", path, &[], "")).await;
        assert_eq!((head.status, head.text().as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-length"), Some(&*whole.to_string()), "{path}");
    }
}

/// gaps 31
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_explained_who_is_offered_what() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let _agent = Agent::connect(&address, hello("cpus:4;mem:1024")).await;
    let mut greedy = Scheduler::subscribe(&address, info("greedy")).await;
    greedy.offer().await;
    let waiting = Scheduler::subscribe(&address, info("waiting")).await;
    let ask = |of: &str, more: &str| {
        let path = format!("/explain?framework_id={of}{more}");
        let address = address.clone();
        async move { get(&address, &path).await }
    };
    let verdict = |answer: &Answer| {
        let agent = answer.json()["roles"][0]["agents"][0].clone();
        (agent["verdict"].as_str().map(str::to_owned), agent["message"].as_str().map(str::to_owned))
    };
    let answer = ask(&greedy.framework_id, "").await;
    assert_eq!(verdict(&answer).0.as_deref(), Some("OFFERED"));
    let agent_id = answer.json()["roles"][0]["agents"][0]["agent_id"].clone();
    let agent_id = agent_id.as_str().expect("an id");
    let answer =
        ask(&waiting.framework_id, &format!("&agent_id={agent_id}&needs=cpus%3A4%3Bmem%3A1024"))
            .await;
    let (taken, message) = verdict(&answer);
    assert_eq!(taken.as_deref(), Some("TAKEN"));
    assert!(
        message.is_some_and(|message| message.contains(&greedy.framework_id)),
        "names who has it"
    );
    let answer = ask(&waiting.framework_id, "&needs=cpus:5").await;
    assert_eq!(verdict(&answer).0.as_deref(), Some("TOO_SMALL"));

    for (query, expected) in [
        ("", "explaining needs 'framework_id', as in /explain?framework_id=…".to_owned()),
        ("framework_id=x", "no framework 'x' is known".into()),
        ("framework_id=ID&agent_id=y", "no agent 'y' is known".into()),
        ("framework_id=ID&role=z", "framework 'ID' does not subscribe to role 'z'".into()),
        ("framework_id=ID&needs=cpus:1|mem:1", "needs: 'cpus:1|mem:1' names alternatives".into()),
        (
            "framework_id=ID&needs=cpus",
            "needs: 'cpus' is not of the form name:amount;name:amount with amounts above 0".into(),
        ),
    ] {
        let path =
            format!("/explain?{}", query.replace("ID", &waiting.framework_id).replace('|', "%7C"));
        let answer = get(&address, &path).await;
        assert_eq!(
            (answer.status, answer.text()),
            (400, expected.replace("ID", &waiting.framework_id))
        );
    }
}

/// semantics 24, 43, 44, 48, 50, 53, 54
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scheduler_calls_are_checked_in_order() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let scheduler = Scheduler::subscribe(&address, info("checked")).await;
    let id = &scheduler.framework_id;
    let path = "/api/v1/scheduler";
    let known = format!(r#"{{"type":"REVIVE","framework_id":{{"value":"{id}"}}}}"#);
    // in this order: each request breaks all the rules that come after the one it is refused for
    let again = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info("again")}});
    let (again, stream) = (again.to_string(), ("mesos-stream-id", "x"));
    let html = ("accept", "text/html");
    for (method, headers, body, status) in [
        ("PUT", vec![("content-type", "text/plain"), html, stream], "{", 405),
        ("POST", vec![html, stream], "{", 400),
        ("POST", vec![("content-type", "text/plain"), html, stream], "{", 415),
        ("POST", vec![JSON, html, stream], "{", 400),
        ("POST", vec![JSON, html, stream], r#"{"type":"SUBSCRIBE"}"#, 400),
        ("POST", vec![JSON, html, stream], again.as_str(), 406),
        ("POST", vec![JSON, stream], again.as_str(), 400),
    ] {
        let answer = send(&address, request(method, path, &headers, body.to_owned())).await;
        assert_eq!(answer.status, status, "{method} {headers:?} {body}: {}", answer.text());
    }
    let answer = post(&address, path, r#"{"type":"REVIVE"}"#).await;
    assert_eq!(answer.status, 400);
    let expected = "Failed to validate scheduler::Call: Expecting 'framework_id' to be present";
    assert_eq!(answer.text(), expected);
    for (call, name) in [
        ("ACKNOWLEDGE", "invalid_status_update_acknowledgements"),
        ("ACKNOWLEDGE_OPERATION_STATUS", "invalid_operation_status_update_acknowledgements"),
    ] {
        assert_eq!(post(&address, path, &json!({ "type": call }).to_string()).await.status, 400);
        let metrics = get(&address, "/metrics/snapshot").await.json();
        assert_eq!(metrics[format!("master/{name}")], 1.0, "semantics 44: {metrics}");
    }
    let answer = post(&address, path, r#"{"type":"REVIVE","framework_id":{"value":"x"}}"#).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, "Framework cannot be found"));
    let answer = post(&address, path, &known).await;
    let expected = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
    assert_eq!((answer.status, answer.text().as_str()), (400, expected));
    let wrong = [JSON, ("mesos-stream-id", "wrong")];
    let answer = send(&address, request("POST", path, &wrong, known.clone())).await;
    assert_eq!(answer.status, 400);
    let expected = format!(
        "The stream ID 'wrong' included in this request didn't match the stream ID currently \
         associated with framework ID {id}"
    );
    assert_eq!(answer.text(), expected);
    scheduler.accepted(json!({"type": "REVIVE"})).await;
    scheduler.accepted(json!({"type": "SUPPRESS"})).await;
    scheduler
        .accepted(json!({"type": "DECLINE", "decline": {"offer_ids": [{"value": "x"}]}}))
        .await;
    assert_eq!(scheduler.call(json!({"type": "UNKNOWN"})).await.status, 501);

    let subscribe = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info("again")}});
    let headers = [JSON, ("mesos-stream-id", "x")];
    let answer = send(&address, request("POST", path, &headers, subscribe.to_string())).await;
    let expected = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
    assert_eq!((answer.status, answer.text().as_str()), (400, expected));
}

/// semantics 49, 52, 56
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_has_an_id_of_its_own_and_begins_with_subscribed() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut first = Scheduler::try_subscribe(&address, info("first")).await;
    let subscribed = first.next().await.expect("an event");
    assert_eq!(subscribed["type"], "SUBSCRIBED");
    let subscribed = &subscribed["subscribed"];
    assert_eq!(subscribed["heartbeat_interval_seconds"], 15.0);
    assert_eq!(subscribed["master_info"]["address"]["ip"], "127.0.0.1", "{subscribed}");
    assert_eq!(first.next().await.expect("an event")["type"], "HEARTBEAT");
    let second = Scheduler::subscribe(&address, info("second")).await;
    for id in [&first.stream_id, &second.stream_id] {
        let groups: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
    }
    assert_ne!(first.stream_id, second.stream_id);

    let (id, stream_id) = (second.framework_id.clone(), second.stream_id.clone());
    drop(second);
    let refused = || async {
        let headers = [JSON, ("mesos-stream-id", stream_id.as_str())];
        let call = format!(r#"{{"type":"REVIVE","framework_id":{{"value":"{id}"}}}}"#);
        let answer = send(&address, request("POST", "/api/v1/scheduler", &headers, call)).await;
        (answer.status, answer.text().as_str()) == (403, "Framework is not subscribed")
    };
    world::eventually("the framework to be known as away", refused).await;
}

/// semantics 55, 59, 60, 61
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_frameworks_come_as_errors() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let refused = |info: serde_json::Value| {
        let address = address.clone();
        async move {
            let mut scheduler = Scheduler::try_subscribe(&address, info).await;
            let event = scheduler.next().await.expect("an event");
            assert_eq!(event["type"], "ERROR", "{event}");
            assert_eq!(scheduler.next().await, None, "the stream ends");
            event["error"]["message"].as_str().expect("text").to_owned()
        }
    };
    let mut bad = info("bad");
    bad["roles"] = json!(["a/../b"]);
    assert!(refused(bad).await.contains("a/../b"));

    let mut first = Scheduler::subscribe(&address, info("taken over")).await;
    let mut same = info("taken over");
    same["id"] = json!({"value": first.framework_id});
    let second = Scheduler::subscribe(&address, same.clone()).await;
    let event = first.expect("ERROR").await;
    assert_eq!(event["error"]["message"], "Framework failed over");
    assert_eq!(first.next().await, None);

    let mut other = same.clone();
    other["principal"] = json!("someone");
    assert_eq!(refused(other).await, "Changing framework's principal is not allowed.");

    second.accepted(json!({"type": "TEARDOWN"})).await;
    assert_eq!(refused(same).await, "Framework has been removed");
}

/// semantics 75: with no failover timeout the framework goes with its stream
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_framework_goes_with_its_stream() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut fleeting = info("fleeting");
    fleeting["failover_timeout"] = json!(0.0);
    drop(Scheduler::subscribe(&address, fleeting).await);
    drop(Scheduler::subscribe(&address, info("lasting")).await);
    let gone = || async {
        let frameworks = get(&address, "/frameworks").await.json();
        frameworks["completed_frameworks"].as_array().is_some_and(|over| over.len() == 1)
            && frameworks["frameworks"][0]["connected"] == false
    };
    world::eventually("the framework to be removed", gone).await;
}

/// semantics 37 and 295; unknown paths
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_have_the_right_shape() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let health = get(&address, "/health").await;
    assert_eq!((health.status, health.header("content-length")), (200, Some("0")));
    for path in ["/", "/nope", "/state.json", "/redirect/x", "/master/../version"] {
        assert_eq!(get(&address, path).await.status, 404, "{path}");
    }
    let gzip = [("accept-encoding", "gzip")];
    let packed = send(&address, request("GET", "/state", &gzip, "")).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.body[..2], [0x1f, 0x8b]);
    let small = send(&address, request("GET", "/version", &gzip, "")).await;
    assert_eq!(small.header("content-encoding"), None);
    let head = send(&address, request("HEAD", "/state", &[], "")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(send(&address, request("DELETE", "/state", &[], "")).await.status, 200);
    let teardown = |form: &'static str| {
        let address = address.clone();
        async move { send(&address, request("POST", "/teardown", &[], form)).await.status }
    };
    assert_eq!(teardown("").await, 400);
    assert_eq!(teardown("frameworkId=x").await, 400);
    assert_eq!(get(&address, "/teardown").await.status, 405);
}

/// Input that is out to do harm gets an answer, and the master goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_input_harms_nobody() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let huge = vec![b' '; (16 << 20) + 1];
    let answer = send(&address, request("POST", "/api/v1", &[JSON], huge)).await;
    assert_eq!(answer.status, 413);
    let announced = b"POST /api/v1 HTTP/1.1\r\nhost: x\r\ncontent-length: 900000000\r\n\r\n{";
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    stream.write_all(announced).await.expect("written");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("a status");
    assert_eq!(&status, b"HTTP/1.1 413", "the rest is not waited for");
    let deep = "[".repeat(100_000);
    assert_eq!(post(&address, "/api/v1", &deep).await.status, 400);
    let deep = format!(r#"{{"type":{}"#, r#"{"a":"#.repeat(10_000));
    assert_eq!(post(&address, "/api/v1/scheduler", &deep).await.status, 400);
    let garbage = [("content-type", "application/x-protobuf")];
    let answer = send(&address, request("POST", "/api/v1", &garbage, vec![0xff; 64])).await;
    assert_eq!(answer.status, 400);
    let packed = [JSON, ("content-encoding", "gzip")];
    let answer = send(&address, request("POST", "/api/v1", &packed, "no gzip")).await;
    assert_eq!(answer.status, 400);
    for raw in [
        &b"FOO\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(raw).await.expect("written");
        stream.shutdown().await.expect("half closed");
        let mut answer = Vec::new();
        // closed without a word, or with a 400
        let _ = stream.read_to_end(&mut answer).await;
    }
    assert_eq!(operator(&address, &json!({"type": "GET_HEALTH"})).await.status, 200);
}

/// The keys that real Mesos has are here too, in the same types.
fn check_shape(path: &str, golden: &serde_json::Value, ours: &serde_json::Value) {
    use serde_json::Value;
    match (golden, ours) {
        (Value::Object(golden), Value::Object(ours)) => {
            for (key, value) in golden {
                let found = ours.get(key).unwrap_or_else(|| panic!("{path} lacks {key}"));
                check_shape(&format!("{path}.{key}"), value, found);
            }
        }
        (Value::Array(golden), Value::Array(ours)) => {
            if let (Some(golden), Some(ours)) = (golden.first(), ours.first()) {
                check_shape(&format!("{path}[0]"), golden, ours);
            }
        }
        (golden, ours) => assert_eq!(
            std::mem::discriminant(golden),
            std::mem::discriminant(ours),
            "{path}: {golden} against {ours}"
        ),
    }
}

fn golden(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("a recording")
}

/// semantics 287
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_have_the_shape_of_real_ones() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut scheduler = Scheduler::subscribe(&address, info("viewed")).await;
    let mut agent = Agent::connect(&address, hello("cpus:4;mem:1024;disk:100;ports:[1-9]")).await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t1").await;
    let launch = agent.launch().await;
    agent.report(&launch, protocol::v1::TaskState::TaskRunning).await;
    scheduler.update().await;
    let classic = |path: &'static str| {
        let address = address.clone();
        async move { get(&address, path).await }
    };
    let check = |name: &str, golden: serde_json::Value, answer: &Answer| {
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        check_shape(name, &golden, &answer.json());
    };
    check("state", golden(include_str!("golden/state.json")), &classic("/state").await);
    check("slaves", golden(include_str!("golden/slaves.json")), &classic("/slaves").await);
    check(
        "frameworks",
        golden(include_str!("golden/frameworks.json")),
        &classic("/master/frameworks").await,
    );
    check("tasks", golden(include_str!("golden/tasks.json")), &classic("/tasks").await);
    check("roles", golden(include_str!("golden/roles.json")), &classic("/roles").await);
    check(
        "summary",
        golden(include_str!("golden/state-summary.json")),
        &classic("/state-summary").await,
    );
    for (call, recorded) in [
        ("GET_STATE", include_str!("golden/GET_STATE.json")),
        ("GET_AGENTS", include_str!("golden/GET_AGENTS.json")),
        ("GET_FRAMEWORKS", include_str!("golden/GET_FRAMEWORKS.json")),
        ("GET_TASKS", include_str!("golden/GET_TASKS.json")),
        ("GET_EXECUTORS", include_str!("golden/GET_EXECUTORS.json")),
        ("GET_ROLES", include_str!("golden/GET_ROLES.json")),
        ("GET_MASTER", include_str!("golden/GET_MASTER.json")),
    ] {
        check(call, golden(recorded), &operator(&address, &json!({"type": call})).await);
    }
}

/// semantics 94, 297, 298
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_hear_what_happens() {
    let cluster = Cluster::start(1).await;
    let address = cluster.leader().await;
    let mut operator = Scheduler::watch(&address).await;
    let event = operator.next().await.expect("an event");
    assert_eq!(event["type"], "SUBSCRIBED");
    let state = &event["subscribed"]["get_state"];
    for part in ["get_tasks", "get_executors", "get_frameworks", "get_agents"] {
        assert!(state[part].is_object(), "{part}");
    }
    assert_eq!(event["subscribed"]["heartbeat_interval_seconds"], 15.0);
    assert_eq!(state["get_tasks"]["tasks"], json!([]));
    assert_eq!(operator.next().await.expect("an event")["type"], "HEARTBEAT");

    let mut scheduler = Scheduler::subscribe(&address, info("watched")).await;
    let added = operator.expect("FRAMEWORK_ADDED").await;
    let id = &added["framework_added"]["framework"]["framework_info"]["id"]["value"];
    assert_eq!(id, scheduler.framework_id.as_str());
    let mut agent = Agent::connect(&address, hello("cpus:4;mem:1024")).await;
    operator.expect("AGENT_ADDED").await;
    let offer = scheduler.offer().await;
    scheduler.launch(&offer, "t1").await;
    let added = operator.expect("TASK_ADDED").await;
    assert_eq!(added["task_added"]["task"]["state"], "TASK_STAGING");
    let launch = agent.launch().await;
    agent.report(&launch, protocol::v1::TaskState::TaskRunning).await;
    let updated = operator.expect("TASK_UPDATED").await;
    assert_eq!(updated["task_updated"]["state"], "TASK_RUNNING");
    scheduler.accepted(json!({"type": "TEARDOWN"})).await;
    operator.expect("FRAMEWORK_REMOVED").await;
}
