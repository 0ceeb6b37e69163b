//! Plain sums of resources: how many thousandths there are of each kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use statemachine::resources::{
    Disk, Name, Persistence, Reservation, ReservationKind, Resource, Resources, Scalar, Value,
};

/// What a resource is: its name, the roles that it is reserved for, outermost first, and the volume
/// that it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
    pub(crate) volume: Option<String>,
}

/// How much there is of each kind; what there is none of is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pile(pub(crate) BTreeMap<Kind, i64>);

impl Pile {
    /// So much of one unreserved resource.
    pub(crate) fn plain(name: &str, thousandths: i64) -> Self {
        let kind = Kind { name: name.into(), roles: Vec::new(), volume: None };
        Self([(kind, thousandths)].into())
    }

    /// The sum of real resources, which must be scalars.
    pub(crate) fn of(resources: &Resources) -> Self {
        let mut pile = Self::default();
        for resource in resources {
            let Value::Scalar(Scalar(amount)) = resource.value else { panic!("{resource}") };
            let roles = resource.reservations.iter().map(|it| it.role.to_string()).collect();
            let volume = resource.volume_id().map(|(_, id)| id.to_string());
            let kind = Kind { name: resource.name.to_string(), roles, volume };
            *pile.0.entry(kind).or_default() += amount;
        }
        pile
    }

    /// The real resources that this is the sum of.
    pub(crate) fn to_resources(&self) -> Resources {
        self.0.iter().map(|(kind, amount)| kind.to_resource(*amount)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (kind, amount) in &other.0 {
            *self.0.entry(kind.clone()).or_default() += amount;
        }
    }

    /// Takes away what must be there.
    pub(crate) fn take(&mut self, other: &Self) {
        assert!(self.covers(other), "{other:?} is not in {self:?}");
        for (kind, amount) in &other.0 {
            *self.0.entry(kind.clone()).or_default() -= amount;
        }
        self.0.retain(|_, amount| *amount > 0);
    }

    /// Whether all of `other` is there; a volume is there whole or not at all.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(kind, wanted)| {
            let held = self.0.get(kind).copied().unwrap_or(0);
            if kind.volume.is_some() { held == *wanted } else { held >= *wanted }
        })
    }

    /// The kinds that are wanted.
    pub(crate) fn only(&self, wanted: impl Fn(&Kind) -> bool) -> Self {
        Self(self.0.iter().filter(|(kind, _)| wanted(kind)).map(|(k, n)| (k.clone(), *n)).collect())
    }

    /// The same amounts of other kinds.
    pub(crate) fn turned(&self, turn: impl Fn(&Kind) -> Kind) -> Self {
        let mut turned = Self::default();
        for (kind, amount) in &self.0 {
            *turned.0.entry(turn(kind)).or_default() += amount;
        }
        turned
    }

    /// All there is of a name, in thousandths.
    pub(crate) fn amount(&self, name: &str) -> i64 {
        self.0.iter().filter(|(kind, _)| kind.name == name).map(|(_, amount)| amount).sum()
    }
}

impl Kind {
    /// Reserved for one more role.
    pub(crate) fn reserved(&self, role: &str) -> Self {
        let mut kind = self.clone();
        kind.roles.push(role.into());
        kind
    }

    /// Without its last reservation.
    pub(crate) fn unreserved(&self) -> Self {
        let mut kind = self.clone();
        kind.roles.pop();
        kind
    }

    /// As a volume, or as the space that one is made of.
    pub(crate) fn with_volume(&self, id: Option<&str>) -> Self {
        Self { volume: id.map(Into::into), ..self.clone() }
    }

    fn to_resource(&self, amount: i64) -> Resource {
        let reservation = |role: &String| Reservation {
            kind: ReservationKind::Dynamic,
            role: role.as_str().into(),
            principal: None,
            labels: Bytes::new(),
        };
        let disk = self.volume.as_ref().map(|id| Disk {
            source: None,
            persistence: Some(Persistence { id: id.as_str().into(), principal: None }),
            volume: Bytes::from_static(b"volume"),
        });
        Resource {
            name: Name::from(self.name.as_str()),
            value: Value::Scalar(Scalar(amount)),
            reservations: self.roles.iter().map(reservation).collect(),
            disk: disk.map(Arc::new),
            provider: None,
            shared: false,
            revocable: false,
        }
    }
}
