//! UNRESERVE: the last reservation of resources is undone.

use super::convert::{Conversion, convert};
use super::{ConversionError, Given, opened};
use crate::draft::Draft;
use crate::offer::Hand;
use crate::resources::{Resource, Resources};
use crate::state::State;

/// Pops the last reservation of each resource named.
pub(crate) fn unreserve(
    draft: &mut Draft<'_>,
    hand: &mut Hand,
    given: &Given,
) -> Result<(), ConversionError> {
    let reserved = check(draft.state(), hand, given)?.clone();
    let unreserved = reserved.iter().map(Resource::unreserved).collect();
    convert(draft, hand, Conversion::Unreserve, (reserved, unreserved))
}

/// The rules of semantics 161.
fn check<'a>(
    state: &'a State,
    hand: &Hand,
    given: &'a Given,
) -> Result<&'a Resources, ConversionError> {
    let (named, _) = opened(state, hand, given)?;
    for resource in named {
        if resource.dynamic_reservation().is_none() {
            return Err(ConversionError::NotReserved(resource.clone()));
        }
        if resource.volume_id().is_some() {
            return Err(ConversionError::IsVolume(resource.clone()));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROLE, check, check_refused};
    use crate::offer::Operation;
    use crate::resources::Resources;
    use crate::testing::{plus, reserved, resources, volume};

    fn reserve_then_unreserve(some: &Resources, unreserved: &Resources) -> Vec<Operation> {
        let some = reserved(some, ROLE);
        vec![Operation::Reserve(Ok(some)), Operation::Unreserve(Ok(unreserved.clone()))]
    }

    #[test]
    fn the_last_reservation_is_undone_in_the_same_accept() {
        let (some, part) = (resources("cpus:2;mem:64"), resources("cpus:2"));
        let left = reserved(&resources("mem:64"), ROLE);
        let undone = reserved(&part, ROLE);
        check(reserve_then_unreserve(&some, &undone), &resources("mem:64"), &left); // semantics 98
        let above = resources("cpus(eng):2");
        let nothing = resources("");
        check(reserve_then_unreserve(&above, &reserved(&above, ROLE)), &nothing, &nothing);
    }

    #[test]
    fn only_dynamic_reservations_in_hand_can_be_undone() {
        for text in ["cpus(eng):2", "cpus:1", ""] {
            check_refused(vec![Operation::Unreserve(Ok(resources(text)))]);
        }
        check_refused(vec![Operation::Unreserve(Ok(reserved(&resources("cpus:1"), ROLE)))]);
        check_refused(vec![Operation::Unreserve(Err("not readable".into()))]);
    }

    #[test]
    fn volumes_are_destroyed_first() {
        let space = reserved(&resources("disk:64"), ROLE);
        let volume = volume("v", ROLE, 64);
        let operations = vec![
            Operation::Reserve(Ok(plus(&space, &reserved(&resources("cpus:1"), ROLE)))),
            Operation::Create(Ok(volume.clone())),
            Operation::Unreserve(Ok(volume.clone())), // semantics 161
        ];
        let come = plus(&volume, &reserved(&resources("cpus:1"), ROLE));
        check(operations, &resources("disk:64;cpus:1"), &come);
    }
}
