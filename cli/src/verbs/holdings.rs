//! What agents have, as operators see it: all resources with their reservations and volumes, and how to
//! find among them what a command names.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use protocol::v1::Resource;
use protocol::v1::master::call::Type;
use protocol::v1::master::response::get_agents::Agent;
use protocol::v1::resource::ReservationInfo;
use protocol::v1::resource::reservation_info;
use protocol::v1::value::{self, Scalar};

use crate::client::Leader;

/// Every agent that is there, with all that it has, by id.
pub(super) async fn of_agents(leader: &Leader) -> anyhow::Result<BTreeMap<String, Vec<Resource>>> {
    let agents = leader.operate(Type::GetAgents).await?.get_agents.unwrap_or_default().agents;
    let held = |agent: Agent| Some((agent.agent_info.id?.value, agent.total_resources));
    Ok(agents.into_iter().filter_map(held).collect())
}

/// All that one agent has.
pub(super) async fn of_agent(leader: &Leader, id: &str) -> anyhow::Result<Vec<Resource>> {
    let held = of_agents(leader).await?.remove(id);
    held.with_context(|| format!("'{id}' is not the id of an agent that is there"))
}

/// The reservation that counts, if any.
pub(super) fn reservation(resource: &Resource) -> Option<&ReservationInfo> {
    resource.reservations.last()
}

/// Whether something is reserved for this role while the cluster runs, and is no volume.
fn is_reserved(resource: &Resource, role: &str) -> bool {
    let is_volume = resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some());
    reservation(resource).is_some_and(|it| {
        it.role() == role && it.r#type() == reservation_info::Type::Dynamic && !is_volume
    })
}

/// What of `held` is reserved for `role` and is as much as each of `wanted`: of scalars parts, of all
/// else what is wanted with the reservation of what is held.
pub(super) fn reserved_for(
    held: &[Resource],
    role: &str,
    wanted: &[Resource],
) -> anyhow::Result<Vec<Resource>> {
    let mut found = Vec::new();
    for wanted in wanted {
        let mut of_name =
            held.iter().filter(|it| it.name == wanted.name && is_reserved(it, role)).peekable();
        if wanted.r#type() != value::Type::Scalar {
            let first = of_name.next();
            let first = first.with_context(|| format!("no {} reserved for {role}", wanted.name))?;
            found.push(Resource { reservations: first.reservations.clone(), ..wanted.clone() });
            continue;
        }
        let mut missing = amount(wanted);
        for resource in of_name {
            let part = missing.min(amount(resource));
            if part > 0.0 {
                found.push(with_amount(resource, part));
            }
            missing = rounded(missing - part);
        }
        if missing > 0.0 {
            let (name, all) = (&wanted.name, amount(wanted));
            bail!("{name}:{all} is not reserved for {role}: {missing} is missing");
        }
    }
    Ok(found)
}

/// How much of a scalar.
pub(super) fn amount(resource: &Resource) -> f64 {
    resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value)
}

/// The same, of another size.
pub(super) fn with_amount(resource: &Resource, value: f64) -> Resource {
    Resource { scalar: Some(Scalar { value }), allocation_info: None, ..resource.clone() }
}

/// Scalars have three decimals.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// `name:amount;…`, each name once.
pub(super) fn shown<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> String {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    let mut others = Vec::new();
    for resource in resources {
        if let Some(scalar) = &resource.scalar {
            let sum = sums.entry(&resource.name).or_default();
            *sum = rounded(*sum + scalar.value);
        } else if let Some(ranges) = &resource.ranges {
            let ranges: Vec<_> =
                ranges.range.iter().map(|it| format!("{}-{}", it.begin, it.end)).collect();
            others.push(format!("{}:[{}]", resource.name, ranges.join(",")));
        } else if let Some(set) = &resource.set {
            others.push(format!("{}:{{{}}}", resource.name, set.item.join(",")));
        }
    }
    let sums = sums.into_iter().map(|(name, sum)| format!("{name}:{sum}"));
    sums.chain(others).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
pub(super) mod tests {
    use protocol::v1::resource::DiskInfo;
    use protocol::v1::resource::disk_info::Persistence;

    use super::*;

    /// Resources reserved for `role` by `principal`.
    pub(in crate::verbs) fn reserved(text: &str, role: &str, principal: &str) -> Vec<Resource> {
        let reservation = ReservationInfo {
            r#type: Some(reservation_info::Type::Dynamic as i32),
            role: Some(role.into()),
            principal: Some(principal.into()),
            labels: None,
        };
        let resources = protocol::resource::parse(text, "*").expect("resources");
        let with = |it: Resource| Resource { reservations: vec![reservation.clone()], ..it };
        resources.into_iter().map(with).collect()
    }

    fn held() -> Vec<Resource> {
        let mut held = reserved("cpus:1;disk:10;ports:[1-9]", "a", "p");
        held.extend(reserved("cpus:2", "a", "q"));
        held.extend(reserved("cpus:4", "b", "p"));
        let mut volume = reserved("disk:64", "a", "p");
        let persistence = Some(Persistence { id: "v".into(), principal: None });
        volume[0].disk = Some(DiskInfo { persistence, ..DiskInfo::default() });
        held.extend(volume);
        held.extend(protocol::resource::parse("cpus:8", "*").expect("resources"));
        held
    }

    fn check(wanted: &str, expected: Option<&[Resource]>) {
        let wanted = protocol::resource::parse(wanted, "*").expect("resources");
        let found = reserved_for(&held(), "a", &wanted).ok();
        assert_eq!(found.as_deref(), expected, "{wanted:?}");
    }

    #[test]
    fn what_is_reserved_is_found_with_who_reserved_it() {
        check("cpus:0.5", Some(&reserved("cpus:0.5", "a", "p")));
        let both = [reserved("cpus:1", "a", "p"), reserved("cpus:1.5", "a", "q")].concat();
        check("cpus:2.5", Some(&both));
        check("cpus:3.001", None);
        check("disk:10", Some(&reserved("disk:10", "a", "p")));
        check("disk:11", None);
        check("ports:[2-3]", Some(&reserved("ports:[2-3]", "a", "p")));
        check("gpus:1", None);
    }

    #[test]
    fn resources_are_shown_by_name() {
        assert_eq!(shown(&held()), "cpus:15;disk:74;ports:[1-9]");
    }
}
