//! Executors (semantics 138, 143, 146 to 148).

use protocol::id;
use protocol::v1::executor_info::Type;
use protocol::v1::{ExecutorInfo, Resource, container_info};

use super::task::{check_each, not_negative};
use super::{Terms, command};

/// Least CPUs, in thousandths, and memory of an executor of a group.
const LEAST_MILLI_CPUS: f64 = 10.0;
const LEAST_MEM_MB: f64 = 32.0;

/// Checks the executor of a LAUNCH: a custom one, whether or not it says so (semantics 146).
pub(super) fn check_of_launch(executor: &ExecutorInfo, terms: Terms<'_>) -> Result<(), String> {
    check_id(executor)?;
    if executor.r#type.is_some() && executor.r#type() != Type::Custom {
        return Err("'ExecutorInfo.type' must be 'CUSTOM' for LAUNCH".to_owned());
    }
    check_custom(executor)?;
    check_rest(executor, terms)?;
    let linux = executor.container.as_ref().and_then(|container| container.linux_info.as_ref());
    if linux.and_then(|linux| linux.share_cgroups) == Some(true) {
        return Err("Executor's 'share_cgroups' must not be true".to_owned());
    }
    Ok(())
}

/// Checks the executor of a group (semantics 147, 148).
pub(super) fn check_of_group(executor: &ExecutorInfo, terms: Terms<'_>) -> Result<(), String> {
    check_id(executor)?;
    if executor.r#type.is_none() {
        return Err("'ExecutorInfo.type' must be set".to_owned());
    }
    match executor.r#type() {
        Type::Unknown => return Err("Unknown executor type".to_owned()),
        Type::Custom => check_custom(executor)?,
        Type::Default => check_default(executor)?,
    }
    check_rest(executor, terms)?;
    let container = executor.container.as_ref();
    if container.is_some_and(|it| it.r#type() == container_info::Type::Docker) {
        return Err("Docker ContainerInfo is not supported on the executor".to_owned());
    }
    check_size(executor)
}

fn check_id(executor: &ExecutorInfo) -> Result<(), String> {
    id::validate(&executor.executor_id.value)
        .map_err(|error| format!("Executor has an invalid id: {error}"))
}

fn check_custom(executor: &ExecutorInfo) -> Result<(), String> {
    match &executor.command {
        Some(command) => command::command(command),
        None => Err("'ExecutorInfo.command' must be set for 'CUSTOM' executor".to_owned()),
    }
}

fn check_default(executor: &ExecutorInfo) -> Result<(), String> {
    if executor.command.is_some() {
        return Err("'ExecutorInfo.command' must not be set for 'DEFAULT' executor".to_owned());
    }
    let Some(container) = &executor.container else { return Ok(()) };
    if container.r#type() != container_info::Type::Mesos {
        return Err(
            "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor".to_owned()
        );
    }
    if container.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()) {
        return Err("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"
            .to_owned());
    }
    Ok(())
}

fn check_rest(executor: &ExecutorInfo, terms: Terms<'_>) -> Result<(), String> {
    match &executor.framework_id {
        None => return Err("'ExecutorInfo.framework_id' must be set".to_owned()),
        Some(framework) if framework.value != terms.wire_id => {
            return Err(format!(
                "ExecutorInfo has an invalid FrameworkID (Actual: {} vs Expected: {})",
                framework.value, terms.wire_id
            ));
        }
        Some(_) => {}
    }
    let grace_period = executor.shutdown_grace_period.as_ref();
    not_negative("Executor", "shutdown_grace_period", grace_period)?;
    executor.container.as_ref().map_or(Ok(()), command::container)?;
    check_each("Executor", &executor.resources, terms)?;
    if executor.resources.iter().any(|resource| resource.shared.is_some()) {
        return Err("Executor uses shared resources".to_owned());
    }
    Ok(())
}

/// A group's executor needs something to run in, which a custom one of a LAUNCH is only advised to
/// ask for.
fn check_size(executor: &ExecutorInfo) -> Result<(), String> {
    let sum = |name: &str| -> f64 {
        let named = executor.resources.iter().filter(|resource| resource.name == name);
        named.filter_map(|resource| resource.scalar.as_ref()).map(|scalar| scalar.value).sum()
    };
    let id = &executor.executor_id.value;
    let (cpus, mem) = (sum("cpus"), sum("mem"));
    if (cpus * 1000.0).round() < LEAST_MILLI_CPUS {
        return Err(format!("Executor '{id}' uses less CPUs ({cpus}) than the minimum (0.01)"));
    }
    if mem < LEAST_MEM_MB {
        return Err(format!(
            "Executor '{id}' uses less memory ({mem} MB) than the minimum (32 MB)"
        ));
    }
    if sum("disk") <= 0.0 {
        return Err(format!("Executor '{id}' uses no disk"));
    }
    Ok(())
}

/// Nobody uses a port, or an item of a set, that another does; the error names the resource (semantics
/// 150).
pub(super) fn check_apart(users: &[&[Resource]]) -> Result<(), String> {
    let mut ranges: Vec<(&str, u64, u64)> = Vec::new();
    let mut items: Vec<(&str, &str)> = Vec::new();
    for resource in users.iter().copied().flatten() {
        let name = resource.name.as_str();
        for range in resource.ranges.iter().flat_map(|ranges| &ranges.range) {
            let overlaps = |(known, begin, end): &(&str, u64, u64)| {
                *known == name && range.begin <= *end && *begin <= range.end
            };
            if ranges.iter().any(overlaps) {
                return Err(name.to_owned());
            }
            ranges.push((name, range.begin, range.end));
        }
        for item in resource.set.iter().flat_map(|set| &set.item) {
            if items.contains(&(name, item)) {
                return Err(name.to_owned());
            }
            items.push((name, item));
        }
    }
    Ok(())
}
