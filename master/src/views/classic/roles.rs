//! Roles with their weight, quota and what is held in them.

use std::collections::BTreeMap;

use serde::Serialize;
use statemachine::quota::{self, Amounts};
use statemachine::resources::{Resource, Resources, Value};
use statemachine::{Role, State};

use super::list;
use super::resources::sparse;
use crate::views::roles::RoleView;

#[derive(Serialize)]
struct Roles<R: Serialize> {
    roles: R,
}

#[derive(Serialize)]
struct Row {
    name: String,
    weight: f64,
    quota: Quota,
    resources: serde_json::Value,
    allocated: serde_json::Value,
    offered: serde_json::Value,
    reserved: serde_json::Value,
    frameworks: Vec<String>,
}

#[derive(Serialize)]
struct Quota {
    role: String,
    guarantee: BTreeMap<String, f64>,
    limit: BTreeMap<String, f64>,
    consumed: serde_json::Value,
}

/// `/roles`.
pub(crate) fn roles(state: &State) -> impl Serialize {
    let rows = crate::views::roles::roles(state);
    let consumption = consumption(&rows);
    let rows: Vec<_> =
        rows.iter().map(|(name, view)| row(state, name, view, consumption.get(&**name))).collect();
    Roles { roles: list(rows) }
}

fn row(state: &State, name: &Role, view: &RoleView, consumed: Option<&Resources>) -> Row {
    let small = |held: &Resources| serde_json::to_value(sparse(held)).unwrap_or_default();
    let quota = state.quotas.get(name);
    let mut resources = view.allocated.clone();
    resources.add_all(&view.offered);
    let wire_id = |id| state.frameworks.get(id).map(|framework| framework.wire_id.to_string());
    Row {
        name: name.to_string(),
        weight: view.weight,
        quota: Quota {
            role: name.to_string(),
            guarantee: amounts(quota.map(|quota| &quota.guarantees)),
            limit: amounts(quota.map(|quota| &quota.limits)),
            consumed: consumed.map_or_else(|| serde_json::json!({}), small),
        },
        resources: small(&resources),
        allocated: small(&view.allocated),
        offered: small(&view.offered),
        reserved: small(&view.reserved),
        frameworks: view.frameworks.iter().filter_map(wire_id).collect(),
    }
}

/// What counts against each role's quota, used by tasks or reserved, here and below; offers do not, as
/// they can be taken back (semantics 179).
fn consumption(rows: &BTreeMap<Role, RoleView>) -> BTreeMap<String, Resources> {
    let mut consumption: BTreeMap<String, Resources> = BTreeMap::new();
    for (role, view) in rows {
        let is_scalar = |it: &Resource| matches!(it.value, Value::Scalar(_));
        let mut counted = view.allocated.filtered(|it| quota::counts(it) && is_scalar(it));
        counted.add_all(&view.reserved.filtered(is_scalar));
        for above in role.ancestors().chain([role.clone()]) {
            consumption.entry(above.to_string()).or_default().add_all(&counted);
        }
    }
    consumption
}

fn amounts(amounts: Option<&Amounts>) -> BTreeMap<String, f64> {
    let amounts = amounts.into_iter().flatten();
    amounts.map(|(name, amount)| (name.to_string(), amount.to_f64())).collect()
}
