//! `GROW_VOLUME` and `SHRINK_VOLUME`: a persistent volume takes more space or gives some back. Neither
//! can be used by later operations of the same call (semantics 98).

use super::{Conversion, ConversionError, Plan};
use crate::resources::{DiskKind, Resource, Scalar, Value};

/// Adds space to a volume (semantics 164).
pub(super) fn plan_grow(volume: &Resource, addition: &Resource) -> Result<Plan, ConversionError> {
    let size = size_of(volume)?;
    let space = |size: i64| with_size(&volume.without_volume(), size);
    let more = match addition.value {
        Value::Scalar(Scalar(more)) if more > 0 && space(more) == *addition => more,
        Value::Scalar(_) | Value::Ranges(_) | Value::Set(_) => {
            return Err(ConversionError::OtherSpace(addition.clone()));
        }
    };
    Ok(Plan {
        kind: Conversion::Grow,
        consumed: [volume.clone(), addition.clone()].into_iter().collect(),
        converted: [with_size(volume, size.saturating_add(more))].into_iter().collect(),
    })
}

/// Takes space from a volume (semantics 164).
pub(super) fn plan_shrink(volume: &Resource, by: Scalar) -> Result<Plan, ConversionError> {
    let size = size_of(volume)?;
    if by.0 <= 0 || by.0 >= size {
        return Err(ConversionError::OtherSize { volume: volume.clone(), by });
    }
    let source = volume.disk.as_ref().and_then(|disk| disk.source.as_ref());
    if source.is_some_and(|source| source.kind == DiskKind::Mount) {
        return Err(ConversionError::Fixed(volume.clone()));
    }
    let left = with_size(volume, size - by.0);
    let freed = with_size(&volume.without_volume(), by.0);
    Ok(Plan {
        kind: Conversion::Shrink,
        consumed: [volume.clone()].into_iter().collect(),
        converted: [left, freed].into_iter().collect(),
    })
}

/// The size of a volume that may be resized, in thousandths of MB.
fn size_of(volume: &Resource) -> Result<i64, ConversionError> {
    let (Some(_), Value::Scalar(Scalar(size))) = (volume.volume_id(), &volume.value) else {
        return Err(ConversionError::NotVolume(volume.clone()));
    };
    if volume.shared || volume.provider.is_some() {
        return Err(ConversionError::Fixed(volume.clone()));
    }
    Ok(*size)
}

fn with_size(resource: &Resource, size: i64) -> Resource {
    Resource { value: Value::Scalar(Scalar(size)), ..resource.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::super::testing::{ROLE, check};
    use super::*;
    use crate::offer::Operation;
    use crate::resources::Resources;
    use crate::testing::{plus, reserved, resources, shared, volume};

    fn one(some: &Resources) -> Resource {
        some.iter().next().expect("one").clone()
    }

    /// A volume of 64 MB on 100 MB of space, and what is to become of it.
    fn made(resize: Request) -> Vec<Operation> {
        vec![
            Operation::reserve(Ok(reserved(&resources("disk:100"), ROLE))),
            Operation::create(Ok(volume("v", ROLE, 64))),
            Operation::Convert(resize, None),
        ]
    }

    fn check_size(resize: Request, megabytes: u32) {
        let space = reserved(&resources(&format!("disk:{}", 100 - megabytes)), ROLE);
        let come = plus(&volume("v", ROLE, megabytes), &space);
        check(made(resize), &resources("disk:100"), &come);
    }

    /// semantics 164
    #[test]
    fn volumes_grow_by_space_of_their_kind() {
        let grow =
            |volume: &Resources, space: &Resources| Request::Grow(Ok((one(volume), one(space))));
        let whole = volume("v", ROLE, 64);
        let space = |text: &str| reserved(&resources(text), ROLE);
        check_size(grow(&whole, &space("disk:16")), 80);
        check_size(grow(&whole, &space("disk:37")), 64); // more than there is
        check_size(grow(&whole, &resources("disk:16")), 64);
        check_size(grow(&whole, &space("mem:16")), 64);
        check_size(grow(&shared(&whole), &space("disk:16")), 64);
        check_size(grow(&space("disk:16"), &space("disk:16")), 64);
        check_size(Request::Grow(Err("not readable".into())), 64);
    }

    /// semantics 164
    #[test]
    fn volumes_shrink_by_less_than_their_size() {
        let whole = one(&volume("v", ROLE, 64));
        let shrink = |by: i64| Request::Shrink(Ok((whole.clone(), Scalar(by * 1000))));
        check_size(shrink(14), 50);
        for by in [0, -1, 64, 65] {
            check_size(shrink(by), 64);
        }
    }

    /// semantics 98
    #[test]
    fn what_was_resized_waits_for_the_next_call() {
        let whole = one(&volume("v", ROLE, 64));
        let mut operations = made(Request::Shrink(Ok((whole, Scalar(14_000)))));
        operations.push(Operation::destroy(Ok(volume("v", ROLE, 50))));
        let come = plus(&volume("v", ROLE, 50), &reserved(&resources("disk:50"), ROLE));
        check(operations, &resources("disk:100"), &come);
    }
}
