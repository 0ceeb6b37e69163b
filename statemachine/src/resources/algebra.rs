//! Sums, differences and containment of resources. Both sides are sorted, so that even hostile sums
//! of many thousands cost no more than reading them.

use std::cmp::Ordering;

use super::{Name, Resource, Resources, Scalar, Value};

/// Up to so many resources are added one by one; more are sorted in at once.
const ADDED_SINGLY_MAX: usize = 8;

impl Resources {
    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many different ones.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each resource, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.0.iter()
    }

    /// Adds one resource.
    pub fn add(&mut self, resource: &Resource) {
        if resource.value.is_empty() {
            return;
        }
        let found = if resource.is_counted() {
            Err(self.0.partition_point(|held| held <= resource))
        } else {
            self.0.binary_search_by(|held| held.cmp_kind(resource))
        };
        self.0.change(|held| match found {
            Ok(at) => held[at].value.add(&resource.value),
            Err(at) => held.insert(at, resource.clone()),
        });
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        if self.is_empty() {
            self.clone_from(other);
        } else if other.0.len() <= ADDED_SINGLY_MAX {
            for resource in other {
                self.add(resource);
            }
        } else {
            *self = self.iter().chain(other).cloned().collect();
        }
    }

    /// Takes `resource` out; false, and nothing changed, if it is not all there.
    pub fn take(&mut self, resource: &Resource) -> bool {
        if resource.value.is_empty() {
            return true;
        }
        let Some(at) = self.0.iter().position(|held| held.covers(resource)) else {
            return false;
        };
        self.0.change(|held| {
            if !held[at].deduct(resource) {
                held.remove(at);
            }
        });
        true
    }

    /// Takes all of `other` out; false, and nothing changed, if it is not all there.
    pub fn take_all(&mut self, other: &Self) -> bool {
        let whole = self.contains(other);
        if whole {
            self.remove_all(other);
        }
        whole
    }

    /// Whether both are one in memory, and so surely equal.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }

    /// Takes `other` out as far as it goes: what is not all there stays.
    pub fn remove_all(&mut self, other: &Self) {
        if self.is_same(other) {
            *self = Self::default();
        } else {
            self.remove_each(other.iter());
        }
    }

    /// Takes each of these, which are sorted, out as far as it goes.
    pub(crate) fn remove_each<'a>(&mut self, others: impl Iterator<Item = &'a Resource>) {
        let mut others = others.peekable();
        if self.is_empty() || others.peek().is_none() {
            return;
        }
        let is_left = |held: &mut Resource| {
            while others.next_if(|other| other.cmp_slot(held).is_lt()).is_some() {}
            match others.next_if(|other| held.covers(other)) {
                Some(other) => held.deduct(other),
                None => true,
            }
        };
        self.0.change(|all| all.retain_mut(is_left));
    }

    /// Whether all of `other` could be taken out.
    pub fn contains(&self, other: &Self) -> bool {
        // only counted resources are there more than once, side by side
        other.0.chunk_by(|a, b| a == b).all(|copies| {
            let wanted = &copies[0];
            let first = self.0.partition_point(|held| held.cmp_slot(wanted).is_lt());
            let held = self.0[first..].iter().take(copies.len());
            held.filter(|held| held.covers(wanted)).count() == copies.len()
        })
    }

    /// This less `other`, as far as it goes.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.remove_all(other);
        rest
    }

    /// What is in either: of equal kinds the greater amount, or all numbers and items of both.
    #[must_use]
    pub fn united(&self, other: &Self) -> Self {
        let mut united = self.clone();
        for resource in other {
            let mut beyond = resource.clone();
            if let Some(held) = self.iter().find(|held| held.cmp_kind(resource).is_eq()) {
                beyond.value.subtract(&held.value);
            }
            united.add(&beyond);
        }
        united
    }

    /// Those that are wanted.
    #[must_use]
    pub fn filtered(&self, wanted: impl Fn(&Resource) -> bool) -> Self {
        if self.iter().all(&wanted) {
            return self.clone();
        }
        let wanted = self.iter().filter(|resource| wanted(resource));
        Self(wanted.cloned().collect::<Vec<_>>().into())
    }

    /// What several hold at the same time counts once: of shared resources that are equal, one.
    #[must_use]
    pub fn distinct(&self) -> Self {
        if !self.iter().any(|resource| resource.shared) {
            return self.clone();
        }
        let mut all = self.0.to_vec();
        all.dedup_by(|next, held| next.shared && next == held);
        Self(all.into())
    }

    /// Each as `part` makes it, or not at all. A part is of the same kind as what it is a part of.
    #[must_use]
    pub(crate) fn cut(&self, part: impl FnMut(&Resource) -> Option<Resource>) -> Self {
        Self(self.iter().filter_map(part).collect::<Vec<_>>().into())
    }

    /// A name of which there are both revocable and other resources: no task may have such
    /// (semantics 129).
    pub fn mixed(&self) -> Option<&Name> {
        let mut named = self.0.chunk_by(|a, b| a.name == b.name);
        let mixed = named.find(|named| named.iter().any(|it| it.revocable != named[0].revocable));
        mixed.map(|named| &named[0].name)
    }

    /// The sum of all scalars of this name, whatever they are reserved for.
    pub fn scalar(&self, name: &Name) -> Scalar {
        let named = self.iter().filter(|resource| resource.name == *name);
        Scalar(named.fold(0, |sum, resource| sum.saturating_add(resource.value.thousandths())))
    }
}

/// Sums up resources in any order, whether or not they came from a sum.
impl From<Vec<Resource>> for Resources {
    fn from(mut all: Vec<Resource>) -> Self {
        all.retain(|resource| !resource.value.is_empty());
        all.sort();
        all.dedup_by(|next, held| {
            let merges = !next.is_counted() && held.cmp_kind(next).is_eq();
            if merges {
                held.value.add(&next.value);
            }
            merges
        });
        Self(all.into())
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        Self::from(resources.into_iter().collect::<Vec<_>>())
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Resource {
    /// Whether it is given out whole or not at all (semantics 133).
    pub fn is_indivisible(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| {
            disk.persistence.is_some()
                || disk.source.as_ref().is_some_and(|source| source.kind.is_indivisible())
        })
    }

    /// Whether equal ones stand side by side in a sum instead of merging (semantics 134).
    fn is_counted(&self) -> bool {
        self.shared || self.is_indivisible()
    }

    /// Compares all but the amount. Resources of one kind merge, unless they are counted.
    fn cmp_kind(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.value.rank(), it.shared, it.revocable);
        self.name
            .cmp(&other.name)
            .then_with(|| self.reservations.cmp(&other.reservations))
            .then_with(|| self.disk.cmp(&other.disk))
            .then_with(|| self.provider.cmp(&other.provider))
            .then_with(|| key(self).cmp(&key(other)))
    }

    /// Compares where in a sum they stand: the amount matters only for counted ones.
    fn cmp_slot(&self, other: &Self) -> Ordering {
        self.cmp_kind(other).then_with(|| {
            if self.is_counted() { self.value.cmp(&other.value) } else { Ordering::Equal }
        })
    }

    fn covers(&self, other: &Self) -> bool {
        self.cmp_slot(other).is_eq() && self.value.contains(&other.value)
    }

    /// Takes `other`, which this covers, out of it; false if nothing is left.
    fn deduct(&mut self, other: &Self) -> bool {
        self.value.subtract(&other.value);
        !self.value.is_empty()
    }
}

/// The order of sums: by kind first, so that it does not depend on amounts.
impl Ord for Resource {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_kind(other).then_with(|| self.value.cmp(&other.value))
    }
}

impl PartialOrd for Resource {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Value {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.0 <= 0,
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(set) => set.is_empty(),
        }
    }

    /// The quantity, if it is one; 0 for ranges and sets.
    pub(crate) fn thousandths(&self) -> i64 {
        match self {
            Self::Scalar(scalar) => scalar.0,
            Self::Ranges(_) | Self::Set(_) => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Scalar(_) => 0,
            Self::Ranges(_) => 1,
            Self::Set(_) => 2,
        }
    }

    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => a.0 = a.0.saturating_add(b.0),
            (Self::Ranges(a), Self::Ranges(b)) => a.add(b),
            (Self::Set(a), Self::Set(b)) => a.extend(b.iter().cloned()),
            _ => {}
        }
    }

    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => a >= b,
            (Self::Ranges(a), Self::Ranges(b)) => a.contains(b),
            (Self::Set(a), Self::Set(b)) => a.is_superset(b),
            _ => false,
        }
    }

    fn subtract(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => a.0 = a.0.saturating_sub(b.0),
            (Self::Ranges(a), Self::Ranges(b)) => a.subtract(b),
            (Self::Set(a), Self::Set(b)) => a.retain(|item| !b.contains(item)),
            _ => {}
        }
    }
}
