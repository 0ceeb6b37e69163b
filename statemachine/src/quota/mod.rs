//! Quota: how much a role, with all below it, is guaranteed, and how much it may have at most
//! (semantics 179 to 187). A limit is never passed by a decision: it bounds offers, and what is
//! reserved and unreserved. Only agents can push a role above it, which come, or come back, with
//! tasks or reservations of their own, and an operator who lowers it by force.

#[cfg(test)]
mod guaranteed;
mod headroom;
mod index;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod rules;
mod set;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use headroom::{Bound, Headroom};
pub(crate) use index::Index;
pub use set::{Before, QuotasUpdated, SetQuotas};

use crate::allocator::Holding;
use crate::id::Role;
use crate::resources::{Name, Quantities, Resource, Scalar};
use crate::state::State;

/// How much of which scalar resource.
pub type Amounts = BTreeMap<Name, Scalar>;

/// What one role is guaranteed and limited to. Roles below it share both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Kept free for the role while it has less; what is not named is not guaranteed.
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guarantees: Amounts,
    /// The most that it can have; what is not named is not limited, and 0 allows none.
    #[serde(rename = "l", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: Amounts,
}

impl Quota {
    /// Guarantees nothing and limits nothing.
    pub fn is_empty(&self) -> bool {
        self.guarantees.is_empty() && self.limits.is_empty()
    }
}

/// Whether what is held of this counts for the quota of the role that holds it: reservations count
/// for the role they are made for instead, and what may be taken back counts for nobody.
pub fn counts(resource: &Resource) -> bool {
    resource.reservations.is_empty() && !resource.revocable
}

/// This role and those above it, innermost first.
pub(crate) fn upwards(role: &str) -> impl Iterator<Item = &str> {
    let ancestors = role.rmatch_indices('/').map(|(end, _)| role.get(..end).unwrap_or(role));
    std::iter::once(role).chain(ancestors)
}

impl State {
    /// What counts against the quota of each role that has one: reservations for it and below, used
    /// or not, and what is held in it and below that is not reserved and not revocable
    /// (semantics 179).
    pub fn consumption(&self) -> BTreeMap<&str, Quantities> {
        let mut consumption: BTreeMap<&str, Quantities> =
            self.quotas.keys().map(|role| (&**role, Quantities::default())).collect();
        if consumption.is_empty() {
            return consumption;
        }
        let mut count = |role: &Role, quantities: &Quantities| {
            for above in upwards(role) {
                if let Some(sum) = consumption.get_mut(above) {
                    sum.add_all(quantities);
                }
            }
        };
        for (role, reserved) in &self.book.reserved {
            count(role, reserved);
        }
        for (role, holding) in self.book.held.by_role() {
            count(role, &holding.counted());
        }
        consumption
    }
}

/// The first limit that is passed after a change and was not before, or not by as much.
pub(crate) fn passed_limit(before: &State, after: &State) -> Option<PassedLimit> {
    let then = before.consumption();
    after.consumption().into_iter().find_map(|(role, now)| {
        let quota = after.quotas.get(&Role::from(role))?;
        quota.limits.iter().find_map(|(name, limit)| {
            let consumed = now.get(name);
            let grows = then.get(role).is_none_or(|then| then.get(name) < consumed);
            (consumed > *limit && grows).then(|| PassedLimit {
                role: role.into(),
                name: name.clone(),
                limit: *limit,
                consumed,
            })
        })
    })
}

impl Holding {
    /// As much of it as counts against the quota of the role.
    pub(crate) fn counted(&self) -> Quantities {
        let mut counted = self.quantities.clone();
        counted.remove_all(&self.uncounted);
        counted
    }
}

/// A limit that something would pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("role '{role}' would have {name}:{consumed} and its quota allows {name}:{limit} at most")]
pub struct PassedLimit {
    /// Whose.
    pub role: Role,
    /// Of what.
    pub name: Name,
    /// How much it is.
    pub limit: Scalar,
    /// How much the role would have.
    pub consumed: Scalar,
}
