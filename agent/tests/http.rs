//! The agent's HTTP port beside exchanges recorded from a real Mesos agent: the same statuses,
//! content types and shapes. `tests/golden/*.jsonl` hold one exchange a line.

mod support;

use std::collections::BTreeSet;

use protocol::v1;
use protocol::v1::TaskState::{TaskFinished, TaskRunning};
use serde::Deserialize;
use serde_json::{Value, json};
use support::http::{get, post, send};
use support::{AgentProcess, FRAMEWORK, FakeMaster, task};

/// One recorded exchange.
#[derive(Debug, Deserialize)]
struct Exchange {
    name: String,
    /// First line of the request.
    request: String,
    headers: Vec<String>,
    /// Body of the request, in hexadecimal.
    body: String,
    status: u16,
    content_type: Option<String>,
    /// Body of the answer, if that was JSON.
    answer: Option<String>,
}

impl Exchange {
    fn body(&self) -> Vec<u8> {
        let digits = self.body.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.map(|pair| byte(pair).expect("hexadecimal")).collect()
    }
}

fn read(lines: &str) -> Vec<Exchange> {
    lines.lines().map(|line| serde_json::from_str(line).expect("an exchange")).collect()
}

/// Paths of all fields of a JSON value, elements of arrays as one.
fn shape(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(value, &format!("{path}.{name}"), paths);
            }
        }
        Value::Array(items) => {
            paths.insert(format!("{path}[]"));
            for item in items {
                shape(item, &format!("{path}[]"), paths);
            }
        }
        _ => {
            paths.insert(path.to_owned());
        }
    }
}

/// Fields that Mesos shows and this agent does not, each for a reason.
fn is_excused(path: &str) -> bool {
    // Flags that this agent does not have.
    let flags = [".flags", ".get_flags"];
    // A command task has no executor of its own weight here.
    let executors = ["executor_info.command", "executor_info.resources"];
    // Metrics of parts that this agent does not have.
    let metrics = ["resource_provider_manager", "fetcher/cache", "provisioner/", ".get_metrics"];
    // One of the recorded tasks was checked, and one ran for too long.
    let checks = ["health", "check_status", "statuses[].reason"];
    let all = flags.iter().chain(&executors).chain(&metrics).chain(&checks);
    all.clone().any(|part| path.contains(part))
}

/// Replays one exchange and says how the answers differ.
fn compare(agent: &AgentProcess, exchange: &Exchange, ignore_shape: bool) -> Vec<String> {
    let answer = send(agent.port, &exchange.request, &exchange.headers, &exchange.body());
    let mut differences = Vec::new();
    if answer.status != exchange.status {
        differences.push(format!(
            "{} instead of {}: {}",
            answer.status,
            exchange.status,
            answer.text()
        ));
    }
    let content_type = answer.headers.get("content-type");
    if content_type != exchange.content_type.as_ref() {
        differences.push(format!("{content_type:?} instead of {:?}", exchange.content_type));
    }
    let recorded =
        exchange.answer.as_ref().map(|answer| serde_json::from_str(answer).expect("JSON"));
    if let (Some(recorded), false, 200) = (recorded, ignore_shape, answer.status) {
        let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
        shape(&answer.json(), "", &mut ours);
        shape(&recorded, "", &mut theirs);
        let missing = theirs.into_iter().filter(|path| !ours.contains(path) && !is_excused(path));
        differences.extend(missing.map(|path| format!("{path} is missing")));
    }
    differences.iter().map(|difference| format!("{}: {difference}", exchange.name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_negotiated_as_mesos_does() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let exchanges = read(include_str!("golden/negotiation.jsonl"));
    assert!(exchanges.len() > 40);
    let compare =
        |exchange: &Exchange| compare(&agent, exchange, exchange.name.contains("version"));
    let differences: Vec<String> = exchanges.iter().flat_map(compare).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

/// semantics 277
#[tokio::test(flavor = "multi_thread")]
async fn types_of_records_are_for_streams_alone() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let json = "Content-Type: application/json";
    let records = "Content-Type: application/recordio";
    let (content, accept) = ("Message-Content-Type: application/json", "Message-Accept: */*");
    for (headers, status) in [
        (vec![json], 200),
        (vec![json, content], 415),
        (vec![json, accept], 406),
        (vec![json, accept, "Accept: application/recordio"], 406),
        (vec![records], 400),
        (vec![records, "Message-Content-Type: text/html"], 415),
    ] {
        let headers: Vec<String> = headers.into_iter().map(str::to_owned).collect();
        let call = br#"{"type":"GET_HEALTH"}"#;
        let answer = send(agent.port, "POST /api/v1 HTTP/1.1", &headers, call);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
}

/// semantics 307, 308
#[tokio::test(flavor = "multi_thread")]
async fn calls_without_their_part_are_refused_in_the_words_of_mesos() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let bare = br#"{"type":"GET_METRICS"}"#;
    let json = ["Content-Type: application/json".to_owned()];
    let answer = send(agent.port, "POST /api/v1 HTTP/1.1", &json, bare);
    let expected = "Failed to validate agent::Call: Expecting 'get_metrics' to be present";
    assert_eq!((answer.status, answer.text().as_str()), (400, expected));
    let bare = br#"{"type":"UPDATE","framework_id":{"value":"f"},"executor_id":{"value":"e"}}"#;
    let answer = send(agent.port, "POST /api/v1/executor HTTP/1.1", &json, bare);
    let expected = "Failed to validate Executor::Call: Expecting 'update' to be present";
    assert_eq!((answer.status, answer.text().as_str()), (400, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_endpoints_answer_pages_of_other_sites() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    for path in ["/version", "/state", "/flags", "/metrics/snapshot", "/containers"] {
        let answer = get(agent.port, &format!("{path}?jsonp=a.cb"));
        let content_type = answer.headers.get("content-type").map(String::as_str);
        assert_eq!((answer.status, content_type), (200, Some("text/javascript")), "{path}");
        let text = answer.text();
        let json = text.strip_prefix("a.cb(").and_then(|rest| rest.strip_suffix(')'));
        serde_json::from_str::<Value>(json.expect("a call")).expect("JSON");
    }
    assert_eq!(get(agent.port, "/state?jsonp=alert(1)//").status, 400);
    let state = support::poll("a master", || {
        let state = get(agent.port, "/state").json();
        state.get("master_hostname").is_some().then_some(state)
    });
    assert_eq!(state["master_hostname"], "fake.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_task_is_shown_as_mesos_shows_it() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let mut ended = task("t-echo", "echo hello");
    let mut running = task("t-sleep", "sleep 1000");
    describe(&mut ended);
    for task in [&mut ended, &mut running] {
        for resource in &mut task.resources {
            let role = Some("golden".to_owned());
            resource.allocation_info = Some(v1::resource::AllocationInfo { role });
        }
    }
    master.launch(ended).await;
    master.wait_state("t-echo", TaskFinished).await;
    // Its framework is over then, and its task with it: until the next one begins.
    support::poll("the end of the first", || {
        let state = get(agent.port, "/state").json();
        let over = state["completed_frameworks"][0]["completed_executors"][0]["completed_tasks"]
            .as_array()?
            .len();
        (over == 1).then_some(())
    });
    let over = get(agent.port, "/state").json();
    master.launch(running).await;
    master.wait_state("t-sleep", TaskRunning).await;
    let exchanges = read(include_str!("golden/running.jsonl"));
    let mut differences = Vec::new();
    for exchange in &exchanges {
        // Their completed frameworks are another one's than the running one's; ours are the same.
        let shape_elsewhere = ["running-state", "(1)_state", "GET_FRAMEWORKS", "GET_STATE"];
        let ignore_shape = shape_elsewhere.iter().any(|name| exchange.name.ends_with(name));
        differences.extend(compare(&agent, exchange, ignore_shape));
    }
    assert!(differences.is_empty(), "{differences:#?}");
    check_state(&exchanges, &get(agent.port, "/state").json(), &over);
}

/// What the recorded tasks had besides.
fn describe(task: &mut v1::TaskInfo) {
    let label = v1::Label { key: "a".to_owned(), value: Some("b".to_owned()) };
    let port = v1::Port {
        number: 80,
        name: Some("web".to_owned()),
        protocol: Some("tcp".to_owned()),
        ..Default::default()
    };
    task.labels = Some(v1::Labels { labels: vec![label] });
    task.discovery = Some(v1::DiscoveryInfo {
        visibility: v1::discovery_info::Visibility::Cluster.into(),
        name: Some("d".to_owned()),
        ports: Some(v1::Ports { ports: vec![port] }),
        ..Default::default()
    });
}

/// Both the running framework's and the ended one's fields are there, though at different times.
fn check_state(exchanges: &[Exchange], running: &Value, over: &Value) {
    let recorded = exchanges.iter().find(|exchange| exchange.name.ends_with("/running-state"));
    let recorded = recorded.and_then(|exchange| exchange.answer.as_ref()).expect("recorded");
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    shape(running, "", &mut ours);
    shape(over, "", &mut ours);
    shape(&serde_json::from_str(recorded).expect("JSON"), "", &mut theirs);
    let is_missing = |path: &&String| !ours.contains(*path) && !is_excused(path);
    let missing: Vec<&String> = theirs.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(running["unreserved_resources_allocated"]["cpus"], 0.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_are_listed_read_and_downloaded() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let script = "printf 0123456789; ln -s /etc/passwd out; mkdir d; mkfifo pipe";
    master.launch(task("t", script)).await;
    master.wait_state("t", TaskFinished).await;
    let real = work
        .path()
        .canonicalize()
        .expect("a path")
        .join(format!("slaves/cluster-S0/frameworks/{FRAMEWORK}/executors/t/runs/latest"));
    let virtual_path = format!("/frameworks/{FRAMEWORK}/executors/t/runs/latest");
    for sandbox in [real.display().to_string(), virtual_path] {
        let listed = get(agent.port, &format!("/files/browse?path={sandbox}")).json();
        let paths: Vec<&str> = listed
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|file| file["path"].as_str())
            .collect();
        let expected =
            ["d", "out", "pipe", "stderr", "stdout"].map(|name| format!("{sandbox}/{name}"));
        assert_eq!(paths, expected);
        let part =
            get(agent.port, &format!("/files/read?path={sandbox}/stdout&offset=3&length=4")).json();
        assert_eq!(part, json!({ "offset": 3, "data": "3456" }));
        let size = get(agent.port, &format!("/files/read?path={sandbox}/stdout&offset=-1")).json();
        assert_eq!(size, json!({ "offset": 10, "data": "" }));
        let whole = get(agent.port, &format!("/files/download?path={sandbox}/stdout"));
        assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"));
        let call = json!({ "type": "READ_FILE", "read_file": { "path": format!("{sandbox}/stdout"), "offset": 8 } });
        let answer = post(agent.port, "/api/v1", &call).json();
        assert_eq!(answer["read_file"], json!({ "size": 10, "data": "ODk=" }));
        for (path, status) in [
            ("out", 404),
            ("no", 404),
            ("d", 400),
            ("pipe", 500),
            ("../../../../../../../../../etc/passwd", 404),
        ] {
            let answer = get(agent.port, &format!("/files/read?path={sandbox}/{path}&offset=0"));
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
    }
    let list = json!({ "type": "LIST_FILES", "list_files": { "path": real } });
    let listed = post(agent.port, "/slave(1)/api/v1", &list).json();
    assert_eq!(listed["list_files"]["file_infos"].as_array().map(Vec::len), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_are_refused_and_harm_nobody() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let master = FakeMaster::start().await;
    let agent = AgentProcess::start(&master, work.path());
    master.wait_connected(1).await;
    let json = "Content-Type: application/json".to_owned();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let huge = vec![b' '; (64 << 20) + 1];
    for (body, status) in [
        (b"\xff\xfe\x00".as_slice(), 400),
        (deep.as_bytes(), 400),
        (b"{\"type\":\"GET_STATE\"", 400),
        (huge.as_slice(), 413),
    ] {
        let answer = send(agent.port, "POST /api/v1 HTTP/1.1", std::slice::from_ref(&json), body);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let long = format!("GET /{} HTTP/1.1", "a".repeat(200_000));
    assert!(send(agent.port, &long, &[], b"").status >= 400);
    assert_eq!(get(agent.port, "/health").status, 200);
    assert_eq!(
        get(agent.port, "/metrics").text().matches("mesolith_agent_tasks_running 0\n").count(),
        1
    );
}
