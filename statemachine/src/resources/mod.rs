//! Resources: what agents have, offers show and tasks use, and the arithmetic on them
//! (semantics F).

mod algebra;
#[cfg(test)]
mod laws;
mod list;
mod quantities;
mod ranges;
mod reservation;
mod scalar;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use list::List;
pub use quantities::Quantities;
pub use ranges::Ranges;
pub use scalar::Scalar;

use crate::id::{Principal, Role};

/// A resource's name; the usual ones take no space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub enum Name {
    /// CPU shares.
    Cpus,
    /// Memory, in MB.
    Mem,
    /// Disk space, in MB.
    Disk,
    /// Whole GPUs.
    Gpus,
    /// Network ports, as ranges.
    Ports,
    /// Any other.
    Other(Arc<str>),
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cpus => "cpus",
            Self::Mem => "mem",
            Self::Disk => "disk",
            Self::Gpus => "gpus",
            Self::Ports => "ports",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        match name {
            "cpus" => Self::Cpus,
            "mem" => Self::Mem,
            "disk" => Self::Disk,
            "gpus" => Self::Gpus,
            "ports" => Self::Ports,
            other => Self::Other(other.into()),
        }
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Self::from(&*name)
    }
}

impl From<Name> for Arc<str> {
    fn from(name: Name) -> Self {
        name.as_str().into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Value {
    /// A quantity with three decimals.
    #[serde(rename = "s")]
    Scalar(Scalar),
    /// Disjoint, ascending, coalesced ranges.
    #[serde(rename = "r")]
    Ranges(Ranges),
    /// Distinct items.
    #[serde(rename = "i")]
    Set(BTreeSet<Arc<str>>),
}

/// Whether an agent's flags or an operation made a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReservationKind {
    /// By the agent's flags; it cannot be undone.
    #[serde(rename = "s")]
    Static,
    /// By RESERVE.
    #[serde(rename = "d")]
    Dynamic,
}

/// One entry of a reservation stack: the resource is held for a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reservation {
    /// Static or dynamic.
    #[serde(rename = "k")]
    pub kind: ReservationKind,
    /// Held for this role.
    #[serde(rename = "r")]
    pub role: Role,
    /// Who reserved it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// The reserver's labels, an encoded v1 `Labels`; empty for none.
    #[serde(rename = "l", default, skip_serializing_if = "Bytes::is_empty")]
    pub labels: Bytes,
}

/// What makes a disk resource more than space (v1 `Resource.DiskInfo`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Disk {
    /// Where the space lies; none is the agent's root disk.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DiskSource>,
    /// Set for a persistent volume: its id and who made it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// How the volume is mounted, an encoded v1 `Volume`; empty for none.
    #[serde(rename = "v", default, skip_serializing_if = "Bytes::is_empty")]
    pub volume: Bytes,
}

/// A volume is known by its id. Where it is mounted is up to who uses it, and each task may say something else; who made
/// it need not be said again.
impl Ord for Disk {
    fn cmp(&self, other: &Self) -> Ordering {
        let id = |disk: &'_ Self| disk.persistence.as_ref().map(|it| Arc::clone(&it.id));
        self.source.cmp(&other.source).then_with(|| id(self).cmp(&id(other)))
    }
}

impl PartialOrd for Disk {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Disk {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Disk {}

/// A persistent volume's identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Persistence {
    /// Unique per role and agent (semantics 128).
    #[serde(rename = "i")]
    pub id: Arc<str>,
    /// Who created it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

/// Kind of disk (v1 `Resource.DiskInfo.Source`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DiskSource {
    /// PATH, MOUNT, BLOCK or RAW.
    #[serde(rename = "k")]
    pub kind: DiskKind,
    /// All of the source, an encoded v1 `Source`, so that equal sources are equal bytes.
    #[serde(rename = "b")]
    pub payload: Bytes,
}

/// The kinds of disk source; MOUNT, BLOCK and RAW with an id are all or nothing (semantics 133, 134).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DiskKind {
    /// A directory.
    #[serde(rename = "p")]
    Path,
    /// A whole mounted file system.
    #[serde(rename = "m")]
    Mount,
    /// A block device.
    #[serde(rename = "b")]
    Block,
    /// Space of a storage provider, not yet a disk.
    #[serde(rename = "r")]
    Raw,
    /// Space of a storage provider that has an id there, and so is one piece.
    #[serde(rename = "i")]
    RawWithId,
}

impl DiskKind {
    /// Whether a disk of this kind is given out whole or not at all.
    fn is_indivisible(self) -> bool {
        matches!(self, Self::Mount | Self::Block | Self::RawWithId)
    }
}

/// One resource. The role that it is allocated to is no part of it: offers, tasks and executors
/// each have one role for all they hold (semantics 130).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is.
    #[serde(rename = "n")]
    pub name: Name,
    /// How much.
    #[serde(rename = "v")]
    pub value: Value,
    /// Whom it is held for, innermost last; empty for unreserved.
    #[serde(rename = "r", default, skip_serializing_if = "<[Reservation]>::is_empty")]
    pub reservations: Arc<[Reservation]>,
    /// Set on disk resources that are more than plain space.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Arc<Disk>>,
    /// Resource provider that it comes from.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Arc<str>>,
    /// May be used by several tasks at once (persistent volumes only).
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// May be taken back at any time.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub revocable: bool,
}

/// A sum of resources in its one normal form: sorted by kind, mergeable ones merged, empty ones gone
/// (semantics 134). Equal sums are equal here and encode equally. Clones share what they hold until
/// one of them changes: one sum goes from agent to offer to task.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<Resource>")]
pub struct Resources(List);
