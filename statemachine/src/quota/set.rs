//! An operator sets quotas.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Headroom, Quota, counts, upwards};
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{OfferId, Role};
use crate::offer::{Offer, OffersRescinded};
use crate::rejection::Rejection;
use crate::resources::{Name, Quantities, Scalar};
use crate::state::State;
use crate::time::Time;

/// `UPDATE_QUOTA`, its values checked. All of it is done or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct SetQuotas {
    /// Roles and their quotas; an empty one removes what the role had.
    pub quotas: Vec<(Role, Quota)>,
    /// Whether limits may lie below what roles have, and guarantees above what there is.
    pub force: bool,
    /// Whether the roles must have a quota before.
    pub before: Before,
}

/// What roles must have before their quota is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// A quota or none.
    Any,
    /// No quota (semantics 188).
    None,
    /// A quota: there is none to remove otherwise (semantics 326).
    Some,
}

/// Roles have other quotas from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotasUpdated {
    /// Roles and their quotas; an empty one is none.
    #[serde(rename = "q")]
    pub quotas: Vec<(Role, Quota)>,
}

impl Decide for SetQuotas {
    /// In the order of semantics 185: what roles have, then what roles above them have, then what the
    /// cluster has, which is a conflict.
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        self.check_before(draft.state())?;
        let mut next = draft.state().clone();
        change(&mut next, &self.quotas);
        let changed: Vec<_> = self.quotas.iter().map(|(role, _)| role).collect();
        if !self.force {
            check_consumption(&next, &changed)?;
        }
        check_hierarchy(&next)?;
        if !self.force {
            check_capacity(&next)?;
        }
        if next.quotas == draft.state().quotas {
            return Ok(Reply::Done);
        }
        draft.record(QuotasUpdated { quotas: self.quotas.clone() });
        let offers = in_the_way(draft.state());
        if !offers.is_empty() {
            draft.record(OffersRescinded { offers });
        }
        Ok(Reply::Done)
    }
}

impl SetQuotas {
    fn check_before(&self, state: &State) -> Result<(), Rejection> {
        for (role, _) in &self.quotas {
            match (self.before, state.quotas.contains_key(role)) {
                (Before::None, true) => {
                    return Err(invalid(format!("role '{role}' has a quota already")));
                }
                (Before::Some, false) => {
                    return Err(invalid(format!("role '{role}' has no quota")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn invalid(text: String) -> Rejection {
    Rejection::Invalid(text.into())
}

/// No role has more than it would be allowed; what is only offered can be taken back.
fn check_consumption(next: &State, changed: &[&Role]) -> Result<(), Rejection> {
    let consumption = next.consumption();
    for role in changed {
        let Some(quota) = next.quotas.get(*role) else { continue };
        let offers = next.offers.values().filter(|offer| offer.role.is_within(role));
        let offered = offers.flat_map(|offer| &offer.resources).filter(|it| counts(it));
        let offered = Quantities::of(offered);
        for (name, limit) in &quota.limits {
            let consumed = consumption.get(&***role).map_or(0, |consumed| consumed.get(name).0);
            let used = Scalar(consumed - offered.get(name).0);
            if used > *limit {
                return Err(invalid(format!(
                    "Invalid QuotaConfig for role '{role}': it consumes {name}:{used} already, which \
                     is more than the limit {name}:{limit}; lower it by force, or wait"
                )));
            }
        }
    }
    Ok(())
}

/// A limit lies within those above it, and holds what is guaranteed to the role and to those below.
fn check_hierarchy(next: &State) -> Result<(), Rejection> {
    let unused = Headroom::empty(next);
    for (role, quota) in &next.quotas {
        for (name, limit) in &quota.limits {
            let guaranteed = Scalar(unused.needs(role, name));
            if guaranteed > *limit {
                return Err(invalid(format!(
                    "Invalid QuotaConfig for role '{role}': it and the roles below it are guaranteed \
                     {name}:{guaranteed}, which is more than its limit {name}:{limit}"
                )));
            }
            let bound = role.ancestors().find_map(|above| {
                let bound = next.quotas.get(&above)?.limits.get(name)?;
                (bound < limit).then_some((above, *bound))
            });
            if let Some((above, bound)) = bound {
                return Err(invalid(format!(
                    "Invalid QuotaConfig for role '{role}': its limit {name}:{limit} is more than the \
                     limit {name}:{bound} of role '{above}'"
                )));
            }
        }
    }
    Ok(())
}

/// What is guaranteed in all, the cluster has.
fn check_capacity(next: &State) -> Result<(), Rejection> {
    let unused = Headroom::empty(next);
    let names: BTreeSet<&Name> =
        next.quotas.values().flat_map(|quota| quota.guarantees.keys()).collect();
    let agents = next.agents.values().filter(|agent| agent.counts());
    let capacity = Quantities::of(agents.flat_map(|agent| &agent.total).filter(|it| !it.revocable));
    for name in names {
        let guaranteed = Scalar(unused.needed(name));
        let capacity = capacity.get(name);
        if guaranteed > capacity {
            let text = format!(
                "Invalid QuotaConfig: {name}:{guaranteed} would be guaranteed in all, and the cluster \
                 has {name}:{capacity}; set it by force, or add agents"
            );
            return Err(Rejection::Conflict(text.into()));
        }
    }
    Ok(())
}

/// Offers to rescind: those that hold a role above its limit, and those that keep from other roles
/// what they are guaranteed.
fn in_the_way(state: &State) -> Vec<OfferId> {
    let mut consumption = state.consumption();
    let headroom = Headroom::new(state);
    let lacking = headroom.lacking().map(|(name, lacks)| (name.clone(), lacks));
    let mut lacking: BTreeMap<Name, Scalar> = lacking.collect();
    let mut rescinded = Vec::new();
    for (id, offer) in &state.offers {
        let counted = Quantities::of(offer.resources.iter().filter(|it| counts(it)));
        if !is_in_the_way(state, &consumption, &lacking, offer, &counted) {
            continue;
        }
        rescinded.push(*id);
        for role in upwards(&offer.role) {
            if let Some(consumed) = consumption.get_mut(role) {
                consumed.remove_all(&counted);
            }
        }
        for (name, lacks) in &mut lacking {
            *lacks = Scalar(lacks.0 - counted.get(name).0);
        }
    }
    rescinded
}

fn is_in_the_way(
    state: &State,
    consumption: &BTreeMap<&str, Quantities>,
    lacking: &BTreeMap<Name, Scalar>,
    offer: &Offer,
    counted: &Quantities,
) -> bool {
    let accounts = || {
        upwards(&offer.role)
            .filter_map(|role| Some((state.quotas.get(&Role::from(role))?, consumption.get(role)?)))
    };
    let holds = |name: &Name| counted.get(name) > Scalar(0);
    let passes = |(quota, consumed): (&Quota, &Quantities)| {
        quota.limits.iter().any(|(name, limit)| holds(name) && consumed.get(name) > *limit)
    };
    // what a role has of its own guarantee is not in the way of another's
    let is_guaranteed = |name: &Name| {
        let mut guarantees = accounts().filter_map(|(quota, consumed)| {
            Some((quota.guarantees.get(name)?, consumed.get(name)))
        });
        guarantees.any(|(guarantee, consumed)| consumed <= *guarantee)
    };
    accounts().any(passes)
        || lacking
            .iter()
            .any(|(name, lacks)| *lacks > Scalar(0) && holds(name) && !is_guaranteed(name))
}

fn change(state: &mut State, quotas: &[(Role, Quota)]) {
    for (role, quota) in quotas {
        if quota.is_empty() {
            state.quotas.remove(role);
        } else {
            state.quotas.insert(role.clone(), quota.clone());
        }
    }
}

impl Fold for QuotasUpdated {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        change(state, &self.quotas);
        state.book.turns.clear();
    }
}
