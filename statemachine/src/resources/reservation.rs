//! Resources before and after they were reserved or made into volumes.

use std::fmt;

use crate::id::Role;

use super::{Disk, ReservationKind, Resource, Resources, Value};

impl Resource {
    /// The role it is held for: that and those below it may be given it. None if it is unreserved.
    pub fn role(&self) -> Option<&Role> {
        self.reservations.last().map(|reservation| &reservation.role)
    }

    /// What it was before any operation: no dynamic reservation, no volume.
    #[must_use]
    pub fn original(&self) -> Self {
        let kept = self.reservations.iter().filter(|held| held.kind == ReservationKind::Static);
        let disk =
            self.disk.as_ref().and_then(|disk| disk.source.clone()).map(|source| {
                std::sync::Arc::new(Disk { source: Some(source), ..Disk::default() })
            });
        Self { reservations: kept.cloned().collect(), disk, shared: false, ..self.clone() }
    }
}

impl Resources {
    /// Whether some of them are not reserved.
    pub fn has_unreserved(&self) -> bool {
        self.iter().any(|resource| resource.reservations.is_empty())
    }

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
