//! Resources as the agent's flag writes them: `cpus:8;mem(role):512;ports:[1-10,20-30];set:{a,b}`,
//! or a JSON array of resources.

use super::format::upgrade;
use super::validate::{ResourceError, validate};
use crate::json::{self, JsonError};
use crate::v1::Resource;
use crate::v1::value::Type;
use crate::value_text::{self, ValueError};

/// Why a text is not a list of resources.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text starts as JSON does, and is not an array of resources.
    #[error("the resources are not a JSON array of resources: {0}")]
    Json(JsonError),
    /// An entry is not of the form `name:value` or `name(role):value`.
    #[error("resource '{0}' is not of the form name:value or name(role):value")]
    Form(String),
    /// A value cannot be read.
    #[error("resource '{name}' has no value that can be read: {source}")]
    Value {
        /// Name of the resource.
        name: String,
        /// What is wrong with its value.
        source: ValueError,
    },
    /// A resource is a number, ranges or a set.
    #[error("resource '{0}' is text, which resources cannot be")]
    Text(String),
    /// A resource breaks a rule.
    #[error(transparent)]
    Invalid(#[from] ResourceError),
}

/// Reads resources, in the stack format. Those without a role are reserved for `default_role`,
/// unless that is `*`.
pub fn parse(text: &str, default_role: &str) -> Result<Vec<Resource>, TextError> {
    let text = text.trim();
    let mut resources = if text.starts_with('[') {
        json::list_from_slice(text.as_bytes()).map_err(TextError::Json)?
    } else {
        let entries = text.split([';', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(resource).collect::<Result<Vec<_>, _>>()?
    };
    for resource in &mut resources {
        if resource.role.is_none() && resource.reservations.is_empty() {
            resource.role = Some(default_role.to_owned());
        }
        validate(resource)?;
        upgrade(resource);
    }
    Ok(resources)
}

fn resource(entry: &str) -> Result<Resource, TextError> {
    let form = || TextError::Form(entry.to_owned());
    let (name, text) = entry.split_once(':').ok_or_else(form)?;
    let (name, role) = match name.trim().split_once('(') {
        Some((name, role)) => (name, Some(role.strip_suffix(')').ok_or_else(form)?)),
        None => (name, None),
    };
    let name = name.trim().to_owned();
    if name.is_empty() || name.contains(')') {
        return Err(form());
    }
    let value = value_text::parse(text)
        .map_err(|source| TextError::Value { name: name.clone(), source })?;
    if value.r#type() == Type::Text {
        return Err(TextError::Text(name));
    }
    Ok(Resource {
        name,
        r#type: value.r#type,
        scalar: value.scalar,
        ranges: value.ranges,
        set: value.set,
        role: role.map(|role| role.trim().to_owned()),
        ..Resource::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role;

    fn check(text: &str, default_role: &str, expected: &serde_json::Value) {
        let resources = parse(text, default_role).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(&serde_json::to_value(resources).unwrap(), expected, "{text}");
    }

    fn refused(text: &str) -> String {
        parse(text, role::DEFAULT).unwrap_err().to_string()
    }

    #[test]
    fn every_kind_of_value_is_read() {
        check(
            "cpus:8;mem(role):512; ports:[1-10,20-30];\nset:{a,b};",
            role::DEFAULT,
            &serde_json::json!([
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 8.0}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 512.0},
                 "reservations": [{"type": "STATIC", "role": "role"}]},
                {"name": "ports", "type": "RANGES",
                 "ranges": {"range": [{"begin": 1, "end": 10}, {"begin": 20, "end": 30}]}},
                {"name": "set", "type": "SET", "set": {"item": ["a", "b"]}},
            ]),
        );
        check("", role::DEFAULT, &serde_json::json!([]));
    }

    #[test]
    fn json_says_the_same() {
        check(
            r#" [{"name":"cpus","type":"SCALAR","scalar":{"value":8},"role":"*"},
                 {"name":"mem","type":"SCALAR","scalar":{"value":512},"role":"a"},
                 {"name":"disk","type":"SCALAR","scalar":{"value":10},
                  "reservations":[{"type":"STATIC","role":"b"}],
                  "disk":{"source":{"type":"MOUNT","mount":{"root":"/mnt"}}}}]"#,
            role::DEFAULT,
            &serde_json::json!([
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 8.0}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 512.0},
                 "reservations": [{"type": "STATIC", "role": "a"}]},
                {"name": "disk", "type": "SCALAR", "scalar": {"value": 10.0},
                 "reservations": [{"type": "STATIC", "role": "b"}],
                 "disk": {"source": {"type": "MOUNT", "mount": {"root": "/mnt"}}}},
            ]),
        );
    }

    #[test]
    fn the_default_role_is_for_those_without_one() {
        check(
            "cpus:1;mem(b):2;disk(*):3",
            "a",
            &serde_json::json!([
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0},
                 "reservations": [{"type": "STATIC", "role": "a"}]},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 2.0},
                 "reservations": [{"type": "STATIC", "role": "b"}]},
                {"name": "disk", "type": "SCALAR", "scalar": {"value": 3.0}},
            ]),
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for text in ["cpus", "cpus(a:1", "cpus)a(:1", "cpus(a)b:1", ":1", "(a):1"] {
            assert!(refused(text).contains("is not of the form"), "{text}");
        }
        assert_eq!(
            refused("cpus:"),
            "resource 'cpus' has no value that can be read: the value is empty"
        );
        assert_eq!(refused("cpus:many"), "resource 'cpus' is text, which resources cannot be");
        assert!(refused("[{]").starts_with("the resources are not a JSON array"));
        assert!(refused(r#"[{"name":"cpus"}]"#).contains("Missing required fields: [0].type"));
    }

    #[test]
    fn rules_are_checked() {
        for text in [
            "cpus:-1",
            "cpus:0.0001",
            "gpus:0.5",
            "ports:[5-1]",
            "ports:[1-5,5-9]",
            "s:{a,a}",
            "cpus(-a):1",
        ] {
            assert!(matches!(parse(text, role::DEFAULT), Err(TextError::Invalid(_))), "{text}");
        }
        assert!(matches!(parse("cpus:1", "a//b"), Err(TextError::Invalid(_))));
    }
}
