use super::*;
use protocol::json;
use serde_json::{Value, json};

/// What tasks are held to here, unless it says otherwise.
pub(in super::super) const TERMS: Terms<'static> =
    Terms { wire_id: "f", role: "*", has_limits: true };

const CPU: &str = r#""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]"#;
const RUN: &str = r#""command":{"value":"true"}"#;

/// Checks a task with these parts besides its name, id and agent.
fn check(parts: &str, expected: &str) {
    check_under(TERMS, parts, expected);
}

fn check_under(terms: Terms<'_>, parts: &str, expected: &str) {
    let text =
        format!(r#"{{"name":"n","task_id":{{"value":"t"}},"agent_id":{{"value":"a"}},{parts}}}"#);
    check_whole(terms, &text, expected);
}

fn check_whole(terms: Terms<'_>, text: &str, expected: &str) {
    let mut info: TaskInfo = json::from_slice(text.as_bytes()).expect("a task");
    complete(&mut info, "f");
    match task(&info, terms) {
        None => assert_eq!(expected, "", "{text}"),
        Some(Fault::Shape(fault) | Fault::Id(fault) | Fault::Agent(fault)) => {
            assert!(!expected.is_empty() && fault.contains(expected), "{text}: {fault}");
        }
    }
}

/// Checks a command task with one part more.
fn check_with(part: &str, expected: &str) {
    check(&format!("{CPU},{RUN},{part}"), expected);
}

/// Checks a task whose custom executor has these parts besides its id.
fn check_executor(parts: &str, expected: &str) {
    check(&format!(r#"{CPU},"executor":{{"executor_id":{{"value":"e"}},{parts}}}"#), expected);
}

/// semantics 144, 145
#[test]
fn a_task_needs_resources_and_one_way_to_run() {
    check(&format!("{CPU},{RUN}"), "");
    check(RUN, "Task uses no resources");
    let words =
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
    check(CPU, words);
    check(&format!(r#"{CPU},{RUN},"executor":{{"executor_id":{{"value":"e"}},{RUN}}}"#), words);
    check_executor(RUN, "");
}

/// semantics 138
#[test]
fn ids_come_before_all_else() {
    let text = r#"{"name":"n","task_id":{"value":"a/b"},"agent_id":{"value":"a"}}"#;
    let info: TaskInfo = json::from_slice(text.as_bytes()).expect("a task");
    let Some(Fault::Id(fault)) = task(&info, TERMS) else { panic!("no fault of the id") };
    assert_eq!(&*fault, "Task has an invalid id: 'a/b' contains invalid characters");
}

/// Puts one thing right.
type Mend = fn(&mut Value);

/// semantics 140 (what the state has to do with it comes after the id: `faults_are_found_in_order`)
#[test]
fn the_first_fault_is_the_one_that_is_named() {
    let secret = json!({"variables": [{"name": "x", "type": "SECRET"}]});
    let mut task = json!({
        "name": "n", "task_id": {"value": ""}, "agent_id": {"value": "a"},
        "kill_policy": {"grace_period": {"nanoseconds": -1}},
        "max_completion_time": {"nanoseconds": -1},
        "check": {"type": "TCP"},
        "health_check": {"type": "TCP"},
        "command": {"value": "true", "environment": secret},
        "container": {"type": "DOCKER", "linux_info": {"share_cgroups": false}},
        "limits": {"disk": {"value": 1}},
    });
    let mends: [(&str, Mend); 11] = [
        ("invalid id", |it| it["task_id"]["value"] = json!("t")),
        ("kill_policy", |it| it["kill_policy"] = Value::Null),
        ("max_completion_time", |it| it["max_completion_time"] = Value::Null),
        ("invalid check", |it| it["check"] = Value::Null),
        ("invalid health check", |it| it["health_check"] = Value::Null),
        ("uses no resources", |it| {
            it["resources"] = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}]);
        }),
        ("'x' of type SECRET", |it| {
            it["command"] = Value::Null;
            it["executor"] = json!({"executor_id": {"value": "e"}, "type": "DEFAULT"});
        }),
        ("not set for DOCKER", |it| it["container"]["type"] = json!("MESOS")),
        ("limit on 'disk'", |it| it["limits"] = Value::Null),
        ("'ExecutorInfo.type'", |it| {
            it["executor"]["type"] = Value::Null;
            it["executor"]["command"] = json!({"value": "true"});
        }),
        ("share_cgroups", |it| it["container"] = Value::Null),
    ];
    for (fault, mend) in mends {
        check_whole(TERMS, &task.to_string(), fault);
        mend(&mut task);
    }
    check_whole(TERMS, &task.to_string(), "");
}

/// semantics 143
#[test]
fn times_are_not_negative() {
    check_with(r#""kill_policy":{"grace_period":{"nanoseconds":-1}}"#, "kill_policy.grace_period");
    check_with(r#""kill_policy":{"grace_period":{"nanoseconds":0}}"#, "");
    check_with(r#""max_completion_time":{"nanoseconds":-1}"#, "max_completion_time");
    check_with(r#""max_completion_time":{"nanoseconds":0}"#, "");
    let grace = r#""command":{"value":"true"},"shutdown_grace_period":{"nanoseconds":-1}"#;
    check_executor(grace, "shutdown_grace_period");
}

/// semantics 157
#[test]
fn checks_say_what_to_do_and_how() {
    let health =
        |parts: &str, expected| check_with(&format!(r#""health_check":{{{parts}}}"#), expected);
    health(r#""type":"COMMAND","command":{"value":"true"}"#, "");
    health(r#""type":"COMMAND","command":{"shell":false}"#, "has no value");
    health(r#""type":"COMMAND""#, "'command' is not set");
    health(r#""type":"HTTP","http":{"port":1}"#, "");
    health(r#""type":"HTTP","http":{"port":1,"scheme":"https","path":"/x"}"#, "");
    health(r#""type":"HTTP","http":{"port":1,"scheme":"ftp"}"#, "neither http nor https");
    health(r#""type":"HTTP","http":{"port":1,"path":"x"}"#, "start with '/'");
    health(r#""type":"HTTP""#, "'http' is not set");
    health(r#""type":"TCP""#, "'tcp' is not set");
    health(r#""type":"UNKNOWN""#, "type is unknown");
    for time in ["delay", "interval", "timeout", "grace_period"] {
        let tcp = r#""type":"TCP","tcp":{"port":1}"#;
        health(&format!(r#"{tcp},"{time}_seconds":0"#), "");
        health(&format!(r#"{tcp},"{time}_seconds":-1"#), "must not be negative");
        health(&format!(r#"{tcp},"{time}_seconds":"NaN""#), "must not be negative");
    }
    let check = |parts: &str, expected| check_with(&format!(r#""check":{{{parts}}}"#), expected);
    check(r#""type":"COMMAND","command":{"command":{"value":"true"}}"#, "");
    check(r#""type":"COMMAND","command":{"command":{}}"#, "has no value");
    check(r#""type":"HTTP","http":{"port":1,"path":"/x"}"#, "");
    check(r#""type":"HTTP","http":{"port":1,"path":"x"}"#, "start with '/'");
    check(r#""type":"HTTP""#, "not set");
    check(r#""type":"UNKNOWN""#, "type is unknown");
    check(r#""command":{"command":{"value":"true"}}"#, "type is unknown");
    for time in ["delay", "interval", "timeout"] {
        check(&format!(r#""type":"TCP","tcp":{{"port":1}},"{time}_seconds":-1"#), "negative");
    }
}

/// semantics 96
#[test]
fn a_health_check_may_leave_out_what_it_obviously_is() {
    let check = |parts: &str, expected: Option<health_check::Type>| {
        let text = format!(
            r#"{{"name":"n","task_id":{{"value":"t"}},"agent_id":{{"value":"a"}},
                "health_check":{{{parts}}}}}"#
        );
        let mut info: TaskInfo = json::from_slice(text.as_bytes()).expect("a task");
        complete(&mut info, "f");
        let found = info.health_check.expect("a check").r#type;
        assert_eq!(found, expected.map(|it| it as i32), "{parts}");
    };
    let (command, http) = (r#""command":{"value":"true"}"#, r#""http":{"port":1}"#);
    check(command, Some(health_check::Type::Command));
    check(http, Some(health_check::Type::Http));
    check(&format!("{command},{http}"), None);
    check(r#""tcp":{"port":1}"#, None);
    check(&format!(r#""type":"TCP",{http}"#), Some(health_check::Type::Tcp));
    check_with(r#""health_check":{}"#, "type is unknown");
}

/// semantics 97
#[test]
fn a_custom_executor_belongs_to_its_framework() {
    let text = format!(
        r#"{{"name":"n","task_id":{{"value":"t"}},"agent_id":{{"value":"a"}},
            "executor":{{"executor_id":{{"value":"e"}},{RUN}}}}}"#
    );
    let mut info: TaskInfo = json::from_slice(text.as_bytes()).expect("a task");
    complete(&mut info, "f");
    let executor = info.executor.expect("an executor");
    assert_eq!(executor.framework_id, Some("f".into()));
    check_executor(&format!(r#"{RUN},"framework_id":{{"value":"f"}}"#), "");
    check_executor(&format!(r#"{RUN},"framework_id":{{"value":"g"}}"#), "invalid FrameworkID");
}

/// semantics 138, 146, 148
#[test]
fn executors_of_launch_are_custom_ones() {
    check_executor(r#""type":"DEFAULT""#, "CUSTOM");
    check_executor(&format!(r#""type":"UNKNOWN",{RUN}"#), "CUSTOM");
    check_executor(&format!(r#""type":"CUSTOM",{RUN}"#), "");
    check_executor(r#""type":"CUSTOM""#, "command' must be set");
    check_executor(r#""name":"x""#, "command' must be set");
    let small = r#""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.001}}]"#;
    check_executor(&format!("{RUN},{small}"), "");
    let shared = r#""resources":[{"name":"disk","type":"SCALAR","scalar":{"value":1},"role":"a",
        "shared":{},"disk":{"persistence":{"id":"v"},"volume":{"container_path":"d","mode":"RW"}}}]"#;
    check_executor(&format!("{RUN},{shared}"), "Executor uses shared resources");
    let linux = |share: bool| {
        format!(r#"{RUN},"container":{{"type":"MESOS","linux_info":{{"share_cgroups":{share}}}}}"#)
    };
    check_executor(&linux(true), "'share_cgroups' must not be true");
    check_executor(&linux(false), "");
    let id = format!(r#"{CPU},"executor":{{"executor_id":{{"value":"."}},{RUN}}}"#);
    check(&id, "Executor has an invalid id");
}

/// semantics 150
#[test]
fn a_task_shares_no_ports_with_its_executor() {
    let ports = |begin: u16, end: u16| {
        format!(
            r#""resources":[{{"name":"ports","type":"RANGES",
                "ranges":{{"range":[{{"begin":{begin},"end":{end}}}]}}}}]"#
        )
    };
    let set = |items: &str| {
        format!(r#""resources":[{{"name":"s","type":"SET","set":{{"item":[{items}]}}}}]"#)
    };
    let both = |task: &str, executor: &str, expected: &str| {
        let executor = format!(r#""executor":{{"executor_id":{{"value":"e"}},{RUN},{executor}}}"#);
        check(&format!("{task},{executor}"), expected);
    };
    both(&ports(1, 5), &ports(5, 9), "use the same ports");
    both(&ports(1, 4), &ports(5, 9), "");
    both(&set(r#""a","b""#), &set(r#""b""#), "use the same s");
    both(&set(r#""a""#), &set(r#""b""#), "");
}

/// semantics 87, 130
#[test]
fn resources_are_what_was_offered_and_for_whom() {
    let allocated = |role: &str| {
        format!(
            r#""resources":[{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}},
                "allocation_info":{{"role":"{role}"}}}}]"#
        )
    };
    let terms = Terms { role: "a", ..TERMS };
    check_under(terms, &format!("{},{RUN}", allocated("a")), "");
    check_under(terms, &format!("{CPU},{RUN}"), "");
    let words = "Task uses invalid resources: resource 'cpus' is allocated to role 'b'";
    check_under(terms, &format!("{},{RUN}", allocated("b")), words);
    let executor =
        format!(r#"{CPU},"executor":{{"executor_id":{{"value":"e"}},{RUN},{}}}"#, allocated("b"));
    check_under(terms, &executor, "Executor uses invalid resources");
    let negative = r#""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]"#;
    check(&format!("{negative},{RUN}"), "Task uses invalid resources: resource 'cpus': Invalid");
}

/// semantics 153
#[test]
fn limits_lie_above_requests() {
    let check = |name: &str, limit: &str, expected| {
        check_with(&format!(r#""limits":{{"{name}":{{"value":{limit}}}}}"#), expected);
    };
    check("cpus", "1", "");
    check("cpus", "2", "");
    check("cpus", r#""Infinity""#, "");
    check("cpus", "0.5", "(0.5) is below its request (1)");
    check("cpus", r#""NaN""#, "below its request");
    check("disk", "2", "only 'cpus' and 'mem' can be limited");
    check("mem", r#""Infinity""#, "requests none of it");
    let mem = r#""resources":[{"name":"mem","type":"SCALAR","scalar":{"value":64}}]"#;
    for (limit, expected) in [("64", ""), (r#""Infinity""#, ""), ("63", "below its request")] {
        let limits = format!(r#""limits":{{"mem":{{"value":{limit}}}}}"#);
        check_under(TERMS, &format!("{mem},{RUN},{limits}"), expected);
    }
    let limits = format!(r#"{CPU},{RUN},"limits":{{"cpus":{{"value":2}}}}"#);
    check_under(Terms { has_limits: false, ..TERMS }, &limits, "TASK_RESOURCE_LIMITS");
}

/// semantics 152
#[test]
fn tasks_of_launch_share_the_cgroups_of_their_executor() {
    let linux = |share: bool| {
        format!(r#""container":{{"type":"MESOS","linux_info":{{"share_cgroups":{share}}}}}"#)
    };
    check_with(&linux(true), "");
    let words = "Only tasks in a task group may have 'share_cgroups' set to 'false'";
    check_with(&linux(false), words);
}

/// semantics 154
#[test]
fn environments_hold_what_their_types_name() {
    let check = |variable: &str, expected| {
        let environment = format!(r#""environment":{{"variables":[{{"name":"x",{variable}}}]}}"#);
        check(&format!(r#"{CPU},"command":{{"value":"true",{environment}}}"#), expected);
        let run = format!(r#""command":{{"value":"true",{environment}}}"#);
        check_executor(&run, expected);
        let health = format!(r#""type":"COMMAND","command":{{"value":"true",{environment}}}"#);
        check_with(&format!(r#""health_check":{{{health}}}"#), expected);
    };
    let reference = r#"{"type":"REFERENCE","reference":{"name":"n"}}"#;
    let value = |data: &str| format!(r#"{{"type":"VALUE","value":{{"data":"{data}"}}}}"#);
    check(r#""value":"y""#, "");
    check(r#""type":"VALUE""#, "'x' has no value");
    check(&format!(r#""value":"y","secret":{reference}"#), "of type VALUE has a secret");
    check(&format!(r#""type":"SECRET","secret":{reference}"#), "");
    check(&format!(r#""type":"SECRET","secret":{}"#, value("eHk=")), "");
    check(&format!(r#""type":"SECRET","secret":{}"#, value("eAB5")), "holds a NUL byte");
    check(r#""type":"SECRET""#, "needs a secret");
    check(&format!(r#""type":"SECRET","value":"y","secret":{reference}"#), "and no value");
    check(r#""type":"SECRET","secret":{"type":"REFERENCE"}"#, "does not hold what its type names");
    let both = r#"{"type":"VALUE","value":{"data":"eA=="},"reference":{"name":"n"}}"#;
    check(&format!(r#""type":"SECRET","secret":{both}"#), "does not hold");
    check(r#""type":"SECRET","secret":{"type":"UNKNOWN"}"#, "does not hold");
    check(r#""type":"UNKNOWN","value":"y""#, "unknown type");
}

/// semantics 155
#[test]
fn volumes_come_from_one_place() {
    let check = |volume: &str, expected| {
        check_with(
            &format!(
                r#""container":{{"type":"MESOS",
                    "volumes":[{{"mode":"RW","container_path":"x",{volume}}}]}}"#
            ),
            expected,
        );
    };
    let source = |parts: &str| format!(r#""source":{{{parts}}}"#);
    check(r#""host_path":"/x""#, "");
    check(r#""image":{"type":"DOCKER","docker":{"name":"x"}}"#, "");
    check(&source(r#""type":"HOST_PATH","host_path":{"path":"/x"}"#), "");
    check(&source(r#""type":"SANDBOX_PATH","sandbox_path":{"type":"SELF","path":"x"}"#), "");
    check(&source(r#""type":"DOCKER_VOLUME","docker_volume":{"name":"x"}"#), "");
    let only_one = "Only one of them should be set";
    check(r#""labels":null"#, only_one);
    check(&format!(r#""host_path":"/x",{}"#, source(r#""type":"HOST_PATH""#)), only_one);
    for r#type in ["HOST_PATH", "SANDBOX_PATH", "DOCKER_VOLUME", "SECRET", "CSI_VOLUME"] {
        check(&source(&format!(r#""type":"{type}""#)), "does not hold what its type names");
    }
    let csi = r#""type":"CSI_VOLUME","csi_volume":{"plugin_name":"p"}"#;
    check(&source(csi), "does not hold what its type names");
    let secret = r#""type":"SECRET","secret":{"type":"VALUE"}"#;
    check(&source(secret), "does not hold what its type names");
    check(&source(r#""type":"UNKNOWN""#), "'source.type' is unknown");
}

/// semantics 156
#[test]
fn docker_containers_say_how() {
    let check =
        |parts: &str, expected| check_with(&format!(r#""container":{{{parts}}}"#), expected);
    check(r#""type":"DOCKER""#, "not set for DOCKER");
    check(r#""type":"DOCKER","docker":{"image":"x"}"#, "");
    let parameter = |key: &str| {
        format!(
            r#""type":"DOCKER","docker":{{"image":"x","parameters":[{{"key":"{key}","value":"y"}}]}}"#
        )
    };
    check(&parameter("name"), "must not be 'name'");
    check(&parameter("env"), "");
    check(r#""type":"MESOS","docker":{"image":"x"}"#, ""); // odd, and not refused
}
