use super::*;
use protocol::json;

const CPU: &str = r#""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]"#;
const RUN: &str = r#""command":{"value":"true"}"#;

/// Checks a task with these parts besides its name, id and agent.
fn check(parts: &str, expected: &str) {
    let text =
        format!(r#"{{"name":"n","task_id":{{"value":"t"}},"agent_id":{{"value":"a"}},{parts}}}"#);
    let mut info: TaskInfo = json::from_slice(text.as_bytes()).expect("a task");
    complete(&mut info, "f");
    match task(&info, "f") {
        None => assert_eq!(expected, "", "{text}"),
        Some(Fault::Shape(fault) | Fault::Id(fault) | Fault::Agent(fault)) => {
            assert!(!expected.is_empty() && fault.contains(expected), "{text}: {fault}");
        }
    }
}

#[test]
fn a_task_needs_resources_and_one_way_to_run() {
    check(&format!("{CPU},{RUN}"), "");
    check(RUN, "Task uses no resources");
    check(CPU, "at least one (but not both)");
    check(
        &format!(r#"{CPU},{RUN},"executor":{{"executor_id":{{"value":"e"}},{RUN}}}"#),
        "at least one (but not both)",
    );
    check(&format!(r#"{CPU},"executor":{{"executor_id":{{"value":"e"}},{RUN}}}"#), "");
}

/// semantics 138
#[test]
fn ids_come_before_all_else() {
    let text = r#"{"name":"n","task_id":{"value":"a/b"},"agent_id":{"value":"a"}}"#;
    let info: TaskInfo = json::from_slice(text.as_bytes()).expect("a task");
    assert!(matches!(task(&info, "f"), Some(Fault::Id(_))));
}

/// semantics 143, 96, 157
#[test]
fn times_and_checks_are_checked() {
    let with = |part: &str| format!("{CPU},{RUN},{part}");
    check(&with(r#""kill_policy":{"grace_period":{"nanoseconds":-1}}"#), "kill_policy");
    check(&with(r#""max_completion_time":{"nanoseconds":-1}"#), "max_completion_time");
    check(&with(r#""health_check":{"command":{"value":"true"}}"#), "");
    check(&with(r#""health_check":{}"#), "type is unknown");
    check(&with(r#""health_check":{"type":"TCP"}"#), "'tcp' is not set");
    check(&with(r#""health_check":{"http":{"port":1,"path":"x"}}"#), "start with '/'");
    check(
        &with(r#""health_check":{"delay_seconds":-1,"tcp":{"port":1},"type":"TCP"}"#),
        "negative",
    );
    check(&with(r#""check":{"type":"HTTP"}"#), "not set");
}

/// semantics 146, 148, 150
#[test]
fn executors_of_launch_are_custom_ones() {
    let with = |part: &str| format!(r#"{CPU},"executor":{{"executor_id":{{"value":"e"}},{part}}}"#);
    check(&with(r#""type":"DEFAULT""#), "CUSTOM");
    check(&with(&format!(r#""type":"UNKNOWN",{RUN}"#)), "CUSTOM");
    check(&with(&format!(r#""type":"CUSTOM",{RUN}"#)), "");
    check(&with(r#""name":"x""#), "command' must be set");
    check(&with(&format!(r#"{RUN},"framework_id":{{"value":"g"}}"#)), "invalid FrameworkID");
    let ports = r#"{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":9}]}}"#;
    check(
        &format!(
            r#""resources":[{ports}],"executor":{{"executor_id":{{"value":"e"}},{RUN},
                "resources":[{ports}]}}"#
        ),
        "same ports",
    );
}

/// semantics 153, 154, 155, 156
#[test]
fn limits_environments_and_containers_are_checked() {
    let with = |part: &str| format!("{CPU},{RUN},{part}");
    check(&with(r#""limits":{"cpus":{"value":2}}"#), "");
    check(&with(r#""limits":{"cpus":{"value":0.5}}"#), "below its request");
    check(&with(r#""limits":{"disk":{"value":2}}"#), "cannot be limited");
    check(&with(r#""limits":{"mem":{"value":"Infinity"}}"#), "below its request");
    check(&with(r#""container":{"type":"DOCKER"}"#), "not set for DOCKER");
    check(
        &with(r#""container":{"type":"MESOS","volumes":[{"mode":"RW","container_path":"x"}]}"#),
        "Only one of them",
    );
    let apart = r#""container":{"type":"MESOS","linux_info":{"share_cgroups":false}}"#;
    check(&with(apart), "Only tasks in a task group"); // semantics 152
    let environment =
        r#""command":{"value":"true","environment":{"variables":[{"name":"x","type":"SECRET"}]}}"#;
    check(&format!("{CPU},{environment}"), "needs a secret");
}
