//! Frameworks.

use std::sync::Arc;

use protocol::v1::scheduler::OfferConstraints;
use protocol::v1::{ExecutorInfo, Label, Offer};
use serde::Serialize;
use statemachine::framework::{CompletedFramework, Framework};
use statemachine::resources::Resources;
use statemachine::task::Task;
use statemachine::{Connection, State, Time};

use super::resources::flat;
use super::tasks::TaskView;
use super::{List, list};
use crate::convert::{constraints, framework, offer, seconds, task};
use crate::views::{active_tasks, is_active, offered, total, unreachable_tasks, used_by_framework};

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "they are the keys that clients know")]
struct Frameworks<F: Serialize, C: Serialize> {
    frameworks: F,
    completed_frameworks: C,
    unregistered_frameworks: [(); 0],
}

/// `/frameworks`, with those that are over.
pub(crate) fn frameworks<'a>(state: &'a State, id: Option<&'a str>) -> impl Serialize + 'a {
    let wanted = move |it: &Framework| id.is_none_or(|id| *it.wire_id == *id);
    let current = state.frameworks.values().filter(move |it| wanted(it));
    let over = state.completed_frameworks.iter().filter(move |it| wanted(&it.framework));
    Frameworks {
        frameworks: list(current.map(move |it| whole(state, it, None))),
        completed_frameworks: list(over.map(move |it| completed(state, it))),
        unregistered_frameworks: [],
    }
}

/// The fields that `/state-summary` has too.
#[derive(Serialize)]
pub(super) struct Brief {
    id: String,
    name: String,
    used_resources: serde_json::Value,
    offered_resources: serde_json::Value,
    capabilities: Vec<&'static str>,
    hostname: String,
    webui_url: String,
    active: bool,
    connected: bool,
    recovered: bool,
}

#[derive(Serialize)]
struct Whole<T: Serialize, U: Serialize, C: Serialize> {
    #[serde(flatten)]
    brief: Brief,
    user: String,
    failover_timeout: f64,
    checkpoint: bool,
    registered_time: f64,
    unregistered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    resources: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<Label>>,
    tasks: T,
    unreachable_tasks: U,
    completed_tasks: C,
    offers: Vec<Offer>,
    executors: Vec<ExecutorView>,
    offer_constraints: OfferConstraints,
}

#[derive(Serialize)]
struct ExecutorView {
    #[serde(flatten)]
    info: ExecutorInfo,
    slave_id: String,
}

impl Brief {
    pub(super) fn of(state: &State, it: &Framework) -> Self {
        let info = framework::write(it);
        let names = info.capabilities.iter().map(|capability| capability.r#type().as_str_name());
        let small = |held: &Resources| serde_json::to_value(flat(held)).unwrap_or_default();
        Self {
            id: it.wire_id.to_string(),
            used_resources: small(&total(&used_by_framework(state, it))),
            offered_resources: small(&total(&offered(state, &it.offers))),
            capabilities: names.collect(),
            hostname: info.hostname().to_owned(),
            webui_url: info.webui_url().to_owned(),
            name: info.name,
            active: is_active(it),
            connected: it.connection.is_connected(),
            recovered: matches!(it.connection, Connection::Awaited { .. }),
        }
    }
}

/// Frameworks that are not over, for `/state`.
pub(super) fn current(state: &State) -> List<impl Iterator<Item = impl Serialize>> {
    list(state.frameworks.values().map(move |it| whole(state, it, None)))
}

/// Frameworks that are over, for `/state`.
pub(super) fn over(state: &State) -> List<impl Iterator<Item = impl Serialize>> {
    list(state.completed_frameworks.iter().map(move |it| completed(state, it)))
}

fn completed<'a>(state: &'a State, it: &'a CompletedFramework) -> impl Serialize + 'a {
    whole(state, &it.framework, Some(it.ended_at))
}

fn whole<'a>(state: &'a State, it: &'a Framework, ended_at: Option<Time>) -> impl Serialize + 'a {
    let mut brief = Brief::of(state, it);
    if ended_at.is_some() {
        (brief.active, brief.connected) = (false, false);
    }
    let held = total(&used_by_framework(state, it));
    let mut all = held;
    all.add_all(&total(&offered(state, &it.offers)));
    let info = framework::write(it);
    let is_multi_role = !info.roles.is_empty() || brief.capabilities.contains(&"MULTI_ROLE");
    let view = move |task: &'a Arc<Task>| TaskView::of(state, it, task);
    let capabilities = it.description.capabilities;
    let offers = it.offers.iter().filter_map(|id| state.offers.get(id));
    let roles: Vec<_> = it.description.roles.iter().map(ToString::to_string).collect();
    Whole {
        brief,
        user: it.description.user.to_string(),
        failover_timeout: info.failover_timeout(),
        checkpoint: it.description.checkpoint,
        registered_time: seconds(it.registered_at),
        unregistered_time: ended_at.map_or(0.0, seconds),
        principal: it.description.principal.as_ref().map(ToString::to_string),
        resources: serde_json::to_value(flat(&all)).unwrap_or_default(),
        role: (!is_multi_role).then(|| roles.join(",")),
        roles: is_multi_role.then_some(roles),
        reregistered_time: it.reregistered_at.map(seconds),
        labels: info.labels.map(|labels| labels.labels),
        tasks: list(active_tasks(state, it).map(view)),
        unreachable_tasks: list(unreachable_tasks(state, it).map(view)),
        completed_tasks: list(it.completed.iter().map(view)),
        offers: offers.filter_map(|it| offer::write(state, it, capabilities)).collect(),
        executors: executors(state, it),
        offer_constraints: constraints::write(&it.constraints),
    }
}

fn executors(state: &State, it: &Framework) -> Vec<ExecutorView> {
    let of_this = state.executors.values().filter(|executor| executor.key.framework == it.id);
    of_this
        .map(|executor| ExecutorView {
            info: task::write_executor(executor),
            slave_id: state.agent_text(executor.key.agent),
        })
        .collect()
}
