//! How much more roles may have: up to their limits, and as long as enough stays free for what others
//! are guaranteed and do not have yet (semantics 180, 181).

use std::collections::{BTreeMap, BTreeSet};

use super::{Quota, counts, upwards};
use crate::id::Role;
use crate::resources::{Name, Quantities, Resource, Resources, Scalar, Value};
use crate::state::State;

/// The state of all quotas in the middle of an allocation cycle. Sums of what guarantees need are kept
/// for each role, so that one who gets something costs as much as its role lies deep, however many
/// quotas there are.
#[derive(Debug)]
pub struct Headroom<'a> {
    /// Sorted by role, so that those below a role come after it.
    accounts: Vec<Account<'a>>,
    index: BTreeMap<&'a str, usize>,
    /// Of each resource that is guaranteed to anybody.
    pools: Vec<Pool<'a>>,
    /// Some role with a quota lies below another role.
    has_nested: bool,
}

#[derive(Debug)]
struct Account<'a> {
    quota: &'a Quota,
    consumed: Quantities,
    /// The closest role above that has a quota.
    above: Option<usize>,
    /// What its guarantee and those below it still need, by pool.
    needs: Vec<Need>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Need {
    /// By all: the larger of what it lacks itself and of what those below it lack together.
    all: i64,
    /// By those below it.
    below: i64,
}

#[derive(Debug)]
struct Pool<'a> {
    name: &'a Name,
    /// What the guarantees that are not met still need, in all.
    required: i64,
    /// How much of that is free and could be offered.
    available: i64,
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
        let mut headroom = Self::accounts_of(state);
        headroom.consume(state);
        headroom.sum_up();
        if !headroom.is_met() {
            headroom.find_free(state);
        }
        headroom
    }

    /// As if no role had anything yet.
    pub(super) fn empty(state: &'a State) -> Self {
        let mut headroom = Self::accounts_of(state);
        headroom.sum_up();
        headroom
    }

    fn accounts_of(state: &'a State) -> Self {
        let names: BTreeSet<&'a Name> =
            state.quotas.values().flat_map(|quota| quota.guarantees.keys()).collect();
        let pool = |name| Pool { name, required: 0, available: 0 };
        let pools: Vec<_> = names.into_iter().map(pool).collect();
        let roles = state.quotas.keys().enumerate();
        let index: BTreeMap<&str, usize> = roles.map(|(at, role)| (&**role, at)).collect();
        let account = |(role, quota): (&'a Role, &'a Quota)| {
            let above = upwards(role).skip(1).find_map(|above| index.get(above).copied());
            let needs = vec![Need::default(); pools.len()];
            Account { quota, consumed: Quantities::default(), above, needs }
        };
        let accounts: Vec<_> = state.quotas.iter().map(account).collect();
        let has_nested = state.quotas.keys().any(|role| role.depth() > 1);
        Self { accounts, index, pools, has_nested }
    }

    /// What counts against each quota (semantics 179), see [`State::consumption`].
    fn consume(&mut self, state: &State) {
        if self.is_empty() {
            return;
        }
        for (role, reserved) in &state.book.reserved {
            self.add(self.account(role), reserved);
        }
        for (role, holding) in state.book.held.by_role() {
            self.add(self.account(role), &holding.counted());
        }
    }

    /// A role with a quota, and those above it, have more.
    fn add(&mut self, mut account: Option<usize>, more: &Quantities) {
        while let Some(found) = account.and_then(|at| self.accounts.get_mut(at)) {
            found.consumed.add_all(more);
            account = found.above;
        }
    }

    /// Finds out what the guarantees need: those of the lowest roles first.
    fn sum_up(&mut self) {
        for at in (0..self.accounts.len()).rev() {
            self.renew(at);
        }
    }

    /// What a role needs, from what it has and what those below it need; what that changes is added to
    /// what the role above it needs, and to what all require.
    fn renew(&mut self, at: usize) {
        for slot in 0..self.pools.len() {
            let Some(pool) = self.pools.get_mut(slot) else { continue };
            let Some(account) = self.accounts.get_mut(at) else { continue };
            let unmet = account.unmet(pool.name);
            let above = account.above;
            let Some(need) = account.needs.get_mut(slot) else { continue };
            let grown = unmet.max(need.below) - need.all;
            need.all += grown;
            match above.and_then(|above| self.accounts.get_mut(above)?.needs.get_mut(slot)) {
                Some(need) => need.below += grown,
                None => pool.required += grown,
            }
        }
    }

    /// What is free on all agents and counts: what they have, less what is used or offered.
    fn find_free(&mut self, state: &State) {
        let mut free = Quantities::default();
        let active = state.book.free.keys().filter_map(|id| state.agents.get(id));
        for agent in active.filter(|agent| agent.is_active()) {
            agent.total.iter().filter(|it| counts(it)).for_each(|it| free.add(it));
            let taken = agent.used.iter().chain(&agent.offered);
            taken.filter(|it| counts(it)).for_each(|it| free.remove(it));
        }
        for pool in &mut self.pools {
            pool.available = free.get(pool.name).0;
        }
    }

    /// No role has a quota.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Every guarantee is met.
    pub fn is_met(&self) -> bool {
        self.pools.iter().all(|pool| pool.required == 0)
    }

    /// What the guarantees still need of each resource beyond what is free.
    pub(super) fn lacking(&self) -> impl Iterator<Item = (&Name, Scalar)> {
        let lacks = |pool: &Pool<'a>| pool.required - pool.available;
        let lacking = self.pools.iter().filter(move |pool| lacks(pool) > 0);
        lacking.map(move |pool| (pool.name, Scalar(lacks(pool))))
    }

    /// The account that a role's resources go to: its own, or the closest above it.
    pub fn account(&self, role: &str) -> Option<usize> {
        upwards(role).find_map(|above| self.index.get(above).copied())
    }

    /// Whether some of these are due to anybody.
    pub fn requires(&self, resources: &Resources) -> bool {
        let is_required = |pool: &Pool<'a>| {
            pool.required > 0 && resources.iter().any(|it| it.name == *pool.name && counts(it))
        };
        self.pools.iter().any(is_required)
    }

    /// Whether the roles of an account are due some of these by a guarantee.
    pub fn is_due(&self, account: Option<usize>, resources: &Resources) -> bool {
        let mut counted = resources.iter().filter(|it| counts(it));
        counted.any(|it| self.slot(&it.name).is_some_and(|slot| self.due(account, slot) > 0))
    }

    /// Whether a role of the top level or any below it has less than it is guaranteed.
    pub fn may_be_due(&self, role: &str) -> bool {
        let needs = |at: &usize| {
            self.accounts.get(*at).is_some_and(|account| account.needs.iter().any(|it| it.all > 0))
        };
        if self.index.get(role).is_some_and(needs) {
            return true;
        }
        if !self.has_nested {
            return false;
        }
        let below = format!("{role}/");
        let roles = self.index.range(&*below..).take_while(|(it, _)| it.starts_with(&below));
        roles.map(|(_, at)| at).any(needs)
    }

    /// As much of what is free as the roles of an account may be offered and what bound it, if that is
    /// not all; given how much of it counts. What is reserved, revocable or no scalar is never cut;
    /// what is indivisible goes whole or not at all (semantics 182).
    pub fn cut(
        &self,
        account: Option<usize>,
        free: &Resources,
        counted: &Quantities,
    ) -> Option<(Resources, Bound)> {
        let fits = |it: &Resource| {
            let room = self.room(account, &it.name);
            room.is_none_or(|(room, _)| room >= counted.get(&it.name))
        };
        if self.is_empty() || free.iter().filter(|it| counts(it)).all(fits) {
            return None;
        }
        let mut taken = Quantities::default();
        let mut bound = None;
        let given = free.cut(|resource| {
            let Value::Scalar(amount) = resource.value else { return Some(resource.clone()) };
            let room = self.room(account, &resource.name).filter(|_| counts(resource));
            let Some((room, why)) = room else { return Some(resource.clone()) };
            let left = Scalar(room.0 - taken.get(&resource.name).0);
            let part = if left >= amount {
                resource.clone()
            } else {
                bound = Some(why);
                if resource.is_indivisible() || left <= Scalar(0) {
                    return None;
                }
                Resource { value: Value::Scalar(left), ..resource.clone() }
            };
            taken.add(&part);
            Some(part)
        });
        bound.map(|bound| (given, bound))
    }

    /// Whether the roles of an account may have nothing more of a resource. That does not change before
    /// the cycle is over: limits come closer, and what is spare only gets less.
    pub fn is_spent(&self, account: Option<usize>, name: &Name) -> bool {
        self.room(account, name).is_some_and(|(room, _)| room <= Scalar(0))
    }

    /// The roles of an account get so much that counts.
    pub fn charge(&mut self, account: Option<usize>, counted: &Quantities) {
        if self.is_empty() {
            return;
        }
        for pool in &mut self.pools {
            pool.available -= counted.get(pool.name).0;
        }
        self.add(account, counted);
        let mut next = account;
        while let Some(at) = next {
            self.renew(at);
            next = self.accounts.get(at).and_then(|account| account.above);
        }
    }

    /// How much more of a resource the roles of an account may have, and what says so; none if nothing
    /// does.
    pub(super) fn room(&self, account: Option<usize>, name: &Name) -> Option<(Scalar, Bound)> {
        let limits = self.upwards(account).filter_map(|account| {
            let limit = account.quota.limits.get(name)?;
            Some((Scalar(limit.0 - account.consumed.get(name).0), Bound::Limit))
        });
        let slot = self.slot(name);
        let guaranteed = slot.and_then(|slot| Some((slot, self.pools.get(slot)?)));
        let spare = guaranteed.filter(|(_, pool)| pool.required > 0).map(|(slot, pool)| {
            let spare = (pool.available - pool.required).max(0);
            (Scalar(self.due(account, slot) + spare), Bound::Guarantees)
        });
        limits.chain(spare).min_by_key(|(room, _)| *room)
    }

    /// An account and those above it, innermost first.
    fn upwards(&self, account: Option<usize>) -> impl Iterator<Item = &Account<'a>> {
        let first = account.and_then(|at| self.accounts.get(at));
        std::iter::successors(first, |account| self.accounts.get(account.above?))
    }

    fn slot(&self, name: &Name) -> Option<usize> {
        self.pools.iter().position(|pool| pool.name == name)
    }

    /// How much of a resource the roles of an account can get before what is required falls no
    /// further: their part of what they, or roles above them, are guaranteed. A guarantee covers those
    /// of the roles below it, so that each level adds what it needs beyond them.
    fn due(&self, account: Option<usize>, slot: usize) -> i64 {
        let needs = self.upwards(account).filter_map(|account| account.needs.get(slot));
        needs.map(|need| need.all - need.below).sum()
    }

    /// What the guarantees of all roles together still need of a resource, in thousandths.
    pub(super) fn needed(&self, name: &Name) -> i64 {
        self.slot(name).and_then(|slot| self.pools.get(slot)).map_or(0, |pool| pool.required)
    }

    /// What the guarantees of a role and those below it still need of a resource.
    pub(super) fn needs(&self, role: &str, name: &Name) -> i64 {
        let account = self.index.get(role).and_then(|at| self.accounts.get(*at));
        let need = account.and_then(|account| account.needs.get(self.slot(name)?));
        need.map_or(0, |need| need.all)
    }
}

impl Account<'_> {
    fn unmet(&self, name: &Name) -> i64 {
        let guaranteed = self.quota.guarantees.get(name);
        guaranteed.map_or(0, |it| (it.0 - self.consumed.get(name).0).max(0))
    }
}
