//! `FrameworkInfo` as a SUBSCRIBE brings it (semantics 65 to 70).

use std::collections::BTreeSet;

use protocol::v1::FrameworkInfo;
use protocol::v1::framework_info::capability::Type as Capability;
use protocol::{id, role};

/// Longest failover timeout: what fits into nanoseconds of 64 bits.
const FAILOVER_TIMEOUT_SECONDS_MAX: f64 = 9_223_372_036.0;

/// Says what is wrong with an info, in the words of an ERROR event.
pub(crate) fn framework(info: &FrameworkInfo, suppressed: &[String]) -> Result<(), String> {
    check_id(info)?;
    let roles = check_roles(info)?;
    check_failover_timeout(info)?;
    check_offer_filters(info)?;
    let strangers: Vec<_> =
        suppressed.iter().map(String::as_str).filter(|role| !roles.contains(role)).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let strangers = strangers.join(", ");
    Err(format!("Suppressed roles {{ {strangers} }} are not contained in the set of roles"))
}

fn check_id(info: &FrameworkInfo) -> Result<(), String> {
    let Some(given) = &info.id else { return Ok(()) };
    // an id that is there but empty is as good as none
    if given.value.is_empty() {
        return Ok(());
    }
    id::validate(&given.value).map_err(|error| format!("the framework id is invalid: {error}"))
}

#[expect(deprecated, reason = "the old field is what is checked")]
fn check_roles(info: &FrameworkInfo) -> Result<BTreeSet<&str>, String> {
    let multi_role =
        info.capabilities.iter().any(|it| it.r#type == Some(Capability::MultiRole as i32));
    if !multi_role {
        if !info.roles.is_empty() {
            return Err("'FrameworkInfo.roles' must not be set when the framework is not \
                        MULTI_ROLE capable"
                .to_owned());
        }
        let only = info.role.as_deref().unwrap_or(role::DEFAULT);
        role::validate(only).map_err(|error| error.to_string())?;
        return Ok(BTreeSet::from([only]));
    }
    if info.role.is_some() {
        return Err(
            "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
                .to_owned(),
        );
    }
    let mut roles = BTreeSet::new();
    for name in &info.roles {
        role::validate(name).map_err(|error| error.to_string())?;
        if !roles.insert(name.as_str()) {
            return Err(format!("'FrameworkInfo.roles' contains '{name}' twice"));
        }
    }
    Ok(roles)
}

fn check_failover_timeout(info: &FrameworkInfo) -> Result<(), String> {
    let seconds = info.failover_timeout();
    if seconds.is_finite() && seconds.abs() <= FAILOVER_TIMEOUT_SECONDS_MAX {
        return Ok(());
    }
    Err(format!("The framework failover_timeout ({seconds}) is invalid"))
}

fn check_offer_filters(info: &FrameworkInfo) -> Result<(), String> {
    let quantities = info
        .offer_filters
        .values()
        .filter_map(|filter| filter.min_allocatable_resources.as_ref())
        .flat_map(|minimum| &minimum.quantities);
    for entry in quantities {
        if entry.quantities.is_empty() {
            return Err("Invalid 'offer_filters': quantities must not be empty".to_owned());
        }
        let bad = |value: f64| value < 0.0 || !(value == 0.0 || value.is_normal());
        if let Some((name, value)) = entry.quantities.iter().find(|(_, it)| bad(it.value)) {
            return Err(format!(
                "Invalid 'offer_filters': {name} must be 0 or a positive normal number, not {:?}",
                value.value
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::json;

    fn check(text: &str, expected: &str) {
        let text = format!(r#"{{"user":"u","name":"n",{text}}}"#);
        let info: FrameworkInfo = json::from_slice(text.as_bytes()).expect("an info");
        match framework(&info, &["s".to_owned()][..usize::from(text.contains("suppress"))]) {
            Ok(()) => assert_eq!(expected, "", "{text}"),
            Err(fault) => {
                assert!(!expected.is_empty() && fault.contains(expected), "{text}: {fault}");
            }
        }
    }

    const MULTI: &str = r#""capabilities":[{"type":"MULTI_ROLE"}]"#;

    /// semantics 65, 66, 67
    #[test]
    fn roles_follow_the_capability() {
        check(r#""role":"a""#, "");
        check(r#""roles":["a"]"#, "not MULTI_ROLE");
        check(MULTI, "");
        check(&format!(r#"{MULTI},"roles":["a","b"]"#), "");
        check(&format!(r#"{MULTI},"roles":["a","a"]"#), "twice");
        let words = "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
        check(&format!(r#"{MULTI},"role":"a""#), words);
        check(&format!(r#"{MULTI},"roles":["a b"]"#), "white space");
        check(&format!(r#"{MULTI},"roles":["a"],"suppress":1"#), "Suppressed roles { s }");
        check(&format!(r#"{MULTI},"roles":["s"],"suppress":1"#), "");
    }

    /// semantics 68, 69, 70
    #[test]
    fn times_ids_and_filters_are_checked() {
        check(r#""failover_timeout":-1"#, "");
        check(r#""failover_timeout":1e11"#, "failover_timeout");
        check(r#""failover_timeout":"Infinity""#, "failover_timeout");
        check(r#""failover_timeout":9.2e9"#, "");
        check(r#""failover_timeout":-1e11"#, "The framework failover_timeout (-100000000000) is");
        check(r#""failover_timeout":"NaN""#, "failover_timeout");
        check(r#""id":{"value":"a/b"}"#, "id is invalid: 'a/b' contains invalid characters");
        check(r#""id":{"value":"x"}"#, "");
        for (value, expected) in [
            ("0", ""),
            ("1", ""),
            ("1e-310", "1e-310"),
            (r#""NaN""#, "NaN"),
            (r#""Infinity""#, "inf"),
        ] {
            let quantities = format!(r#"{{"quantities":{{"cpus":{{"value":{value}}}}}}}"#);
            check(
                &format!(
                    r#""offer_filters":{{"a":{{"min_allocatable_resources":
                        {{"quantities":[{quantities}]}}}}}}"#
                ),
                expected,
            );
        }
        check(
            r#""offer_filters":{"a":{"min_allocatable_resources":{"quantities":[{}]}}}"#,
            "must not be empty",
        );
        check(
            r#""offer_filters":{"a":{"min_allocatable_resources":{"quantities":
                [{"quantities":{"cpus":{"value":-1}}}]}}}"#,
            "cpus must be 0 or a positive normal number, not -1.0",
        );
    }
}
