//! Resources as one flat object: `{"cpus":8.0,"gpus":0.0,…,"ports":"[31000-32000]"}`
//! (semantics 288).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use statemachine::resources::{Ranges, Resource, Resources, Scalar, Value};

/// Scalars that are always there.
const ALWAYS: [&str; 4] = ["disk", "mem", "gpus", "cpus"];

/// A flat object of a sum of resources.
#[derive(Debug)]
pub(super) struct Flat<'a> {
    entries: BTreeMap<String, Sum<'a>>,
    always: bool,
}

#[derive(Debug)]
enum Sum<'a> {
    Scalar(Scalar),
    Ranges(Vec<&'a Ranges>),
    Set(BTreeSet<&'a Arc<str>>),
}

/// The flat object of resources, whatever they are reserved for.
pub(super) fn flat<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Flat<'a> {
    summed(resources, true)
}

/// The same without what is not there.
pub(super) fn sparse(resources: &Resources) -> Flat<'_> {
    summed(resources, false)
}

fn summed<'a>(resources: impl IntoIterator<Item = &'a Resource>, always: bool) -> Flat<'a> {
    let mut entries: BTreeMap<String, Sum<'a>> = BTreeMap::new();
    for resource in resources {
        let suffix = if resource.revocable { "_revocable" } else { "" };
        let name = format!("{}{suffix}", resource.name);
        let sum = entries.entry(name).or_insert_with(|| match &resource.value {
            Value::Scalar(_) => Sum::Scalar(Scalar(0)),
            Value::Ranges(_) => Sum::Ranges(Vec::new()),
            Value::Set(_) => Sum::Set(BTreeSet::new()),
        });
        match (sum, &resource.value) {
            (Sum::Scalar(sum), Value::Scalar(more)) => sum.0 += more.0,
            (Sum::Ranges(sum), Value::Ranges(more)) => sum.push(more),
            (Sum::Set(sum), Value::Set(more)) => sum.extend(more),
            _ => {}
        }
    }
    Flat { entries, always }
}

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.always {
            for name in ALWAYS.iter().filter(|name| !self.entries.contains_key(**name)) {
                map.serialize_entry(name, &0.0)?;
            }
        }
        for (name, sum) in &self.entries {
            match sum {
                Sum::Scalar(scalar) => map.serialize_entry(name, &scalar.to_f64())?,
                Sum::Ranges(ranges) => map.serialize_entry(name, &ranges_text(ranges))?,
                Sum::Set(set) => map.serialize_entry(name, &set_text(set))?,
            }
        }
        map.end()
    }
}

fn ranges_text(ranges: &[&Ranges]) -> String {
    let union = Ranges::new(ranges.iter().flat_map(|ranges| ranges.iter()));
    let texts: Vec<_> = union.iter().map(|(begin, end)| format!("{begin}-{end}")).collect();
    format!("[{}]", texts.join(", "))
}

fn set_text(set: &BTreeSet<&Arc<str>>) -> String {
    let items: Vec<_> = set.iter().map(|item| &***item).collect();
    format!("{{{}}}", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows a `|` may be taken back.
    fn check(text: &str, expected: &str) {
        let (kept, revocable) = text.split_once('|').unwrap_or((text, ""));
        let mut parsed = protocol::resource::parse(kept, "*").expect("resources");
        for mut resource in protocol::resource::parse(revocable, "*").expect("resources") {
            resource.revocable = Some(protocol::v1::resource::RevocableInfo {});
            parsed.push(resource);
        }
        let resources = crate::convert::resources::read(&parsed).expect("valid");
        let written = serde_json::to_value(flat(&resources)).expect("an object");
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(written, expected);
    }

    /// semantics 288
    #[test]
    fn resources_are_flat() {
        check("", r#"{"cpus":0.0,"mem":0.0,"disk":0.0,"gpus":0.0}"#);
        check(
            "cpus:1.5;cpus(a):1;ports:[1-2,5-9];things:{a,b}",
            r#"{"cpus":2.5,"mem":0.0,"disk":0.0,"gpus":0.0,"ports":"[1-2, 5-9]",
                "things":"{a, b}"}"#,
        );
        check(
            "cpus:1;mem:64|cpus:3;gpus:1",
            r#"{"cpus":1.0,"cpus_revocable":3.0,"mem":64.0,"disk":0.0,"gpus":0.0,
                "gpus_revocable":1.0}"#,
        );
    }
}
