//! Roles with their weight, quota and what is held in them.

use serde::Serialize;
use statemachine::State;
use statemachine::resources::Resources;

use super::resources::sparse;
use super::{Empty, list};
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
    guarantee: Empty,
    limit: Empty,
    consumed: serde_json::Value,
}

/// `/roles`.
pub(crate) fn roles(state: &State) -> impl Serialize {
    let rows = crate::views::roles::roles(state);
    let rows: Vec<_> = rows.into_iter().map(|(name, view)| row(state, &name, &view)).collect();
    Roles { roles: list(rows) }
}

fn row(state: &State, name: &str, view: &RoleView) -> Row {
    let small = |held: &Resources| serde_json::to_value(sparse(held)).unwrap_or_default();
    let mut resources = view.allocated.clone();
    resources.add_all(&view.offered);
    let wire_id = |id| state.frameworks.get(id).map(|framework| framework.wire_id.to_string());
    Row {
        name: name.to_owned(),
        weight: view.weight,
        quota: Quota {
            role: name.to_owned(),
            guarantee: Empty {},
            limit: Empty {},
            consumed: small(&view.allocated),
        },
        resources: small(&resources),
        allocated: small(&view.allocated),
        offered: small(&view.offered),
        reserved: small(&view.reserved),
        frameworks: view.frameworks.iter().filter_map(wire_id).collect(),
    }
}
