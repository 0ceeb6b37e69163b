//! Sums, differences and containment of resources.

use super::{DiskKind, Name, Ranges, Resource, Resources, Scalar, Value};

impl Resource {
    /// Whether both are the same thing, so that their amounts may be added (semantics 134).
    fn merges_with(&self, other: &Self) -> bool {
        self.is_same_kind(other) && !self.is_indivisible() && !self.shared
    }

    fn is_same_kind(&self, other: &Self) -> bool {
        self.name == other.name
            && std::mem::discriminant(&self.value) == std::mem::discriminant(&other.value)
            && self.reservations == other.reservations
            && self.disk == other.disk
            && self.provider == other.provider
            && self.shared == other.shared
            && self.revocable == other.revocable
    }

    /// Whether it is given out whole or not at all (semantics 133).
    pub fn is_indivisible(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| {
            disk.persistence.is_some()
                || disk
                    .source
                    .as_ref()
                    .is_some_and(|source| matches!(source.kind, DiskKind::Mount | DiskKind::Block))
        })
    }
}

impl Value {
    fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.0 <= 0,
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(set) => set.is_empty(),
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
            (Self::Scalar(a), Self::Scalar(b)) => a.0 -= b.0,
            (Self::Ranges(a), Self::Ranges(b)) => a.subtract(b),
            (Self::Set(a), Self::Set(b)) => a.retain(|item| !b.contains(item)),
            _ => {}
        }
    }
}

impl Resources {
    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        if let Some(held) = self.0.iter_mut().find(|held| held.merges_with(resource)) {
            held.value.add(&resource.value);
        } else {
            let at = self.0.partition_point(|held| held <= resource);
            self.0.insert(at, resource.clone());
        }
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for resource in &other.0 {
            self.add(resource);
        }
    }

    /// Takes `resource` out; false, and nothing changed, if it is not all there.
    pub fn take(&mut self, resource: &Resource) -> bool {
        if resource.value.is_empty() {
            return true;
        }
        let found = self.0.iter().position(|held| {
            held.is_same_kind(resource)
                && if held.is_indivisible() || held.shared {
                    held.value == resource.value
                } else {
                    held.value.contains(&resource.value)
                }
        });
        let Some(at) = found else { return false };
        self.0[at].value.subtract(&resource.value);
        if self.0[at].value.is_empty() {
            self.0.remove(at);
        }
        true
    }

    /// Takes all of `other` out; false, and nothing changed, if it is not all there.
    pub fn take_all(&mut self, other: &Self) -> bool {
        let mut rest = self.clone();
        let whole = other.0.iter().all(|resource| rest.take(resource));
        if whole {
            *self = rest;
        }
        whole
    }

    /// Whether all of `other` could be taken out.
    pub fn contains(&self, other: &Self) -> bool {
        self.clone().take_all(other)
    }

    /// This less `other`, as far as it goes.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        for resource in &other.0 {
            rest.take(resource);
        }
        rest
    }

    /// The sum of all scalars of this name, whatever they are reserved for.
    pub fn scalar(&self, name: &Name) -> Scalar {
        Scalar(
            self.0
                .iter()
                .filter(|resource| resource.name == *name)
                .map(|resource| match resource.value {
                    Value::Scalar(scalar) => scalar.0,
                    Value::Ranges(_) | Value::Set(_) => 0,
                })
                .sum(),
        )
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut sum = Self::default();
        for resource in resources {
            sum.add(&resource);
        }
        sum
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Ranges {
    /// The union of inclusive ranges in any order.
    pub fn new(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(begin, end)| begin <= end).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(sorted.len());
        for (begin, end) in sorted {
            match merged.last_mut() {
                Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
                _ => merged.push((begin, end)),
            }
        }
        Self(merged)
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, other: &Self) {
        *self = Self::new(self.iter().chain(other.iter()));
    }

    fn contains(&self, other: &Self) -> bool {
        other.iter().all(|(begin, end)| {
            self.iter().any(|(held_begin, held_end)| held_begin <= begin && end <= held_end)
        })
    }

    fn subtract(&mut self, other: &Self) {
        for (begin, end) in other.iter() {
            let mut rest = Vec::with_capacity(self.0.len() + 1);
            for (held_begin, held_end) in self.iter() {
                if end < held_begin || held_end < begin {
                    rest.push((held_begin, held_end));
                    continue;
                }
                if held_begin < begin {
                    rest.push((held_begin, begin - 1));
                }
                if end < held_end {
                    rest.push((end + 1, held_end));
                }
            }
            self.0 = rest;
        }
    }
}
