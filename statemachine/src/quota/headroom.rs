//! How much more roles may have: up to their limits, and as long as enough stays free for what others
//! are guaranteed and do not have yet (semantics 180, 181).

use std::collections::{BTreeMap, BTreeSet};

use super::{Quota, counts, upwards};
use crate::id::Role;
use crate::resources::{Name, Quantities, Resource, Resources, Scalar, Value};
use crate::state::State;

/// The state of all quotas in the middle of an allocation cycle.
#[derive(Debug)]
pub struct Headroom<'a> {
    accounts: BTreeMap<&'a str, Account<'a>>,
    /// What the guarantees that are not met still need, in all; no entry for what is not guaranteed.
    required: BTreeMap<&'a Name, i64>,
    /// How much of that is free and could be offered.
    available: BTreeMap<&'a Name, i64>,
}

#[derive(Debug)]
struct Account<'a> {
    quota: &'a Quota,
    consumed: Quantities,
    /// The closest roles below that have a quota.
    below: Vec<&'a str>,
    /// Whether no role above has one.
    is_top: bool,
}

/// What keeps a role from having more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Its limit, or one above it.
    Limit,
    /// What is guaranteed to others.
    Guarantees,
}

impl<'a> Headroom<'a> {
    /// As things stand.
    pub fn new(state: &'a State) -> Self {
        let mut headroom = Self::empty(state);
        for (role, consumed) in state.consumption() {
            if let Some(account) = headroom.accounts.get_mut(role) {
                account.consumed = consumed;
            }
        }
        headroom.sum_up(state);
        headroom
    }

    /// As if no role had anything yet.
    pub(super) fn empty(state: &'a State) -> Self {
        let mut accounts = BTreeMap::new();
        for (role, quota) in &state.quotas {
            let (consumed, below) = (Quantities::default(), Vec::new());
            accounts.insert(&**role, Account { quota, consumed, below, is_top: true });
        }
        let roles: Vec<_> = accounts.keys().copied().collect();
        for role in roles {
            let above = upwards(role).skip(1).find(|above| accounts.contains_key(above));
            let Some(above) = above else { continue };
            if let Some(account) = accounts.get_mut(role) {
                account.is_top = false;
            }
            if let Some(account) = accounts.get_mut(above) {
                account.below.push(role);
            }
        }
        let (required, available) = (BTreeMap::new(), BTreeMap::new());
        Self { accounts, required, available }
    }

    fn sum_up(&mut self, state: &'a State) {
        let names: BTreeSet<&'a Name> =
            self.accounts.values().flat_map(|account| account.quota.guarantees.keys()).collect();
        self.required = names.into_iter().map(|name| (name, self.needed(name))).collect();
        if self.is_met() {
            return;
        }
        let mut free = Quantities::default();
        for id in state.book.free.keys() {
            if let Some(agent) = state.agents.get(id).filter(|agent| agent.is_active()) {
                agent.free().iter().filter(|it| counts(it)).for_each(|it| free.add(it));
            }
        }
        self.available = self.required.keys().map(|name| (*name, free.get(name).0)).collect();
    }

    /// No role has a quota.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Every guarantee is met.
    pub fn is_met(&self) -> bool {
        self.required.values().all(|required| *required == 0)
    }

    /// What the guarantees still need of each resource beyond what is free.
    pub(super) fn lacking(&self) -> impl Iterator<Item = (&Name, Scalar)> {
        self.required.iter().filter_map(|(name, required)| {
            let lacks = required - self.available.get(name).copied().unwrap_or(0);
            (lacks > 0).then_some((*name, Scalar(lacks)))
        })
    }

    /// Whether a role is due some of these by a guarantee.
    pub fn is_due(&self, role: &Role, resources: &Resources) -> bool {
        let counted = resources.iter().filter(|it| counts(it));
        counted.map(|it| &it.name).any(|name| self.due(role, name) > 0)
    }

    /// Whether a role of the top level or any below it has less than it is guaranteed.
    pub fn may_be_due(&self, role: &Role) -> bool {
        let below = format!("{role}/");
        let below = self.accounts.range(&*below..).take_while(|(it, _)| it.starts_with(&below));
        let mut tops = below.filter(|(_, account)| account.is_top).map(|(it, _)| *it);
        let needs = |role: &str| self.required.keys().any(|name| self.needs(role, name, None) > 0);
        needs(role) || tops.any(needs)
    }

    /// As much of what is free as a role may be offered, and what bound it if that is not all. What is
    /// reserved, revocable or no scalar is never cut; what is indivisible goes whole or not at all
    /// (semantics 182).
    pub fn cut(&self, role: &Role, free: &Resources) -> (Resources, Option<Bound>) {
        if self.is_empty() {
            return (free.clone(), None);
        }
        let mut given = Resources::default();
        let mut taken = Quantities::default();
        let mut bound = None;
        for resource in free {
            let Value::Scalar(amount) = resource.value else {
                given.add(resource);
                continue;
            };
            let room = self.room(role, &resource.name).filter(|_| counts(resource));
            let Some((room, why)) = room else {
                given.add(resource);
                continue;
            };
            let left = Scalar(room.0 - taken.get(&resource.name).0);
            let part = if left >= amount {
                resource.clone()
            } else {
                bound = Some(why);
                if resource.is_indivisible() || left <= Scalar(0) {
                    continue;
                }
                Resource { value: Value::Scalar(left), ..resource.clone() }
            };
            taken.add(&part);
            given.add(&part);
        }
        (given, bound)
    }

    /// A role gets these.
    pub fn charge(&mut self, role: &Role, resources: &Resources) {
        if self.is_empty() {
            return;
        }
        let gets = Quantities::of(resources.iter().filter(|it| counts(it)));
        let top = self.top_of(role);
        let names: Vec<&'a Name> = self.required.keys().copied().collect();
        let needs = |this: &Self| -> Vec<i64> {
            names.iter().map(|name| top.map_or(0, |top| this.needs(top, name, None))).collect()
        };
        let before = needs(self);
        for above in upwards(role) {
            if let Some(account) = self.accounts.get_mut(above) {
                account.consumed.add_all(&gets);
            }
        }
        let after = needs(self);
        for ((name, before), after) in names.into_iter().zip(before).zip(after) {
            *self.required.entry(name).or_default() -= before - after;
            *self.available.entry(name).or_default() -= gets.get(name).0;
        }
    }

    /// How much more of a resource a role may have, and what says so; none if nothing does.
    fn room(&self, role: &Role, name: &Name) -> Option<(Scalar, Bound)> {
        let accounts = upwards(role).filter_map(|above| self.accounts.get(above));
        let limits = accounts.filter_map(|account| {
            let limit = account.quota.limits.get(name)?;
            Some((Scalar(limit.0 - account.consumed.get(name).0), Bound::Limit))
        });
        let guaranteed = self.required.get(name).filter(|required| **required > 0);
        let spare = guaranteed.map(|required| {
            let available = self.available.get(name).copied().unwrap_or(0);
            let room = self.due(role, name) + (available - required).max(0);
            (Scalar(room), Bound::Guarantees)
        });
        limits.chain(spare).min_by_key(|(room, _)| *room)
    }

    /// How much of a resource a role can get before what is required falls no further: its part of
    /// what it, or a role above it, is guaranteed.
    fn due(&self, role: &Role, name: &Name) -> i64 {
        let top = self.top_of(role);
        top.map_or(0, |top| self.needs(top, name, None) - self.needs(top, name, Some(role)))
    }

    /// The topmost role with a quota of those that a role stands below, or the role itself.
    fn top_of(&self, role: &Role) -> Option<&'a str> {
        let accounts = upwards(role).filter_map(|above| self.accounts.get_key_value(above));
        accounts.map(|(top, _)| *top).last()
    }

    /// What the guarantees of all roles together still need of a resource, in thousandths.
    pub(super) fn needed(&self, name: &Name) -> i64 {
        let tops = self.accounts.iter().filter(|(_, account)| account.is_top);
        tops.map(|(role, _)| self.needs(role, name, None)).sum()
    }

    /// What the guarantees of a role and those below it still need of a resource, as if `sated` had
    /// all it wants. A guarantee covers those of the roles below.
    pub(super) fn needs(&self, role: &str, name: &Name, sated: Option<&Role>) -> i64 {
        let Some(account) = self.accounts.get(role) else { return 0 };
        let is_sated = sated.is_some_and(|sated| upwards(sated).any(|above| above == role));
        let guaranteed = account.quota.guarantees.get(name).filter(|_| !is_sated);
        let unmet = guaranteed.map_or(0, |it| (it.0 - account.consumed.get(name).0).max(0));
        unmet.max(account.below.iter().map(|below| self.needs(below, name, sated)).sum())
    }
}
