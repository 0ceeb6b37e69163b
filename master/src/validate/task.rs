//! Tasks (semantics 138 to 157), in the order in which faults are named (140).

use protocol::v1::{
    CheckInfo, DurationInfo, HealthCheck, KillPolicy, LinuxInfo, Resource, TaskInfo, check_info,
    health_check,
};
use protocol::{id, resource};
use statemachine::task::Fault;

use super::{Terms, allocation, command, executor};

/// Fills in what a task may leave out (semantics 96, 97).
pub(crate) fn complete(task: &mut TaskInfo, wire_id: &str) {
    if let Some(executor) = &mut task.executor
        && executor.framework_id.is_none()
    {
        executor.framework_id = Some(wire_id.into());
    }
    if let Some(check) = &mut task.health_check
        && check.r#type.is_none()
    {
        check.r#type = match (&check.command, &check.http) {
            (Some(_), None) => Some(health_check::Type::Command as i32),
            (None, Some(_)) => Some(health_check::Type::Http as i32),
            _ => None,
        };
    }
}

/// The first fault of a task of a LAUNCH that shows without the state.
pub(crate) fn task(task: &TaskInfo, terms: Terms<'_>) -> Option<Fault> {
    first_fault(task, terms, || {
        check_command(task)?;
        check_container(task, terms)?;
        let executor = task.executor.as_ref();
        executor.map_or(Ok(()), |executor| {
            executor::check_of_launch(executor, terms)?;
            executor::check_apart(&[&executor.resources, &task.resources])
                .map_err(|what| format!("Task and its executor use the same {what}"))
        })?;
        if shares_cgroups(task) {
            Ok(())
        } else {
            Err("Only tasks in a task group may have 'share_cgroups' set to 'false'".to_owned())
        }
    })
}

/// The id's fault, then what every task must be like, then `rest`.
pub(super) fn first_fault(
    task: &TaskInfo,
    terms: Terms<'_>,
    rest: impl FnOnce() -> Result<(), String>,
) -> Option<Fault> {
    if let Err(error) = id::validate(&task.task_id.value) {
        return Some(Fault::Id(format!("Task has an invalid id: {error}").into()));
    }
    let checked = check(task, terms).and_then(|()| rest());
    checked.err().map(|fault| Fault::Shape(fault.into()))
}

/// Whether the task is limited together with its executor, which it is unless it says otherwise
/// (semantics 152).
pub(super) fn shares_cgroups(task: &TaskInfo) -> bool {
    let linux = task.container.as_ref().and_then(|container| container.linux_info.as_ref());
    linux.is_none_or(LinuxInfo::share_cgroups)
}

fn check(task: &TaskInfo, terms: Terms<'_>) -> Result<(), String> {
    check_kill_policy(task.kill_policy.as_ref())?;
    not_negative("Task", "max_completion_time", task.max_completion_time.as_ref())?;
    task.check.as_ref().map_or(Ok(()), check_check)?;
    task.health_check.as_ref().map_or(Ok(()), check_health_check)?;
    if task.resources.is_empty() {
        return Err("Task uses no resources".to_owned());
    }
    check_each("Task", &task.resources, terms)
}

/// What a task runs in, and its limits.
pub(super) fn check_container(task: &TaskInfo, terms: Terms<'_>) -> Result<(), String> {
    task.container.as_ref().map_or(Ok(()), command::container)?;
    check_limits(task, terms)
}

fn check_kill_policy(policy: Option<&KillPolicy>) -> Result<(), String> {
    let grace_period = policy.and_then(|policy| policy.grace_period.as_ref());
    not_negative("Task", "kill_policy.grace_period", grace_period)
}

pub(super) fn not_negative(
    whose: &str,
    name: &str,
    duration: Option<&DurationInfo>,
) -> Result<(), String> {
    match duration {
        Some(duration) if duration.nanoseconds < 0 => {
            Err(format!("{whose}'s '{name}' must not be negative"))
        }
        _ => Ok(()),
    }
}

fn check_check(check: &CheckInfo) -> Result<(), String> {
    use check_info::Type;
    let whole = match check.r#type() {
        Type::Command => check.command.is_some(),
        Type::Http => check.http.is_some(),
        Type::Tcp => check.tcp.is_some(),
        Type::Unknown => return Err("Task uses invalid check: its type is unknown".to_owned()),
    };
    if !whole {
        return Err("Task uses invalid check: what its type names is not set".to_owned());
    }
    if let (Type::Command, Some(run)) = (check.r#type(), &check.command) {
        if run.command.value.is_none() {
            return Err("Task uses invalid check: its command has no value".to_owned());
        }
        command::command(&run.command)?;
    }
    if let (Type::Http, Some(http)) = (check.r#type(), &check.http) {
        check_path(http.path.as_deref())?;
    }
    seconds_not_negative([check.delay_seconds, check.interval_seconds, check.timeout_seconds])
}

fn check_health_check(check: &HealthCheck) -> Result<(), String> {
    use health_check::Type;
    let r#type = check.r#type.and_then(|number| Type::try_from(number).ok());
    match r#type {
        Some(Type::Command) => match &check.command {
            Some(run) if run.value.is_some() => command::command(run)?,
            Some(_) => {
                return Err("Task uses invalid health check: its command has no value".to_owned());
            }
            None => {
                return Err("Task uses invalid health check: 'command' is not set".to_owned());
            }
        },
        Some(Type::Http) => check_http(check)?,
        Some(Type::Tcp) if check.tcp.is_some() => {}
        Some(Type::Tcp) => {
            return Err("Task uses invalid health check: 'tcp' is not set".to_owned());
        }
        Some(Type::Unknown) | None => {
            return Err("Task uses invalid health check: its type is unknown".to_owned());
        }
    }
    seconds_not_negative([check.delay_seconds, check.interval_seconds, check.timeout_seconds])?;
    seconds_not_negative([check.grace_period_seconds])
}

fn check_http(check: &HealthCheck) -> Result<(), String> {
    let Some(http) = &check.http else {
        return Err("Task uses invalid health check: 'http' is not set".to_owned());
    };
    if !matches!(http.scheme.as_deref(), None | Some("http" | "https")) {
        return Err(
            "Task uses invalid health check: its scheme is neither http nor https".to_owned()
        );
    }
    check_path(http.path.as_deref())
}

fn check_path(path: Option<&str>) -> Result<(), String> {
    if path.is_some_and(|path| !path.starts_with('/')) {
        return Err("Task uses invalid check: its path does not start with '/'".to_owned());
    }
    Ok(())
}

fn seconds_not_negative<const N: usize>(seconds: [Option<f64>; N]) -> Result<(), String> {
    if seconds.iter().flatten().any(|seconds| *seconds < 0.0 || seconds.is_nan()) {
        return Err("Task uses invalid check: its times must not be negative".to_owned());
    }
    Ok(())
}

pub(super) fn check_each(
    whose: &str,
    resources: &[Resource],
    terms: Terms<'_>,
) -> Result<(), String> {
    resource::validate_all(resources)
        .map_err(|error| error.to_string())
        .and_then(|()| allocation(resources, Some(terms.role)))
        .map_err(|fault| format!("{whose} uses invalid resources: {fault}"))
}

fn check_command(task: &TaskInfo) -> Result<(), String> {
    if task.command.is_some() == task.executor.is_some() {
        return Err("Task should have at least one (but not both) of CommandInfo or ExecutorInfo \
                    present"
            .to_owned());
    }
    task.command.as_ref().map_or(Ok(()), command::command)
}

/// semantics 153
fn check_limits(task: &TaskInfo, terms: Terms<'_>) -> Result<(), String> {
    if !task.limits.is_empty() && !terms.has_limits {
        return Err(
            "Task has 'limits', and the agent lacks the capability TASK_RESOURCE_LIMITS".to_owned()
        );
    }
    for (name, limit) in &task.limits {
        let requested: f64 = task
            .resources
            .iter()
            .filter(|resource| resource.name == *name)
            .filter_map(|resource| resource.scalar.as_ref())
            .map(|scalar| scalar.value)
            .sum();
        if name != "cpus" && name != "mem" {
            return Err(format!(
                "Task has a limit on '{name}'; only 'cpus' and 'mem' can be limited"
            ));
        }
        if requested == 0.0 {
            return Err(format!("Task has a limit on '{name}', and requests none of it"));
        }
        if limit.value.is_nan() || limit.value < requested {
            return Err(format!(
                "Task's limit on '{name}' ({}) is below its request ({requested})",
                limit.value
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
