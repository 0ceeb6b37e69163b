//! `FrameworkInfo` (semantics 57 to 69).

use std::collections::BTreeMap;

use prost::Message;
use protocol::v1::offer_filters::ResourceQuantities;
use protocol::v1::{FrameworkInfo, OfferFilters, value};
use statemachine::framework::{Description, Framework};
use statemachine::quota::Amounts;
use statemachine::resources::Scalar;
use statemachine::{Capabilities, Role, framework_capability};

use super::decode_own;

/// What a framework says of itself, from an info whose shape is checked.
pub(crate) fn read(info: &FrameworkInfo) -> Description {
    let capabilities = info
        .capabilities
        .iter()
        .fold(Capabilities::default(), |all, capability| all.with(capability.r#type.unwrap_or(0)));
    let payload = FrameworkInfo {
        id: None,
        principal: None,
        checkpoint: None,
        user: String::new(),
        ..info.clone()
    };
    Description {
        principal: info.principal.as_deref().map(Into::into),
        user: info.user.as_str().into(),
        roles: roles(info, capabilities).into(),
        capabilities,
        checkpoint: info.checkpoint(),
        minimums: minimums(info),
        failover_timeout_ms: milliseconds(info.failover_timeout()),
        payload: payload.encode_to_vec().into(),
    }
}

/// The roles: a list with `MULTI_ROLE`, one without (semantics 65).
fn roles(info: &FrameworkInfo, capabilities: Capabilities) -> Vec<Role> {
    if capabilities.has(framework_capability::MULTI_ROLE) {
        return info.roles.iter().map(|role| role.as_str().into()).collect();
    }
    #[expect(deprecated, reason = "frameworks of the old kind have this field alone")]
    let role = info.role.as_deref().unwrap_or("*");
    vec![role.into()]
}

/// What an offer must have at least, for roles that say so (semantics 178).
fn minimums(info: &FrameworkInfo) -> BTreeMap<Role, Vec<Amounts>> {
    let amounts = |quantities: &ResourceQuantities| {
        let amount = |(name, it): (&String, &value::Scalar)| {
            (name.as_str().into(), Scalar::from_f64(it.value))
        };
        quantities.quantities.iter().map(amount).collect()
    };
    let minimum = |(role, filters): (&String, &OfferFilters)| {
        let minimum = filters.min_allocatable_resources.as_ref()?;
        Some((role.as_str().into(), minimum.quantities.iter().map(amounts).collect()))
    };
    info.offer_filters.iter().filter_map(minimum).collect()
}

fn milliseconds(seconds: f64) -> u64 {
    // negative finite values pass, and mean no time at all (semantics 68)
    (seconds * 1000.0).round() as u64
}

/// The info as the framework gave it, with the id that it has.
pub(crate) fn write(framework: &Framework) -> FrameworkInfo {
    let description = &framework.description;
    FrameworkInfo {
        id: Some((*framework.wire_id).into()),
        user: description.user.to_string(),
        principal: description.principal.as_ref().map(ToString::to_string),
        checkpoint: Some(description.checkpoint),
        ..decode_own(&description.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::json;

    fn check(text: &str, roles: &[&str], failover_timeout_ms: u64) {
        let info: FrameworkInfo = json::from_slice(text.as_bytes()).expect("an info");
        let description = read(&info);
        let found: Vec<_> = description.roles.iter().map(|role| &**role).collect();
        assert_eq!(
            (found.as_slice(), description.failover_timeout_ms),
            (roles, failover_timeout_ms)
        );
    }

    #[test]
    fn roles_and_times_are_read() {
        check(r#"{"user":"u","name":"n"}"#, &["*"], 0);
        check(r#"{"user":"u","name":"n","role":"a","failover_timeout":1.5}"#, &["a"], 1500);
        check(
            r#"{"user":"u","name":"n","roles":["a","b"],"capabilities":[{"type":"MULTI_ROLE"}],
                "failover_timeout":-1}"#,
            &["a", "b"],
            0,
        );
    }
}
