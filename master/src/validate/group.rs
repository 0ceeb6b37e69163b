//! Task groups (semantics 93, 97, 147 to 153).

use protocol::v1::{ExecutorInfo, Resource, TaskInfo, container_info, health_check};
use statemachine::task::Fault;

use super::task::{check_container, first_fault, shares_cgroups};
use super::{Terms, executor};

/// The first fault of one task of a group that shows without the state.
pub(crate) fn grouped_task(task: &TaskInfo, terms: Terms<'_>) -> Option<Fault> {
    first_fault(task, terms, || {
        let container = task.container.as_ref();
        if container.is_some_and(|it| it.r#type() == container_info::Type::Docker) {
            return Err("Docker ContainerInfo is not supported on the task".to_owned());
        }
        task.command.as_ref().map_or(Ok(()), super::command::command)?;
        check_container(task, terms)?;
        if shares_cgroups(task) && !task.limits.is_empty() {
            return Err("'limits' can only be set if 'share_cgroups' is false".to_owned());
        }
        let has_network = container.is_some_and(|container| !container.network_infos.is_empty());
        let is_local = task
            .health_check
            .as_ref()
            .is_none_or(|check| check.r#type() == health_check::Type::Command);
        if has_network && !is_local {
            return Err(
                "HTTP and TCP health checks are not supported on a task with a network of \
                        its own"
                    .to_owned(),
            );
        }
        Ok(())
    })
}

/// The first fault of a group's executor, and of its tasks beside each other and it.
pub(crate) fn group(
    executor: &ExecutorInfo,
    tasks: &[TaskInfo],
    terms: Terms<'_>,
) -> Result<(), String> {
    let differs =
        tasks.iter().find(|task| task.executor.as_ref().is_some_and(|own| own != executor));
    if let Some(task) = differs {
        return Err(format!(
            "The `ExecutorInfo` of task '{}' is different from executor '{}'",
            task.task_id.value, executor.executor_id.value
        ));
    }
    executor::check_of_group(executor, terms)?;
    let mut users: Vec<&[Resource]> = vec![&executor.resources];
    users.extend(tasks.iter().map(|task| task.resources.as_slice()));
    executor::check_apart(&users)
        .map_err(|what| format!("Tasks of the group and their executor use the same {what}"))?;
    let mut shares = tasks.iter().map(shares_cgroups);
    let first = shares.next();
    if shares.any(|next| Some(next) != first) {
        return Err("Tasks of a group must have the same 'share_cgroups'".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::json;

    use super::super::task::tests::TERMS;
    use super::*;

    const CPU: &str = r#""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]"#;
    const ENOUGH: &str = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":0.01}},
        {"name":"mem","type":"SCALAR","scalar":{"value":32}},
        {"name":"disk","type":"SCALAR","scalar":{"value":1}}"#;

    fn read_task(parts: &str) -> TaskInfo {
        let text = format!(
            r#"{{"name":"n","task_id":{{"value":"t"}},"agent_id":{{"value":"a"}},{parts}}}"#
        );
        json::from_slice(text.as_bytes()).expect("a task")
    }

    fn read_executor(parts: &str) -> ExecutorInfo {
        let text =
            format!(r#"{{"executor_id":{{"value":"e"}},"framework_id":{{"value":"f"}},{parts}}}"#);
        json::from_slice(text.as_bytes()).expect("an executor")
    }

    fn agrees(fault: Option<&str>, expected: &str, text: &str) {
        match fault {
            None => assert_eq!(expected, "", "{text}"),
            Some(fault) => {
                assert!(!expected.is_empty() && fault.contains(expected), "{text}: {fault}");
            }
        }
    }

    /// Checks a group of one plain task under an executor with these parts.
    fn check_executor(parts: &str, expected: &str) {
        let fault = group(&read_executor(parts), &[read_task(CPU)], TERMS).err();
        agrees(fault.as_deref(), expected, parts);
    }

    /// Checks one task with these parts, and all of them as a group.
    fn check(tasks: &[&str], expected: &str) {
        let tasks: Vec<TaskInfo> = tasks.iter().map(|parts| read_task(parts)).collect();
        let alone =
            tasks.iter().find_map(|task| grouped_task(task, TERMS)).map(|fault| match fault {
                Fault::Id(fault) | Fault::Agent(fault) | Fault::Shape(fault) => fault.to_string(),
            });
        let executor = read_executor(&format!(r#""type":"DEFAULT","resources":[{ENOUGH}]"#));
        let fault = alone.or_else(|| group(&executor, &tasks, TERMS).err());
        agrees(fault.as_deref(), expected, &format!("{tasks:?}"));
    }

    /// semantics 147, 148
    #[test]
    fn executors_of_groups_say_what_they_are() {
        let with = |part: &str| format!(r#""resources":[{ENOUGH}],{part}"#);
        check_executor(&with(r#""type":"DEFAULT""#), "");
        let docker = r#""type":"CUSTOM","command":{"value":"true"},
            "container":{"type":"DOCKER","docker":{"image":"x"}}"#;
        check_executor(&with(docker), "Docker ContainerInfo is not supported on the executor");
        check_executor(&with(r#""name":"x""#), "type' must be set");
        check_executor(&with(r#""type":"UNKNOWN""#), "Unknown executor type");
        check_executor(&with(r#""type":"CUSTOM""#), "command' must be set");
        check_executor(&with(r#""type":"CUSTOM","command":{"value":"true"}"#), "");
        let command = r#""type":"DEFAULT","command":{"value":"true"}"#;
        check_executor(&with(command), "must not be set for 'DEFAULT'");
        let container = |parts: &str| with(&format!(r#""type":"DEFAULT","container":{{{parts}}}"#));
        check_executor(&container(r#""type":"MESOS""#), "");
        check_executor(&container(r#""type":"DOCKER","docker":{"image":"x"}"#), "'MESOS'");
        let image = r#""type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"x"}}}"#;
        check_executor(&container(image), "image' must not be set");
    }

    /// semantics 147
    #[test]
    fn executors_of_groups_need_something_to_run_in() {
        let with = |cpus: f64, mem: f64, disk: f64| {
            format!(
                r#""type":"DEFAULT","resources":[
                    {{"name":"cpus","type":"SCALAR","scalar":{{"value":{cpus}}}}},
                    {{"name":"mem","type":"SCALAR","scalar":{{"value":{mem}}}}},
                    {{"name":"disk","type":"SCALAR","scalar":{{"value":{disk}}}}}]"#
            )
        };
        check_executor(&with(0.01, 32.0, 1.0), "");
        check_executor(&with(0.009, 32.0, 1.0), "less CPUs (0.009)");
        check_executor(&with(0.01, 31.0, 1.0), "less memory");
        let no_disk = ENOUGH.rsplit_once(',').map_or("", |(before, _)| before);
        let no_disk = no_disk
            .rsplit_once(
                r#",
        {"name":"disk""#,
            )
            .map_or("", |(before, _)| before);
        check_executor(&format!(r#""type":"DEFAULT","resources":[{no_disk}]"#), "no disk");
    }

    /// semantics 97
    #[test]
    fn executors_of_groups_name_their_framework() {
        let mut executor = read_executor(&format!(r#""type":"DEFAULT","resources":[{ENOUGH}]"#));
        let fault = group(&executor, &[], Terms { wire_id: "g", ..TERMS }).err();
        agrees(fault.as_deref(), "Actual: f vs Expected: g", "another framework");
        executor.framework_id = None;
        let fault = group(&executor, &[], TERMS).err();
        agrees(fault.as_deref(), "framework_id' must be set", "no framework");
    }

    /// semantics 147, 151, 152
    #[test]
    fn tasks_of_groups_have_rules_of_their_own() {
        check(&[CPU, CPU], "");
        let with = |part: &str| format!("{CPU},{part}");
        let docker = with(r#""container":{"type":"DOCKER","docker":{"image":"x"}}"#);
        check(&[&docker], "Docker ContainerInfo is not supported");
        let network = r#""container":{"type":"MESOS","network_infos":[{}]}"#;
        let http = r#""health_check":{"type":"HTTP","http":{"port":1}}"#;
        check(&[&with(http)], "");
        let tcp = r#""health_check":{"type":"TCP","tcp":{"port":1}}"#;
        let command = r#""health_check":{"type":"COMMAND","command":{"value":"true"}}"#;
        for remote in [http, tcp] {
            check(&[&with(&format!("{network},{remote}"))], "HTTP and TCP health checks");
        }
        check(&[&with(&format!("{network},{command}"))], "");
        let limits = r#""limits":{"cpus":{"value":2}}"#;
        check(&[&with(limits)], "share_cgroups");
        let apart = r#""container":{"type":"MESOS","linux_info":{"share_cgroups":false}}"#;
        check(&[&with(&format!("{apart},{limits}"))], "");
        check(&[CPU, &with(apart)], "must have the same 'share_cgroups'");
        let other = r#""executor":{"executor_id":{"value":"z"}}"#;
        check(&[CPU, &with(other)], "The `ExecutorInfo` of task 't' is different");
    }

    /// semantics 150
    #[test]
    fn tasks_of_a_group_share_no_ports() {
        let ports = |begin: u16, end: u16| {
            format!(
                r#""resources":[{{"name":"ports","type":"RANGES",
                    "ranges":{{"range":[{{"begin":{begin},"end":{end}}}]}}}}]"#
            )
        };
        check(&[&ports(1, 4), &ports(5, 9)], "");
        check(&[&ports(1, 5), &ports(5, 9)], "use the same ports");
    }
}
