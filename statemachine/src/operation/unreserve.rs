//! UNRESERVE: the last reservation of resources is undone.

use super::{Conversion, ConversionError, Plan};
use crate::resources::{Resource, Resources};

/// Pops the last reservation of each resource named, which must be a dynamic one and hold no volume
/// (semantics 161).
pub(super) fn plan(named: &Resources) -> Result<Plan, ConversionError> {
    for resource in named {
        if resource.dynamic_reservation().is_none() {
            return Err(ConversionError::NotReserved(resource.clone()));
        }
        if resource.volume_id().is_some() {
            return Err(ConversionError::HoldsVolume(resource.clone()));
        }
    }
    let converted = named.iter().map(Resource::unreserved).collect();
    Ok(Plan { kind: Conversion::Unreserve, consumed: named.clone(), converted })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROLE, check, check_refused};
    use crate::offer::Operation;
    use crate::resources::Resources;
    use crate::testing::{plus, reserved, resources, volume};

    fn reserve_then_unreserve(some: &Resources, unreserved: &Resources) -> Vec<Operation> {
        let some = reserved(some, ROLE);
        vec![Operation::reserve(Ok(some)), Operation::unreserve(Ok(unreserved.clone()))]
    }

    /// semantics 98, 161
    #[test]
    fn the_last_reservation_is_undone_in_the_same_accept() {
        let (some, part) = (resources("cpus:2;mem:64"), resources("cpus:2"));
        let left = reserved(&resources("mem:64"), ROLE);
        let undone = reserved(&part, ROLE);
        check(reserve_then_unreserve(&some, &undone), &resources("mem:64"), &left);
        let above = resources("cpus(eng):2");
        let nothing = resources("");
        check(reserve_then_unreserve(&above, &reserved(&above, ROLE)), &nothing, &nothing);
    }

    /// semantics 161
    #[test]
    fn only_dynamic_reservations_in_hand_can_be_undone() {
        for text in ["cpus(eng):2", "cpus:1", ""] {
            check_refused(vec![Operation::unreserve(Ok(resources(text)))]);
        }
        check_refused(vec![Operation::unreserve(Ok(reserved(&resources("cpus:1"), ROLE)))]);
        check_refused(vec![Operation::unreserve(Err("not readable".into()))]);
    }

    /// semantics 161
    #[test]
    fn volumes_are_destroyed_first() {
        let space = reserved(&resources("disk:64"), ROLE);
        let volume = volume("v", ROLE, 64);
        let operations = vec![
            Operation::reserve(Ok(plus(&space, &reserved(&resources("cpus:1"), ROLE)))),
            Operation::create(Ok(volume.clone())),
            Operation::unreserve(Ok(volume.clone())),
        ];
        let come = plus(&volume, &reserved(&resources("cpus:1"), ROLE));
        check(operations, &resources("disk:64;cpus:1"), &come);
    }
}
