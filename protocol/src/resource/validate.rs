//! The rules that one resource must keep, in whatever format its reservations are (semantics
//! 116-127).

use crate::id;
use crate::role::{self, RoleError};
use crate::v1::Resource;
use crate::v1::resource::disk_info::source::Type as SourceType;
use crate::v1::resource::reservation_info::Type as ReservationType;
use crate::v1::resource::{DiskInfo, ReservationInfo};
use crate::v1::value::{Ranges, Type};
use crate::v1::volume::Mode;
use std::collections::BTreeSet;

/// Largest scalar whose thousandths are exact.
pub const MAX_SCALAR: f64 = 9_007_199_254_740.0;

/// A rule that a resource breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("resource '{name}': {problem}")]
pub struct ResourceError {
    /// Name of the resource.
    pub name: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a resource. Each text begins with what clients know from Mesos, where they
/// can know it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Problem {
    #[error("Empty resource name")]
    NoName,
    #[error("Invalid {0} resource: '{0}' must be set, and no other value")]
    WrongValue(&'static str),
    #[error("Unsupported resource type: it must be SCALAR, RANGES or SET, not TEXT")]
    Text,
    #[error("Invalid scalar resource: value <= 0 after rounding to 3 decimals, and not 0 before")]
    NotPositive,
    #[error("Invalid scalar resource: value > {MAX_SCALAR}")]
    TooLarge,
    #[error("The 'gpus' resource must be an unsigned integer")]
    NotWhole,
    #[error("Invalid ranges resource: begin > end in {0}-{1}")]
    BackwardRange(u64, u64),
    #[error("Invalid ranges resource: overlapping ranges at {0}")]
    OverlappingRanges(u64),
    #[error("Invalid set resource: duplicated elements, such as '{0}'")]
    RepeatedItem(String),
    #[error(transparent)]
    Role(#[from] RoleError),
    #[error("Invalid reservation: role \"*\" cannot be {0} reserved")]
    ReservedForNobody(&'static str),
    #[error("Invalid reservation: 'reservation' must have neither 'type' nor 'role'")]
    OldReservationWithRole,
    #[error("Invalid reservation: each of 'reservations' must have a 'type' and a 'role'")]
    IncompleteReservation,
    #[error("Invalid reservation: only the first of several may be STATIC")]
    StaticRefinement,
    #[error("Invalid reservation: role '{0}' is not a refinement of '{1}'")]
    NotARefinement(String, String),
    #[error("Invalid reservation: 'role' or 'reservation' contradict 'reservations'")]
    ContradictoryFormats,
    #[error("DiskInfo should not be set for {0} resource")]
    DiskInfoElsewhere(String),
    #[error("DiskInfo is set but empty")]
    EmptyDiskInfo,
    #[error("the type of the disk's source is unknown")]
    UnknownSource,
    #[error("a disk source of type BLOCK or RAW must have neither 'mount' nor 'path'")]
    SourceWithRoot,
    #[error("Non-persistent volume not supported")]
    VolumeWithoutPersistence,
    #[error("a persistent volume must not be revocable")]
    RevocableVolume,
    #[error("a persistent volume must be on reserved resources")]
    UnreservedVolume,
    #[error("a persistent volume must have 'volume', without 'host_path'")]
    VolumeWithoutMountPoint,
    #[error("a persistent volume must have mode RW")]
    ReadOnlyVolume,
    #[error("the persistence id is invalid: {0}")]
    PersistenceId(id::IdError),
    #[error("only persistent volumes may be shared")]
    SharedNonVolume,
    #[error("dynamically reserved resources must not be revocable")]
    RevocableReservation,
}

/// Checks one resource.
pub fn validate(resource: &Resource) -> Result<(), ResourceError> {
    let checks = [check_value, check_reservations, check_disk, check_sharing];
    checks
        .iter()
        .try_for_each(|check| check(resource))
        .map_err(|problem| ResourceError { name: resource.name.clone(), problem })
}

/// Checks each of several resources.
pub fn validate_all(resources: &[Resource]) -> Result<(), ResourceError> {
    resources.iter().try_for_each(validate)
}

fn check_value(resource: &Resource) -> Result<(), Problem> {
    if resource.name.is_empty() {
        return Err(Problem::NoName);
    }
    match (resource.r#type(), &resource.scalar, &resource.ranges, &resource.set) {
        (Type::Scalar, Some(scalar), None, None) => check_scalar(&resource.name, scalar.value),
        (Type::Ranges, None, Some(ranges), None) => check_ranges(ranges),
        (Type::Set, None, None, Some(set)) => {
            let mut seen = BTreeSet::new();
            let repeated = set.item.iter().find(|item| !seen.insert(*item));
            repeated.map_or(Ok(()), |item| Err(Problem::RepeatedItem(item.clone())))
        }
        (Type::Text, ..) => Err(Problem::Text),
        (Type::Scalar, ..) => Err(Problem::WrongValue("scalar")),
        (Type::Ranges, ..) => Err(Problem::WrongValue("ranges")),
        (Type::Set, ..) => Err(Problem::WrongValue("set")),
    }
}

fn check_scalar(name: &str, value: f64) -> Result<(), Problem> {
    if value > MAX_SCALAR {
        return Err(Problem::TooLarge);
    }
    let thousandths = (value * 1000.0).round();
    if value.is_nan() || (value != 0.0 && thousandths <= 0.0) {
        return Err(Problem::NotPositive);
    }
    if name == "gpus" && thousandths % 1000.0 != 0.0 {
        return Err(Problem::NotWhole);
    }
    Ok(())
}

fn check_ranges(ranges: &Ranges) -> Result<(), Problem> {
    let mut sorted: Vec<(u64, u64)> =
        ranges.range.iter().map(|range| (range.begin, range.end)).collect();
    if let Some(&(begin, end)) = sorted.iter().find(|(begin, end)| begin > end) {
        return Err(Problem::BackwardRange(begin, end));
    }
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
        Some(pair) => Err(Problem::OverlappingRanges(pair[1].0)),
        None => Ok(()),
    }
}

fn check_reservations(resource: &Resource) -> Result<(), Problem> {
    match resource.reservations.as_slice() {
        [] => return check_old_reservation(resource),
        [only] => {
            check_reservation(only)?;
            check_agreement(resource, only)?;
        }
        stack => {
            stack.iter().try_for_each(check_reservation)?;
            stack.windows(2).try_for_each(|pair| check_refinement(&pair[0], &pair[1]))?;
            if resource.role.is_some() || resource.reservation.is_some() {
                return Err(Problem::ContradictoryFormats);
            }
        }
    }
    let innermost = resource.reservations.last().map(ReservationInfo::r#type);
    if innermost == Some(ReservationType::Dynamic) && resource.revocable.is_some() {
        return Err(Problem::RevocableReservation);
    }
    Ok(())
}

/// `role` and `reservation`, where they stand alone (semantics 121).
fn check_old_reservation(resource: &Resource) -> Result<(), Problem> {
    let role = resource.role();
    role::validate(role)?;
    let Some(reservation) = &resource.reservation else {
        return Ok(());
    };
    if role == role::DEFAULT {
        return Err(Problem::ReservedForNobody("dynamically"));
    }
    if reservation.r#type.is_some() || reservation.role.is_some() {
        return Err(Problem::OldReservationWithRole);
    }
    if resource.revocable.is_some() {
        return Err(Problem::RevocableReservation);
    }
    Ok(())
}

fn check_reservation(reservation: &ReservationInfo) -> Result<(), Problem> {
    let (how, role) = match (reservation.r#type(), &reservation.role) {
        (ReservationType::Static, Some(role)) => ("statically", role),
        (ReservationType::Dynamic, Some(role)) => ("dynamically", role),
        (ReservationType::Unknown, _) | (_, None) => return Err(Problem::IncompleteReservation),
    };
    role::validate(role)?;
    if role == role::DEFAULT { Err(Problem::ReservedForNobody(how)) } else { Ok(()) }
}

fn check_refinement(outer: &ReservationInfo, inner: &ReservationInfo) -> Result<(), Problem> {
    if inner.r#type() == ReservationType::Static {
        return Err(Problem::StaticRefinement);
    }
    if !role::is_strict_subrole(inner.role(), outer.role()) {
        return Err(Problem::NotARefinement(inner.role().to_owned(), outer.role().to_owned()));
    }
    Ok(())
}

/// The old fields, where they stand beside the one reservation of the stack (semantics 123).
fn check_agreement(resource: &Resource, only: &ReservationInfo) -> Result<(), Problem> {
    let role = resource.role.is_none() || resource.role == only.role;
    let reservation = resource.reservation.as_ref().is_none_or(|old| {
        only.r#type() == ReservationType::Dynamic
            && old.principal == only.principal
            && old.labels == only.labels
    });
    if role && reservation { Ok(()) } else { Err(Problem::ContradictoryFormats) }
}

fn check_disk(resource: &Resource) -> Result<(), Problem> {
    let Some(disk) = &resource.disk else {
        return Ok(());
    };
    if resource.name != "disk" {
        return Err(Problem::DiskInfoElsewhere(resource.name.clone()));
    }
    check_source(disk)?;
    match (&disk.persistence, &disk.volume, &disk.source) {
        (Some(_), Some(volume), _) if volume.mode() == Mode::Ro => {
            return Err(Problem::ReadOnlyVolume);
        }
        (Some(persistence), Some(volume), _) if volume.host_path.is_none() => {
            id::validate(&persistence.id).map_err(Problem::PersistenceId)?;
        }
        (Some(_), ..) => return Err(Problem::VolumeWithoutMountPoint),
        (None, Some(_), _) => return Err(Problem::VolumeWithoutPersistence),
        (None, None, Some(_)) => return Ok(()),
        (None, None, None) => return Err(Problem::EmptyDiskInfo),
    }
    if resource.revocable.is_some() {
        return Err(Problem::RevocableVolume);
    }
    if resource.reservations.is_empty() && resource.role() == role::DEFAULT {
        return Err(Problem::UnreservedVolume);
    }
    Ok(())
}

fn check_source(disk: &DiskInfo) -> Result<(), Problem> {
    let Some(source) = &disk.source else {
        return Ok(());
    };
    match source.r#type() {
        SourceType::Unknown => Err(Problem::UnknownSource),
        SourceType::Block | SourceType::Raw if source.mount.is_some() || source.path.is_some() => {
            Err(Problem::SourceWithRoot)
        }
        SourceType::Path | SourceType::Mount | SourceType::Block | SourceType::Raw => Ok(()),
    }
}

fn check_sharing(resource: &Resource) -> Result<(), Problem> {
    let persistent = resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some());
    if resource.shared.is_some() && !persistent { Err(Problem::SharedNonVolume) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
