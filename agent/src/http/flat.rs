//! Resources as the classic endpoints show them (semantics 288).

use std::collections::BTreeMap;

use protocol::v1;
use protocol::v1::value::Type;
use serde_json::{Map, Value, json};

/// Sums by name, the four well-known scalars always there; ranges and sets as text.
pub(super) fn flat<'a>(resources: impl IntoIterator<Item = &'a v1::Resource>) -> Value {
    let mut scalars: BTreeMap<String, f64> =
        ["cpus", "gpus", "mem", "disk"].map(|name| (name.to_owned(), 0.0)).into();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
                let ranges = resource.ranges.iter().flat_map(|ranges| &ranges.range);
                let parts = ranges.map(|range| format!("{}-{}", range.begin, range.end));
                texts.entry(name).or_default().extend(parts);
            }
            Type::Set => {
                let items = resource.set.iter().flat_map(|set| set.item.iter().cloned());
                texts.entry(name).or_default().extend(items);
            }
            Type::Text => {}
        }
    }
    let mut all: Map<String, Value> =
        scalars.into_iter().map(|(name, value)| (name, json!(value))).collect();
    for (name, parts) in texts {
        let is_range = parts.iter().all(|part| part.split_once('-').is_some());
        let joined = parts.join(", ");
        let text = if is_range { format!("[{joined}]") } else { format!("{{{joined}}}") };
        all.insert(name, json!(text));
    }
    Value::Object(all)
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
}
