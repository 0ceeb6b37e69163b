//! How much more roles may have: up to their limits, and as long as enough stays free for what others
//! are guaranteed and do not have yet (semantics 180, 181).

use std::collections::BTreeSet;

use super::index::Index;
use super::{Amounts, Quota, counts};
use crate::id::Role;
use crate::resources::{Name, Quantities, Resource, Resources, Scalar, Value};
use crate::state::State;

/// The state of all quotas in the middle of an allocation cycle. Sums of what guarantees need are kept
/// for each role, so that one who gets something costs as much as its role lies deep, however many
/// quotas there are.
#[derive(Debug)]
pub struct Headroom<'a> {
    /// The roles with a quota, by their accounts; those below a role come after it.
    index: Index<'a>,
    /// Of each account, the one of the closest role above that has a quota.
    above: Vec<Option<usize>>,
    /// Of each resource that any quota names.
    pools: Vec<Pool<'a>>,
    /// What each account says of each of these, account by account.
    cells: Vec<Cell>,
    /// Some role with a quota lies below another role.
    has_nested: bool,
}

/// One resource in one account.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    guaranteed: Option<i64>,
    limit: Option<i64>,
    consumed: i64,
    /// What its guarantee and those below it still need: the larger of what it lacks itself and of what
    /// those below it lack together.
    needed: i64,
    /// What those below it need of that.
    needed_below: i64,
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
        let quotas = &state.quotas;
        let limited = |quota: &'a Quota| quota.guarantees.keys().chain(quota.limits.keys());
        let names: BTreeSet<&'a Name> = quotas.values().flat_map(limited).collect();
        let pool = |name| Pool { name, required: 0, available: 0 };
        let mut headroom = Self {
            index: Index::with_capacity(quotas.len()),
            above: Vec::with_capacity(quotas.len()),
            cells: Vec::with_capacity(quotas.len() * names.len()),
            pools: names.into_iter().map(pool).collect(),
            has_nested: false,
        };
        for (account, (role, quota)) in quotas.iter().enumerate() {
            headroom.has_nested |= role.contains('/');
            headroom.above.push(headroom.index.above(role));
            headroom.index.push(role, account);
            headroom.cells.extend(headroom.pools.iter().map(|pool| Cell::new(quota, pool.name)));
        }
        headroom
    }

    /// What counts against each quota (semantics 179), see [`State::consumption`].
    fn consume(&mut self, state: &State) {
        if self.is_empty() {
            return;
        }
        let index = std::mem::take(&mut self.index);
        let mut find = index.in_step();
        let mut closest = |role: &Role| find.get(role).or_else(|| index.above(role));
        for (role, holding) in state.book.held.by_role() {
            self.add(closest(role), &holding.counted());
        }
        for (role, reserved) in &state.book.reserved {
            self.add(index.get(role).or_else(|| index.above(role)), reserved);
        }
        self.index = index;
    }

    /// A role with a quota, and those above it, have more.
    fn add(&mut self, mut account: Option<usize>, more: &Quantities) {
        while let Some(at) = account {
            for slot in 0..self.pools.len() {
                let more = self.pools[slot].of(more);
                if let Some(cell) = self.cell_mut(at, slot) {
                    cell.consumed += more;
                }
            }
            account = self.above(at);
        }
    }

    /// Finds out what the guarantees need: those of the lowest roles first.
    fn sum_up(&mut self) {
        for at in (0..self.above.len()).rev() {
            self.renew(at);
        }
    }

    /// What a role needs, from what it has and what those below it need; what that changes is added to
    /// what the role above it needs, and to what all require.
    fn renew(&mut self, at: usize) {
        let above = self.above(at);
        for slot in 0..self.pools.len() {
            let Some(cell) = self.cell_mut(at, slot) else { continue };
            let grown = cell.lacking().max(cell.needed_below) - cell.needed;
            cell.needed += grown;
            match above.and_then(|above| self.cell_mut(above, slot)) {
                Some(cell) => cell.needed_below += grown,
                None => self.pools[slot].required += grown,
            }
        }
    }

    fn find_free(&mut self, state: &State) {
        let free = state.free_for_quotas();
        for pool in &mut self.pools {
            pool.available = free.get(pool.name).0;
        }
    }

    /// No role has a quota.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
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
        self.index.get(role).or_else(|| self.index.above(role))
    }

    /// The same for roles that come in the order of their names.
    pub(crate) fn accounts(&self) -> impl FnMut(&str) -> Option<usize> {
        let mut find = self.index.in_step();
        move |role| find.get(role).or_else(|| self.index.above(role))
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

    /// Whether a role of the top level, which has this account, or any below it has less than it is
    /// guaranteed.
    pub fn may_be_due(&self, account: Option<usize>, role: &str) -> bool {
        let needs = |at: usize| self.cells_of(at).iter().any(|cell| cell.needed > 0);
        match account {
            Some(at) => needs(at), // what those below it need is in its own
            None => self.has_nested && self.index.below(role).any(needs),
        }
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
            pool.available -= pool.of(counted);
        }
        self.add(account, counted);
        let mut next = account;
        while let Some(at) = next {
            self.renew(at);
            next = self.above(at);
        }
    }

    /// How much more of a resource the roles of an account may have, and what says so; none if nothing
    /// does.
    pub(super) fn room(&self, account: Option<usize>, name: &Name) -> Option<(Scalar, Bound)> {
        let slot = self.slot(name)?;
        let pool = self.pools.get(slot)?;
        let limits = self.upwards(account, slot).filter_map(|cell| {
            let limit = cell.limit?;
            Some((Scalar(limit - cell.consumed), Bound::Limit))
        });
        let spare = (pool.required > 0).then(|| {
            let spare = (pool.available - pool.required).max(0);
            (Scalar(self.due(account, slot) + spare), Bound::Guarantees)
        });
        limits.chain(spare).min_by_key(|(room, _)| *room)
    }

    /// What an account and those above it say of a resource, innermost first.
    fn upwards(&self, account: Option<usize>, slot: usize) -> impl Iterator<Item = &Cell> {
        let accounts = std::iter::successors(account, |at| self.above(*at));
        accounts.filter_map(move |at| self.cells_of(at).get(slot))
    }

    fn above(&self, account: usize) -> Option<usize> {
        self.above.get(account).copied()?
    }

    fn cells_of(&self, account: usize) -> &[Cell] {
        let slots = self.pools.len();
        self.cells.get(account * slots..(account + 1) * slots).unwrap_or_default()
    }

    fn cell_mut(&mut self, account: usize, slot: usize) -> Option<&mut Cell> {
        self.cells.get_mut(account * self.pools.len() + slot)
    }

    fn slot(&self, name: &Name) -> Option<usize> {
        self.pools.iter().position(|pool| pool.name == name)
    }

    /// How much of a resource the roles of an account can get before what is required falls no
    /// further: their part of what they, or roles above them, are guaranteed. A guarantee covers those
    /// of the roles below it, so that each level adds what it needs beyond them.
    fn due(&self, account: Option<usize>, slot: usize) -> i64 {
        self.upwards(account, slot).map(|cell| cell.needed - cell.needed_below).sum()
    }

    /// What the guarantees of all roles together still need of a resource, in thousandths.
    pub(super) fn needed(&self, name: &Name) -> i64 {
        self.slot(name).and_then(|slot| self.pools.get(slot)).map_or(0, |pool| pool.required)
    }

    /// What the guarantees of a role and those below it still need of a resource.
    pub(super) fn needs(&self, role: &str, name: &Name) -> i64 {
        let cell = self.index.get(role).zip(self.slot(name));
        let cell = cell.and_then(|(account, slot)| self.cells_of(account).get(slot));
        cell.map_or(0, |cell| cell.needed)
    }
}

impl Cell {
    fn new(quota: &Quota, name: &Name) -> Self {
        let amount = |amounts: &Amounts| amounts.get(name).map(|amount| amount.0);
        let (guaranteed, limit) = (amount(&quota.guarantees), amount(&quota.limits));
        Self { guaranteed, limit, ..Self::default() }
    }

    /// What it lacks of its own guarantee.
    fn lacking(&self) -> i64 {
        self.guaranteed.map_or(0, |it| (it - self.consumed).max(0))
    }
}

impl Pool<'_> {
    /// How much of it there is among others.
    fn of(&self, quantities: &Quantities) -> i64 {
        quantities.get(self.name).0
    }
}
