//! Resources before and after they were reserved or made into volumes.

use std::fmt;
use std::sync::Arc;

use crate::id::Role;

use super::{Disk, Reservation, ReservationKind, Resource, Resources, Value};

impl Resource {
    /// The role it is held for: that and those below it may be given it. None if it is unreserved.
    pub fn role(&self) -> Option<&Role> {
        self.reservations.last().map(|reservation| &reservation.role)
    }

    /// Its last reservation, if an operation made that.
    pub fn dynamic_reservation(&self) -> Option<&Reservation> {
        self.reservations.last().filter(|last| last.kind == ReservationKind::Dynamic)
    }

    /// The role and id that name a persistent volume on its agent (semantics 128).
    pub fn volume_id(&self) -> Option<(&Role, &Arc<str>)> {
        let persistence = self.disk.as_ref()?.persistence.as_ref()?;
        Some((self.role()?, &persistence.id))
    }

    /// The same without its last reservation.
    #[must_use]
    pub fn unreserved(&self) -> Self {
        let kept = self.reservations.len().saturating_sub(1);
        Self { reservations: self.reservations[..kept].into(), ..self.clone() }
    }

    /// The disk space that a persistent volume is made of.
    #[must_use]
    pub fn without_volume(&self) -> Self {
        let source = self.disk.as_ref().and_then(|disk| disk.source.clone());
        let disk = source.map(|source| Arc::new(Disk { source: Some(source), ..Disk::default() }));
        Self { disk, shared: false, ..self.clone() }
    }

    /// What it was before any operation: no dynamic reservation, no volume.
    #[must_use]
    pub fn original(&self) -> Self {
        let kept = self.reservations.iter().filter(|held| held.kind == ReservationKind::Static);
        Self { reservations: kept.cloned().collect(), ..self.without_volume() }
    }
}

impl Resources {
    /// Those that operations have made: dynamic reservations and volumes.
    pub fn converted(&self) -> impl Iterator<Item = &Resource> {
        self.iter().filter(|resource| resource.original() != **resource)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        for reservation in self.reservations.iter() {
            write!(f, "({})", reservation.role)?;
        }
        if let Some(persistence) = self.disk.as_ref().and_then(|disk| disk.persistence.as_ref()) {
            write!(f, "[{}]", persistence.id)?;
        }
        if self.revocable {
            f.write_str("{REV}")?;
        }
        match &self.value {
            Value::Scalar(scalar) => write!(f, ":{scalar}"),
            Value::Ranges(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(|(a, b)| format!("{a}-{b}")).collect();
                write!(f, ":[{}]", ranges.join(","))
            }
            Value::Set(set) => {
                let items: Vec<_> = set.iter().map(|item| &**item).collect();
                write!(f, ":{{{}}}", items.join(","))
            }
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (position, resource) in self.iter().enumerate() {
            let separator = if position == 0 { "" } else { ";" };
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}
