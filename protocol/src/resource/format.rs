//! The three formats of reservations (semantics 121-123, 131, 132).
//!
//! - old: one reservation, in `role` and, if it is dynamic, `reservation`;
//! - stack: any number of reservations, in `reservations`, the outermost first;
//! - endpoint: the stack, and the old fields too where they can say it.

use crate::role;
use crate::v1::Resource;
use crate::v1::resource::ReservationInfo;
use crate::v1::resource::reservation_info::Type;

/// A message that has resources somewhere in it. Implemented by the build script.
pub trait HoldsResources {
    /// Visits every resource, at any depth.
    fn visit_resources(&mut self, visit: &mut impl FnMut(&mut Resource));
}

impl HoldsResources for Resource {
    fn visit_resources(&mut self, visit: &mut impl FnMut(&mut Resource)) {
        visit(self);
    }
}

/// Brings a valid resource of any format to the stack format.
pub fn upgrade(resource: &mut Resource) {
    let role = resource.role.take().unwrap_or_else(|| role::DEFAULT.to_owned());
    let reservation = resource.reservation.take();
    if !resource.reservations.is_empty() || role == role::DEFAULT {
        return;
    }
    let r#type = if reservation.is_some() { Type::Dynamic } else { Type::Static };
    resource.reservations.push(ReservationInfo {
        r#type: Some(r#type as i32),
        role: Some(role),
        ..reservation.unwrap_or_default()
    });
}

/// Brings a resource from the stack to the old format. False, and nothing is changed, if that
/// cannot say it.
pub fn downgrade(resource: &mut Resource) -> bool {
    if resource.reservations.len() > 1 {
        return false;
    }
    for_endpoint(resource);
    resource.reservations.clear();
    true
}

/// Brings resources to the old format, without those that it cannot say: frameworks without
/// `RESERVATION_REFINEMENT` never see them (semantics 131).
pub fn downgrade_all(resources: &mut Vec<Resource>) {
    resources.retain_mut(downgrade);
}

/// Brings a resource from the stack to the endpoint format (semantics 132).
pub fn for_endpoint(resource: &mut Resource) {
    match resource.reservations.as_slice() {
        [] => resource.role = Some(role::DEFAULT.to_owned()),
        [only] => {
            resource.role.clone_from(&only.role);
            resource.reservation = (only.r#type() == Type::Dynamic).then(|| ReservationInfo {
                principal: only.principal.clone(),
                labels: only.labels.clone(),
                ..ReservationInfo::default()
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use proptest::prelude::*;

    fn cpus(rest: &str) -> Resource {
        let text = format!(r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}}{rest}}}"#);
        json::from_slice(text.as_bytes()).unwrap()
    }

    fn check(stack: &str, old: &str, endpoint: &str) {
        let mut resource = cpus(stack);
        for_endpoint(&mut resource);
        assert_eq!(resource, cpus(endpoint), "for_endpoint");
        upgrade(&mut resource);
        assert_eq!(resource, cpus(stack), "upgrade of the endpoint format");
        assert!(downgrade(&mut resource));
        assert_eq!(resource, cpus(old), "downgrade");
        upgrade(&mut resource);
        assert_eq!(resource, cpus(stack), "upgrade of the old format");
        upgrade(&mut resource);
        assert_eq!(resource, cpus(stack), "upgrade of the stack format");
    }

    #[test]
    fn unreserved() {
        check("", r#","role":"*""#, r#","role":"*""#);
    }

    #[test]
    fn static_reservation() {
        check(
            r#","reservations":[{"type":"STATIC","role":"a"}]"#,
            r#","role":"a""#,
            r#","role":"a","reservations":[{"type":"STATIC","role":"a"}]"#,
        );
    }

    /// semantics 132
    #[test]
    fn dynamic_reservation() {
        check(
            r#","reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]"#,
            r#","role":"a","reservation":{"principal":"p"}"#,
            r#","role":"a","reservation":{"principal":"p"},
                "reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]"#,
        );
        check(
            r#","reservations":[{"type":"DYNAMIC","role":"a"}]"#,
            r#","role":"a","reservation":{}"#,
            r#","role":"a","reservation":{},"reservations":[{"type":"DYNAMIC","role":"a"}]"#,
        );
    }

    /// semantics 131, 132
    #[test]
    fn a_stack_of_reservations_has_no_old_format() {
        let stack =
            r#","reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]"#;
        let mut resource = cpus(stack);
        for_endpoint(&mut resource);
        assert!(!downgrade(&mut resource));
        assert_eq!(resource, cpus(stack));

        let mut resources = vec![cpus(stack), cpus("")];
        downgrade_all(&mut resources);
        assert_eq!(resources, [cpus(r#","role":"*""#)]);
    }

    #[test]
    fn resources_are_found_deep_in_a_message() {
        let text = br#"{"type":"ACCEPT","accept":{"operations":[
            {"type":"LAUNCH","launch":{"task_infos":[{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},
                "resources":[{"name":"cpus","type":"SCALAR","role":"x"}],
                "executor":{"executor_id":{"value":"e"},"resources":[{"name":"mem","type":"SCALAR"}]}}]}},
            {"type":"GROW_VOLUME","grow_volume":{"volume":{"name":"disk","type":"SCALAR"},
                "addition":{"name":"disk","type":"SCALAR"}}}]}}"#;
        let mut call: crate::v1::scheduler::Call = json::from_slice(text).unwrap();
        let mut names = Vec::new();
        call.visit_resources(&mut |resource| {
            upgrade(resource);
            names.push((resource.name.clone(), resource.reservations.len()));
        });
        let names: Vec<_> = names.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(names, [("cpus", 1), ("mem", 0), ("disk", 0), ("disk", 0)]);
    }

    fn reservation() -> impl Strategy<Value = ReservationInfo> {
        (1..=2i32, "[ab]", prop::option::of("p")).prop_map(|(r#type, role, principal)| {
            // Static reservations have no principal.
            let principal = principal.filter(|_| r#type == Type::Dynamic as i32);
            ReservationInfo { r#type: Some(r#type), role: Some(role), principal, labels: None }
        })
    }

    proptest! {
        /// semantics 86
        #[test]
        fn no_conversion_loses_anything(reservations in prop::collection::vec(reservation(), 0..3)) {
            let stack = Resource { reservations, ..cpus("") };
            let mut resource = stack.clone();
            for_endpoint(&mut resource);
            upgrade(&mut resource);
            prop_assert_eq!(&resource, &stack);
            downgrade(&mut resource);
            upgrade(&mut resource);
            prop_assert_eq!(&resource, &stack);
        }
    }
}
