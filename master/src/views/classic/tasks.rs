//! Tasks (semantics 289, 291).

use std::collections::BTreeMap;

use protocol::v1::value::Scalar;
use protocol::v1::{self, TaskStatus};
use serde::Serialize;
use statemachine::State;
use statemachine::framework::Framework;
use statemachine::task::Task;

use super::list;
use super::resources::flat;
use crate::convert::task;

/// One task.
#[derive(Serialize)]
pub(super) struct TaskView {
    id: String,
    name: String,
    framework_id: String,
    executor_id: String,
    slave_id: String,
    state: &'static str,
    resources: serde_json::Value,
    role: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, serde_json::Value>,
    statuses: Vec<StatusView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<v1::DiscoveryInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<v1::ContainerInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check: Option<v1::HealthCheck>,
}

#[derive(Serialize)]
struct StatusView {
    state: &'static str,
    timestamp: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_status: Option<v1::ContainerStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<bool>,
}

impl TaskView {
    pub(super) fn of(state: &State, framework: &Framework, it: &Task) -> Self {
        let written = task::write(state, framework, it);
        Self {
            state: written.state().as_str_name(),
            id: written.task_id.value,
            name: written.name,
            framework_id: framework.wire_id.to_string(),
            executor_id: it.executor.as_ref().map_or_else(String::new, ToString::to_string),
            slave_id: written.agent_id.value,
            resources: serde_json::to_value(flat(&it.resources)).unwrap_or_default(),
            role: it.role.to_string(),
            limits: written.limits.into_iter().map(limit).collect(),
            statuses: written.statuses.into_iter().map(StatusView::of).collect(),
            user: written.user,
            labels: written.labels.map(|labels| labels.labels),
            discovery: written.discovery,
            container: written.container,
            health_check: written.health_check,
        }
    }
}

/// What a task may use at most: a number, or `Infinity`, for which JSON has none.
fn limit((name, most): (String, Scalar)) -> (String, serde_json::Value) {
    let most = if most.value.is_finite() { most.value.into() } else { "Infinity".into() };
    (name, most)
}

impl StatusView {
    fn of(status: TaskStatus) -> Self {
        Self {
            state: status.state().as_str_name(),
            timestamp: status.timestamp(),
            labels: status.labels.map(|labels| labels.labels),
            container_status: status.container_status,
            healthy: status.healthy,
        }
    }
}

/// Which tasks `/tasks` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// At most so many.
    pub(crate) limit: usize,
    /// After so many.
    pub(crate) offset: usize,
    /// The oldest first.
    pub(crate) ascending: bool,
    /// Only of this framework.
    pub(crate) framework_id: Option<String>,
    /// Only of this id.
    pub(crate) task_id: Option<String>,
}

#[derive(Serialize)]
struct Tasks<T: Serialize> {
    tasks: T,
}

/// `/tasks`: all that are known, by the time of their first status.
pub(crate) fn tasks(state: &State, page: &Page) -> impl Serialize {
    let wanted = |framework: &&Framework| {
        page.framework_id.as_ref().is_none_or(|id| **id == *framework.wire_id)
    };
    let current = state.frameworks.values().map(AsRef::as_ref);
    let over = state.completed_frameworks.iter().map(|it| it.framework.as_ref());
    let mut found: Vec<(&Framework, &Task)> = Vec::new();
    for framework in current.chain(over).filter(wanted) {
        let all = state.tasks_of(framework.id).chain(&framework.completed);
        let named =
            all.filter(|task| page.task_id.as_ref().is_none_or(|id| **id == *task.key.task));
        found.extend(named.map(|task| (framework, task.as_ref())));
    }
    found.sort_by_key(|(_, task)| task.statuses.first().map(|status| status.at));
    if !page.ascending {
        found.reverse();
    }
    let shown: Vec<_> = found
        .into_iter()
        .skip(page.offset)
        .take(page.limit)
        .map(|(framework, task)| TaskView::of(state, framework, task))
        .collect();
    Tasks { tasks: list(shown) }
}
