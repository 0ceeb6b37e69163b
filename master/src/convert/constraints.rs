//! `OfferConstraints` (semantics 62, 67, 71).

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::v1::scheduler::AttributeConstraint;
use protocol::v1::scheduler::attribute_constraint::predicate::{self, Predicate as WirePredicate};
use protocol::v1::scheduler::attribute_constraint::selector::{
    PseudoattributeType, Selector as WireSelector,
};
use protocol::v1::scheduler::offer_constraints::RoleConstraints;
use protocol::v1::scheduler::offer_constraints::role_constraints::Group as WireGroup;
use protocol::v1::scheduler::{OfferConstraints as Wire, attribute_constraint};
use statemachine::Role;
use statemachine::offer::{Constraint, Group, OfferConstraints, Pattern, Predicate, Selector};

/// Constraints of all roles of one framework are this many at most. Mesos knows no limit.
const CONSTRAINTS_MAX: usize = 10_000;

/// Reads what a framework with these roles wants, or says what is wrong with it.
pub(crate) fn read(roles: &[Role], wire: Option<&Wire>) -> Result<OfferConstraints, String> {
    let mut constraints = BTreeMap::new();
    let mut count = 0;
    for (role, given) in wire.into_iter().flat_map(|wire| &wire.role_constraints) {
        let role = Role::from(role.as_str());
        if !roles.contains(&role) {
            return Err(format!(
                "Offer constraints name role '{role}', which is not contained in the set of roles"
            ));
        }
        count += given.groups.iter().map(|group| group.attribute_constraints.len()).sum::<usize>();
        if count > CONSTRAINTS_MAX {
            return Err(format!("Offer constraints are more than {CONSTRAINTS_MAX}"));
        }
        let groups = read_role(given).map_err(|fault| {
            format!("Offer constraints of role '{role}' are not valid: {fault}")
        })?;
        constraints.insert(role, groups);
    }
    Ok(OfferConstraints(Arc::new(constraints)))
}

fn read_role(given: &RoleConstraints) -> Result<Vec<Group>, String> {
    if given.groups.is_empty() {
        return Err("there must be a group".to_owned());
    }
    let group = |group: &WireGroup| {
        if group.attribute_constraints.is_empty() {
            return Err("there must be a constraint in each group".to_owned());
        }
        group.attribute_constraints.iter().map(read_constraint).collect()
    };
    given.groups.iter().map(group).collect()
}

fn read_constraint(given: &AttributeConstraint) -> Result<Constraint, String> {
    let selector = match &given.selector.selector {
        None => return Err("a selector must be set".to_owned()),
        Some(WireSelector::AttributeName(name)) => Selector::Attribute(name.as_str().into()),
        Some(WireSelector::PseudoattributeType(number)) => {
            match PseudoattributeType::try_from(*number) {
                Ok(PseudoattributeType::Hostname) => Selector::Hostname,
                Ok(PseudoattributeType::Region) => Selector::Region,
                Ok(PseudoattributeType::Zone) => Selector::Zone,
                Ok(PseudoattributeType::Unknown) | Err(_) => {
                    return Err("the pseudoattribute is not known".to_owned());
                }
            }
        }
    };
    let pattern = |text: &str| Pattern::new(text).map_err(|error| error.to_string());
    let predicate = match &given.predicate.predicate {
        None => return Err("a predicate must be set".to_owned()),
        Some(WirePredicate::Exists(_)) => Predicate::Exists,
        Some(WirePredicate::NotExists(_)) => Predicate::NotExists,
        Some(WirePredicate::TextEquals(it)) => Predicate::TextEquals(it.value.as_str().into()),
        Some(WirePredicate::TextNotEquals(it)) => {
            Predicate::TextNotEquals(it.value.as_str().into())
        }
        Some(WirePredicate::TextMatches(it)) => Predicate::TextMatches(pattern(&it.regex)?),
        Some(WirePredicate::TextNotMatches(it)) => Predicate::TextNotMatches(pattern(&it.regex)?),
    };
    Ok(Constraint { selector, predicate })
}

/// As the framework gave them.
pub(crate) fn write(constraints: &OfferConstraints) -> Wire {
    let group = |group: &Group| WireGroup {
        attribute_constraints: group.iter().map(write_constraint).collect(),
    };
    let role = |(role, groups): (&Role, &Vec<Group>)| {
        (role.to_string(), RoleConstraints { groups: groups.iter().map(group).collect() })
    };
    Wire { role_constraints: constraints.0.iter().map(role).collect() }
}

fn write_constraint(constraint: &Constraint) -> AttributeConstraint {
    let pseudo = |it: PseudoattributeType| WireSelector::PseudoattributeType(it as i32);
    let selector = match &constraint.selector {
        Selector::Attribute(name) => WireSelector::AttributeName(name.to_string()),
        Selector::Hostname => pseudo(PseudoattributeType::Hostname),
        Selector::Region => pseudo(PseudoattributeType::Region),
        Selector::Zone => pseudo(PseudoattributeType::Zone),
    };
    let predicate = match &constraint.predicate {
        Predicate::Exists => WirePredicate::Exists(predicate::Exists {}),
        Predicate::NotExists => WirePredicate::NotExists(predicate::NotExists {}),
        Predicate::TextEquals(text) => {
            WirePredicate::TextEquals(predicate::TextEquals { value: text.to_string() })
        }
        Predicate::TextNotEquals(text) => {
            WirePredicate::TextNotEquals(predicate::TextNotEquals { value: text.to_string() })
        }
        Predicate::TextMatches(pattern) => WirePredicate::TextMatches(predicate::TextMatches {
            regex: pattern.as_str().to_owned(),
        }),
        Predicate::TextNotMatches(pattern) => {
            let regex = pattern.as_str().to_owned();
            WirePredicate::TextNotMatches(predicate::TextNotMatches { regex })
        }
    };
    AttributeConstraint {
        selector: attribute_constraint::Selector { selector: Some(selector) },
        predicate: attribute_constraint::Predicate { predicate: Some(predicate) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::json;

    /// What comes of these groups for role `a`: nothing wrong, or a fault with these words.
    fn check(groups: &str, fault: &str) {
        let text = format!(r#"{{"role_constraints":{{"a":{{"groups":{groups}}}}}}}"#);
        let wire: Wire = json::from_slice(text.as_bytes()).expect("constraints");
        match read(&["a".into()], Some(&wire)) {
            Ok(constraints) => {
                assert_eq!(fault, "", "{text}");
                assert_eq!(write(&constraints), wire);
            }
            Err(found) => assert!(!fault.is_empty() && found.contains(fault), "{text}: {found}"),
        }
    }

    /// semantics 71
    #[test]
    fn constraints_are_read_and_written_back() {
        let constraint = |selector: &str, predicate: &str| {
            format!(
                r#"[{{"attribute_constraints":[{{"selector":{selector},"predicate":{predicate}}}]}}]"#
            )
        };
        let rack = r#"{"attribute_name":"rack"}"#;
        for predicate in [
            r#"{"exists":{}}"#,
            r#"{"not_exists":{}}"#,
            r#"{"text_equals":{"value":"a"}}"#,
            r#"{"text_not_equals":{"value":"a"}}"#,
            r#"{"text_matches":{"regex":"a.*"}}"#,
            r#"{"text_not_matches":{"regex":"a.*"}}"#,
        ] {
            check(&constraint(rack, predicate), "");
        }
        for pseudo in ["HOSTNAME", "REGION", "ZONE"] {
            let selector = format!(r#"{{"pseudoattribute_type":"{pseudo}"}}"#);
            check(&constraint(&selector, r#"{"exists":{}}"#), "");
        }
        let unknown = r#"{"pseudoattribute_type":"UNKNOWN"}"#;
        check(&constraint(unknown, r#"{"exists":{}}"#), "pseudoattribute");
        check(&constraint("{}", r#"{"exists":{}}"#), "a selector must be set");
        check(&constraint(rack, "{}"), "a predicate must be set");
        check(&constraint(rack, r#"{"text_matches":{"regex":"("}}"#), "pattern '(' is not valid");
        check("[]", "there must be a group");
        check(r#"[{"attribute_constraints":[]}]"#, "a constraint in each group");
    }

    /// semantics 67
    #[test]
    fn constraints_are_of_the_frameworks_roles() {
        let wire = Wire { role_constraints: [("b".to_owned(), RoleConstraints::default())].into() };
        let fault = read(&["a".into()], Some(&wire)).expect_err("a stranger");
        assert!(fault.contains("role 'b', which is not contained"), "{fault}");
        assert_eq!(read(&[], None), Ok(OfferConstraints::default()));
    }
}
