//! Agents, as slaves (semantics 290).

use std::collections::BTreeMap;

use protocol::v1::value::Type;
use protocol::v1::{Attribute, DomainInfo, DrainInfo, Resource};
use serde::Serialize;
use serde::ser::SerializeMap;
use statemachine::agent::Agent;
use statemachine::resources::Resources;
use statemachine::{Connection, State};

use super::resources::{Flat, flat};
use super::{List, list};
use crate::convert::{self, agent, seconds};
use crate::views::{offered, total, used_on_agent};

#[derive(Serialize)]
struct Slaves<A: Serialize, R: Serialize> {
    slaves: A,
    recovered_slaves: R,
}

/// `/slaves`: those that can be reached, and those that were connected to the last leader.
pub(crate) fn slaves<'a>(state: &'a State, id: Option<&'a str>) -> impl Serialize + 'a {
    let wanted = move |it: &&Agent| id.is_none_or(|id| state.agent_text(it.id) == id);
    Slaves {
        slaves: list(registered(state).filter(wanted).map(move |it| Whole::of(state, it))),
        recovered_slaves: list(
            recovered(state).filter(wanted).map(move |it| agent::write(state, it)),
        ),
    }
}

/// Agents that have come to this leader and can be reached.
pub(super) fn registered(state: &State) -> impl Iterator<Item = &Agent> {
    reachable(state).filter(|agent| !is_awaited(agent))
}

/// Agents that were connected to the last leader, and have not come to this one yet.
pub(super) fn recovered(state: &State) -> impl Iterator<Item = &Agent> {
    reachable(state).filter(|agent| is_awaited(agent))
}

fn reachable(state: &State) -> impl Iterator<Item = &Agent> {
    state.agents.values().map(AsRef::as_ref).filter(|agent| agent.unreachable_since.is_none())
}

fn is_awaited(agent: &Agent) -> bool {
    matches!(agent.connection, Connection::Awaited { .. })
}

/// One agent, without the full lists.
#[derive(Serialize)]
pub(super) struct Slave {
    id: String,
    hostname: String,
    port: i32,
    attributes: Attributes,
    pid: String,
    registered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    resources: serde_json::Value,
    used_resources: serde_json::Value,
    offered_resources: serde_json::Value,
    reserved_resources: serde_json::Value,
    unreserved_resources: serde_json::Value,
    active: bool,
    deactivated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_info: Option<DrainInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_drain_start_time_seconds: Option<f64>,
    version: String,
    capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<DomainInfo>,
}

impl Slave {
    pub(super) fn of(state: &State, it: &Agent) -> Self {
        let info = agent::info(it);
        let (_, port) = agent::host_port(it);
        Self {
            id: state.agent_text(it.id),
            hostname: it.description.hostname.to_string(),
            port,
            attributes: Attributes(info.attributes),
            pid: agent::pid(it),
            registered_time: seconds(it.registered_at),
            reregistered_time: it.reregistered_at.map(seconds),
            resources: small(&flat(&it.total)),
            used_resources: small(&flat(&total(&used_on_agent(state, it)).distinct())),
            offered_resources: small(&flat(&total(&offered(state, &it.offers)).distinct())),
            reserved_resources: small(&reserved_flat(&it.total)),
            unreserved_resources: small(&flat(unreserved(&it.total))),
            active: it.is_active(),
            deactivated: it.deactivated,
            drain_info: agent::drain_info(it),
            estimated_drain_start_time_seconds: it
                .drain
                .as_ref()
                .map(|drain| seconds(drain.started_at)),
            version: protocol::API_VERSION.to_owned(),
            capabilities: agent::capabilities(it)
                .iter()
                .map(|capability| capability.r#type().as_str_name())
                .collect(),
            domain: info.domain,
        }
    }
}

/// One agent's own few numbers.
fn small(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// One agent with the full lists.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    slave: Slave,
    reserved_resources_full: BTreeMap<String, Vec<Resource>>,
    unreserved_resources_full: Vec<Resource>,
    used_resources_full: Vec<Resource>,
    offered_resources_full: Vec<Resource>,
}

impl Whole {
    fn of(state: &State, it: &Agent) -> Self {
        let full = |resources: &Resources, role: Option<&str>| {
            convert::resources::write_for_endpoint(resources, role)
        };
        let by_role = |held: BTreeMap<statemachine::Role, Resources>| -> Vec<Resource> {
            held.iter().flat_map(|(role, resources)| full(resources, Some(role))).collect()
        };
        let free: Resources = unreserved(&it.total).cloned().collect();
        Self {
            slave: Slave::of(state, it),
            reserved_resources_full: reserved(&it.total)
                .into_iter()
                .map(|(role, resources)| (role, full(&resources, None)))
                .collect(),
            unreserved_resources_full: full(&free, None),
            used_resources_full: by_role(used_on_agent(state, it)),
            offered_resources_full: by_role(offered(state, &it.offers)),
        }
    }
}

/// Agents as `/state` and `/state-summary` list them.
pub(super) fn all(state: &State) -> List<impl Iterator<Item = Slave>> {
    list(registered(state).map(move |agent| Slave::of(state, agent)))
}

fn unreserved(resources: &Resources) -> impl Iterator<Item = &statemachine::resources::Resource> {
    resources.iter().filter(|resource| resource.reservations.is_empty())
}

fn reserved(resources: &Resources) -> BTreeMap<String, Resources> {
    let mut reserved: BTreeMap<String, Resources> = BTreeMap::new();
    for resource in resources {
        if let Some(reservation) = resource.reservations.last() {
            reserved.entry(reservation.role.to_string()).or_default().add(resource);
        }
    }
    reserved
}

fn reserved_flat(resources: &Resources) -> BTreeMap<String, serde_json::Value> {
    let flat_one = |held: &Resources| -> serde_json::Value {
        let flat: Flat<'_> = flat(held);
        small(&flat)
    };
    reserved(resources).into_iter().map(|(role, held)| (role, flat_one(&held))).collect()
}

/// Attributes as one flat object.
struct Attributes(Vec<Attribute>);

impl Serialize for Attributes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for attribute in &self.0 {
            match attribute.r#type() {
                Type::Scalar => {
                    let value = attribute.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
                    map.serialize_entry(&attribute.name, &value)?;
                }
                Type::Ranges => {
                    let ranges = attribute.ranges.iter().flat_map(|ranges| &ranges.range);
                    let texts: Vec<_> =
                        ranges.map(|range| format!("{}-{}", range.begin, range.end)).collect();
                    map.serialize_entry(&attribute.name, &format!("[{}]", texts.join(", ")))?;
                }
                Type::Text | Type::Set => {
                    let text = attribute.text.as_ref().map_or("", |text| &text.value);
                    map.serialize_entry(&attribute.name, text)?;
                }
            }
        }
        map.end()
    }
}
