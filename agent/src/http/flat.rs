//! Resources as the classic endpoints show them (semantics 288).

use std::collections::BTreeMap;

use protocol::v1;
use protocol::v1::value::Type;
use serde_json::{Value, json};

/// Sums by name, the four well-known scalars always there; ranges and sets as text.
pub(super) fn flat<'a>(resources: impl IntoIterator<Item = &'a v1::Resource>) -> Value {
    let mut scalars: BTreeMap<String, f64> =
        ["cpus", "gpus", "mem", "disk"].map(|name| (name.to_owned(), 0.0)).into();
    let mut ranges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in resources {
        let suffix = if resource.revocable.is_some() { "_revocable" } else { "" };
        let name = format!("{}{suffix}", resource.name);
        match resource.r#type() {
            Type::Scalar => {
                let value = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
                let sum = scalars.entry(name).or_default();
                *sum = ((*sum + value) * 1000.0).round() / 1000.0;
            }
            Type::Ranges => {
                let own = resource.ranges.iter().flat_map(|ranges| &ranges.range);
                let parts = own.map(|range| format!("{}-{}", range.begin, range.end));
                ranges.entry(name).or_default().extend(parts);
            }
            Type::Set => {
                let items = resource.set.iter().flat_map(|set| set.item.iter().cloned());
                sets.entry(name).or_default().extend(items);
            }
            Type::Text => {}
        }
    }
    let scalars = scalars.into_iter().map(|(name, value)| (name, json!(value)));
    let ranges =
        ranges.into_iter().map(|(name, parts)| (name, json!(format!("[{}]", parts.join(", ")))));
    let sets =
        sets.into_iter().map(|(name, items)| (name, json!(format!("{{{}}}", items.join(", ")))));
    Value::Object(scalars.chain(ranges).chain(sets).collect())
}

/// The role that resources of an executor or task were allocated to.
pub(super) fn allocation_role(resources: &[v1::Resource]) -> Option<&str> {
    resources.iter().find_map(|resource| resource.allocation_info.as_ref()?.role.as_deref())
}

/// The role a resource is reserved for; nothing for one that is not.
pub(super) fn reservation(resource: &v1::Resource) -> Option<&str> {
    resource.reservations.last().and_then(|reservation| reservation.role.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_scalars_are_always_there() {
        let shown = flat(&[
            v1::Resource::scalar("cpus", 0.1),
            v1::Resource::scalar("cpus", 0.2),
            v1::Resource::ranges("ports", &[(1, 2), (5, 6)]),
        ]);
        let expected =
            json!({"cpus": 0.3, "gpus": 0.0, "mem": 0.0, "disk": 0.0, "ports": "[1-2, 5-6]"});
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_set_is_one_whatever_its_items_are_called() {
        let resources = protocol::resource::parse("disks:{sda-1,sda-2};ids:{};ports:[3-4]", "*");
        let shown = flat(&resources.expect("resources"));
        assert_eq!(shown["disks"], "{sda-1, sda-2}");
        assert_eq!(shown["ids"], "{}");
        assert_eq!(shown["ports"], "[3-4]");
    }
}
