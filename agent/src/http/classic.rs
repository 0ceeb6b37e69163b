//! The classic read-only endpoints, in which agents still are slaves.

use std::collections::BTreeMap;

use protocol::{build_info, v1};
use serde_json::{Map, Value, json};

use super::Api;
use super::flat::{allocation_role, flat, reservation};
use super::reply::{self, Reply};
use super::request::Query;
use super::views::{self, RunningContainer, Stage};
use crate::checkpoint::state::{Executor, ExecutorKey, Task, TaskKey};
use crate::containerizer::sandbox;
use crate::decide::capabilities;
use crate::turns::Known;

pub(super) fn version() -> Value {
    wire(&build_info::version())
}

pub(super) fn flags(api: &Api) -> Value {
    json!({ "flags": flags_value(api) })
}

fn flags_value(api: &Api) -> Value {
    let flags = api.config.flags().into_iter();
    Value::Object(flags.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

/// A v1 message as a JSON value.
fn wire<M: serde::Serialize>(message: &M) -> Value {
    // The messages' names are strings, so that this does not fail.
    serde_json::to_value(message).unwrap_or_default()
}

pub(super) fn state(api: &Api) -> Value {
    let known = api.known.read();
    let info = known.state.info.as_ref().map(|info| info.0.clone()).unwrap_or_default();
    let total = total(&known, &info);
    let used = used(&known);
    let frameworks = known.state.frameworks.iter();
    let frameworks: Vec<Value> =
        frameworks.map(|(id, framework)| self::framework(api, &known, id, framework)).collect();
    let completed = views::completed_frameworks(&known).map(|framework| {
        let id = framework.id.as_ref().map_or("", |id| &id.value);
        self::framework(api, &known, id, framework)
    });
    let capabilities = capabilities(api.containerizer.holds_limits()).into_iter();
    let mut state = json!({
        "log_dir": "",
        "start_time": api.start_time,
        "id": known.state.agent_id(),
        "pid": format!("slave(1)@{}", api.address),
        "hostname": info.hostname,
        "capabilities": capabilities.map(|capability| capability.as_str_name()).collect::<Vec<_>>(),
        "attributes": attributes(&info),
        "resource_providers": [],
        "flags": flags_value(api),
        "completed_frameworks": completed.collect::<Vec<_>>(),
        "frameworks": frameworks,
    });
    if let (Value::Object(fields), Value::Object(version)) = (&mut state, version()) {
        fields.extend(version);
        fields.extend(resources(&total, &used));
    }
    if let Some(hostname) = &known.live.master_hostname {
        state["master_hostname"] = json!(hostname);
    }
    state
}

/// The agent's total: what it brought, with reservations and volumes as the master has them.
fn total(known: &Known, info: &v1::AgentInfo) -> Vec<v1::Resource> {
    if known.state.total.is_empty() {
        return info.resources.clone();
    }
    known.state.total.iter().map(|resource| resource.0.clone()).collect()
}

/// What executors and unfinished tasks use.
pub(super) fn used(known: &Known) -> Vec<v1::Resource> {
    let executors = known.state.executors.values().filter(|executor| !executor.has_ended);
    let of_executors = executors.flat_map(|executor| executor.info.resources.iter());
    let tasks = known.state.tasks.values().filter(|task| !task.is_terminal());
    let of_tasks = tasks.filter_map(|task| task.info.as_ref()).flat_map(|info| &info.resources);
    of_executors.chain(of_tasks).cloned().collect()
}

fn resources(total: &[v1::Resource], used: &[v1::Resource]) -> Map<String, Value> {
    let endpoint = |resource: &v1::Resource| {
        let mut resource = resource.clone();
        protocol::resource::for_endpoint(&mut resource);
        wire(&resource)
    };
    let is_free = |resource: &&v1::Resource| reservation(resource).is_none();
    let by_role = |resources: &[v1::Resource], show: &dyn Fn(Vec<&v1::Resource>) -> Value| {
        let mut roles: BTreeMap<String, Vec<v1::Resource>> = BTreeMap::new();
        for resource in resources {
            if let Some(role) = reservation(resource) {
                roles.entry(role.to_owned()).or_default().push(resource.clone());
            }
        }
        let roles = roles.into_iter().map(|(role, of_role)| (role, show(of_role.iter().collect())));
        Value::Object(roles.collect())
    };
    let flatten = |resources: Vec<&v1::Resource>| flat(resources);
    let full = |resources: Vec<&v1::Resource>| resources.into_iter().map(endpoint).collect();
    let fields = [
        ("resources", flat(total)),
        ("reserved_resources", by_role(total, &flatten)),
        ("unreserved_resources", flat(total.iter().filter(is_free))),
        ("reserved_resources_full", by_role(total, &full)),
        ("unreserved_resources_full", full(total.iter().filter(is_free).collect())),
        ("reserved_resources_allocated", by_role(used, &flatten)),
        ("unreserved_resources_allocated", flat(used.iter().filter(is_free))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn attributes(info: &v1::AgentInfo) -> Value {
    let value = |attribute: &v1::Attribute| {
        if let Some(scalar) = &attribute.scalar {
            return json!(scalar.value);
        }
        if let Some(text) = &attribute.text {
            return json!(text.value);
        }
        let ranges = attribute.ranges.iter().flat_map(|ranges| &ranges.range);
        let parts: Vec<String> =
            ranges.map(|range| format!("{}-{}", range.begin, range.end)).collect();
        json!(format!("[{}]", parts.join(", ")))
    };
    let attributes = info.attributes.iter();
    Value::Object(attributes.map(|attribute| (attribute.name.clone(), value(attribute))).collect())
}

fn framework(api: &Api, known: &Known, id: &str, framework: &v1::FrameworkInfo) -> Value {
    let running = known.state.executors_of(id).map(|(key, running)| {
        let tasks = running.tasks.iter().filter_map(|task_id| {
            let key = TaskKey { framework_id: id.to_owned(), task_id: task_id.clone() };
            known.state.tasks.get(&key).map(|task| (key, task))
        });
        let tasks: Vec<(TaskKey, &Task)> = tasks.collect();
        let ended: Vec<_> = known.history.tasks_of(key).collect();
        executor(api, known, key, running, &tasks, &ended)
    });
    let executors: Vec<Value> = running.collect();
    let ended = known.history.executors.iter().filter(|ended| ended.key.framework_id == id);
    let completed = ended.map(|ended| {
        executor(
            api,
            known,
            &ended.key,
            &ended.executor,
            &[],
            &ended.tasks.iter().collect::<Vec<_>>(),
        )
    });
    #[expect(deprecated, reason = "frameworks without MULTI_ROLE still use it")]
    let role = framework.role.clone();
    json!({
        "id": id,
        "name": framework.name,
        "user": framework.user,
        "failover_timeout": framework.failover_timeout(),
        "checkpoint": framework.checkpoint(),
        "hostname": framework.hostname(),
        "principal": framework.principal(),
        "role": role.unwrap_or_else(|| "*".to_owned()),
        "roles": framework.roles,
        "executors": executors,
        "completed_executors": completed.collect::<Vec<_>>(),
    })
}

fn executor(
    api: &Api,
    known: &Known,
    key: &ExecutorKey,
    executor: &Executor,
    tasks: &[(TaskKey, &Task)],
    ended: &[&(TaskKey, Task)],
) -> Value {
    let agent_id = known.state.agent_id();
    let directory = sandbox::path(&api.config.work_dir, agent_id, key, &executor.container_id);
    let unfinished = tasks.iter().filter(|(_, task)| !task.is_terminal());
    let of_tasks =
        unfinished.filter_map(|(_, task)| task.info.as_ref()).flat_map(|info| &info.resources);
    let of_ended = ended.iter().filter_map(|(_, task)| task.info.as_ref());
    let resources: Vec<v1::Resource> =
        executor.info.resources.iter().chain(of_tasks).cloned().collect();
    let role = allocation_role(&resources).map(str::to_owned);
    let role = role.or_else(|| {
        of_ended.clone().find_map(|info| allocation_role(&info.resources).map(str::to_owned))
    });
    let show = |(key, task): &(TaskKey, &Task)| self::task(key, task, agent_id);
    let (queued, begun): (Vec<_>, Vec<_>) =
        tasks.iter().partition(|(_, task)| views::stage(task) == Stage::Queued);
    let completed = ended.iter().map(|(key, task)| self::task(key, task, agent_id));
    let mut shown = json!({
        "id": key.executor_id,
        "name": executor.info.name(),
        "source": views::source(&executor.info),
        "container": executor.container_id,
        "directory": directory,
        "resources": flat(&resources),
        "tasks": begun.into_iter().map(show).collect::<Vec<_>>(),
        "queued_tasks": queued.into_iter().map(show).collect::<Vec<_>>(),
        "completed_tasks": completed.collect::<Vec<_>>(),
    });
    if let Some(role) = role {
        shown["role"] = json!(role);
    }
    if let Some(labels) = &executor.info.labels {
        shown["labels"] = wire(&labels.labels);
    }
    if let Some(kind) = executor.info.r#type {
        shown["type"] =
            json!(v1::executor_info::Type::try_from(kind).unwrap_or_default().as_str_name());
    }
    shown
}

fn task(key: &TaskKey, task: &Task, agent_id: &str) -> Value {
    let info = task.info.as_ref().map(|info| info.0.clone()).unwrap_or_default();
    let executor_id = task.executor_id.as_deref().filter(|_| !task.is_command);
    let mut shown = json!({
        "id": key.task_id,
        "name": info.name,
        "framework_id": key.framework_id,
        "executor_id": executor_id.unwrap_or_default(),
        "slave_id": agent_id,
        "state": task.state().as_str_name(),
        "resources": flat(&info.resources),
        "statuses": task.statuses.iter().map(|status| self::status(status)).collect::<Vec<_>>(),
    });
    if let Some(role) = allocation_role(&info.resources) {
        shown["role"] = json!(role);
    }
    if let Some(labels) = &info.labels {
        shown["labels"] = wire(&labels.labels);
    }
    let described = [
        ("discovery", info.discovery.as_ref().map(wire)),
        ("container", info.container.as_ref().map(wire)),
        ("health_check", info.health_check.as_ref().map(wire)),
        ("user", info.command.as_ref().and_then(|command| command.user.as_ref()).map(wire)),
    ];
    for (name, value) in described {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

fn status(status: &v1::TaskStatus) -> Value {
    let mut shown =
        json!({ "state": status.state().as_str_name(), "timestamp": status.timestamp() });
    if let Some(labels) = &status.labels {
        shown["labels"] = wire(&labels.labels);
    }
    if let Some(container) = &status.container_status {
        // The classic endpoint leaves the pid out.
        let container = v1::ContainerStatus { executor_pid: None, ..container.clone() };
        shown["container_status"] = wire(&container);
    }
    if let Some(healthy) = status.healthy {
        shown["healthy"] = json!(healthy);
    }
    shown
}

pub(super) async fn statistics(api: &Api) -> Value {
    let running = views::running(&api.known.read());
    let mut all = Vec::with_capacity(running.len());
    for container in running {
        let mut shown = described(&container);
        if let Some(usage) = views::usage(api, &container).await {
            shown["statistics"] = wire(&usage);
        }
        all.push(shown);
    }
    Value::Array(all)
}

fn described(container: &RunningContainer) -> Value {
    json!({
        "executor_id": container.key.executor_id,
        "executor_name": container.name,
        "framework_id": container.key.framework_id,
        "source": container.source,
    })
}

/// By container, by framework, or by executor of a framework (semantics 286).
pub(super) async fn containers(api: &Api, query: &Query) -> Result<Value, Box<Reply>> {
    let wanted = (query.get("container_id"), query.get("framework_id"), query.get("executor_id"));
    if matches!(wanted, (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (None, None, Some(_))) {
        return Err(Box::new(reply::bad_request(
            "Expecting 'container_id' alone, 'framework_id' alone, \
             or 'executor_id' with 'framework_id'",
        )));
    }
    let (container_id, framework_id, executor_id) = wanted;
    let matches = |container: &RunningContainer| {
        container_id.is_none_or(|id| id == container.container_id)
            && framework_id.is_none_or(|id| id == container.key.framework_id)
            && executor_id.is_none_or(|id| id == container.key.executor_id)
    };
    let running = views::running(&api.known.read());
    let mut all = Vec::new();
    for container in running.into_iter().filter(matches) {
        let mut shown = described(&container);
        let mut status = json!({ "container_id": { "value": container.container_id } });
        if let Some(pid) = container.pid {
            status["executor_pid"] = json!(pid);
        }
        shown["container_id"] = json!(container.container_id);
        shown["status"] = status;
        if let Some(usage) = views::usage(api, &container).await {
            shown["statistics"] = wire(&usage);
        }
        all.push(shown);
    }
    Ok(Value::Array(all))
}
