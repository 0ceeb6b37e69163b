//! Siblings in the order of their places, kept apart by what their quotas allow them no more of and by
//! whether they are due something, so that those who can take nothing of what is left need not be
//! looked at one by one.

use std::collections::BTreeSet;
use std::collections::btree_set::Iter;

use crate::resources::Name;

/// Weighted share (its bits sort as the positive number does), offers had, index.
pub(super) type Place = (u64, u64, usize);

/// The resources that are told apart, by bit.
const NAMES: [Name; 4] = [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus];

/// Some of cpus, mem, disk and gpus; and whether something is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(u8);

impl Names {
    /// No names, but something is due.
    pub(super) const DUE: Self = Self(1 << NAMES.len());

    /// Those for which this holds.
    pub(super) fn that(holds: impl Fn(&Name) -> bool) -> Self {
        let bits = NAMES.iter().enumerate().filter(|(_, name)| holds(name));
        Self(bits.map(|(bit, _)| 1 << bit).sum())
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Whom to look at: by bit, those who may have no more of the names that are the bit's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lookout(u32);

impl Lookout {
    /// Everybody.
    pub(super) const ALL: Self = Self(u32::MAX);
    /// Those who are due something.
    pub(super) const DUE: Self = Self(u32::MAX << Names::DUE.0);

    /// Those who may have all the names of one of these.
    pub(super) fn any_of(alternatives: impl Iterator<Item = Names>) -> Self {
        let found = alternatives.fold(0, |found, wanted| {
            let able = (0..Names::DUE.0).filter(|spent| spent & wanted.0 == 0);
            able.fold(found, |found: u32, spent| found | 1 << spent)
        });
        Self(found | found << Names::DUE.0) // due or not
    }

    fn sees(self, spent: Names) -> bool {
        self.0 >> spent.0 & 1 == 1
    }
}

/// The children of one node.
#[derive(Default)]
pub(super) struct Line {
    /// Those who may have more of everything.
    able: BTreeSet<Place>,
    spent: Vec<(Names, BTreeSet<Place>)>,
}

impl Line {
    /// All of these, who may have more of everything.
    pub(super) fn new(places: Vec<Place>) -> Self {
        Self { able: places.into_iter().collect(), spent: Vec::new() }
    }

    /// Those of which this holds are due something.
    pub(super) fn part_due(&mut self, is_due: impl Fn(&Place) -> bool) {
        let all = std::mem::take(&mut self.able).into_iter();
        let (due, able): (Vec<_>, Vec<_>) = all.partition(is_due);
        self.able = able.into_iter().collect();
        *self.part(Names::DUE) = due.into_iter().collect();
    }

    pub(super) fn insert(&mut self, spent: Names, place: Place) {
        self.part(spent).insert(place);
    }

    pub(super) fn remove(&mut self, spent: Names, place: &Place) {
        self.part(spent).remove(place);
    }

    fn part(&mut self, spent: Names) -> &mut BTreeSet<Place> {
        if spent == Names::default() {
            return &mut self.able;
        }
        let found = self.spent.iter().position(|part| part.0 == spent);
        let at = found.unwrap_or_else(|| {
            self.spent.push((spent, BTreeSet::new()));
            self.spent.len() - 1
        });
        &mut self.spent[at].1
    }

    /// What none of them may have more of.
    pub(super) fn spent(&self) -> Names {
        if !self.able.is_empty() {
            return Names::default();
        }
        let parts = self.spent.iter().filter(|part| !part.1.is_empty());
        let common = parts.map(|part| part.0).reduce(Names::and).unwrap_or_default();
        common.without(Names::DUE)
    }

    /// Those of them to look at, who comes first first.
    pub(super) fn in_order(&self, lookout: Lookout) -> InOrder<'_> {
        let seen = self.spent.iter().filter(|part| lookout.sees(part.0));
        let able = lookout.sees(Names::default()).then(|| self.able.iter());
        let parts = able.into_iter().chain(seen.map(|part| part.1.iter()));
        let mut parts = parts.map(|part| (None, part));
        let first = parts.next();
        let mut others: Vec<_> = parts.collect();
        let mut first = first.unwrap_or_else(|| (None, EMPTY.iter()));
        if !others.is_empty() {
            std::iter::once(&mut first).chain(&mut others).for_each(|part| part.0 = part.1.next());
        }
        InOrder { first, others }
    }
}

static EMPTY: BTreeSet<Place> = BTreeSet::new();

/// The next of a part, if it is known, and those after it.
type Part<'a> = (Option<&'a Place>, Iter<'a, Place>);

/// See [`Line::in_order`]. The heads of the parts are known if there are several.
pub(super) struct InOrder<'a> {
    first: Part<'a>,
    others: Vec<Part<'a>>,
}

impl Iterator for InOrder<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.others.is_empty() {
            return self.first.1.next().map(|place| place.2);
        }
        let parts = std::iter::once(&mut self.first).chain(&mut self.others);
        let next = parts.filter(|part| part.0.is_some()).min_by_key(|part| part.0)?;
        let place = next.0;
        next.0 = next.1.next();
        place.map(|place| place.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bits: u8) -> Names {
        Names(bits)
    }

    fn check(alternatives: &[u8], want: &[usize]) {
        let mut line = Line::default();
        for (index, spent) in [0, 1, 2, 1, 3, 0, 15].into_iter().enumerate() {
            line.insert(names(spent), (10 - index as u64, 0, index));
        }
        let lookout = Lookout::any_of(alternatives.iter().map(|bits| names(*bits)));
        assert_eq!(line.in_order(lookout).collect::<Vec<_>>(), want, "{alternatives:?}");
    }

    #[test]
    fn those_are_seen_who_may_have_what_is_wanted() {
        check(&[0], &[6, 5, 4, 3, 2, 1, 0]);
        check(&[1], &[5, 2, 0]);
        check(&[2], &[5, 3, 1, 0]);
        check(&[1, 2], &[5, 3, 2, 1, 0]);
        check(&[3], &[5, 0]);
        check(&[4], &[5, 4, 3, 2, 1, 0]);
        check(&[], &[]);
    }

    #[test]
    fn those_that_are_due_something_stand_apart() {
        let mut line = Line::new((0..4).map(|index| (index as u64, 0, index)).collect());
        line.part_due(|place| place.2 % 2 == 1);
        line.remove(Names::DUE, &(3, 0, 3));
        line.insert(Names::DUE.or(names(1)), (3, 0, 3));
        let check = |lookout: Lookout, want: &[usize]| {
            assert_eq!(line.in_order(lookout).collect::<Vec<_>>(), want, "{lookout:?}");
        };
        check(Lookout::DUE, &[1, 3]);
        check(Lookout::ALL, &[0, 1, 2, 3]);
        check(Lookout::any_of([names(1)].into_iter()), &[0, 1, 2]);
        assert_eq!(line.spent(), names(0));
        line.remove(names(0), &(0, 0, 0));
        line.remove(names(0), &(2, 0, 2));
        line.remove(Names::DUE, &(1, 0, 1));
        assert_eq!(line.spent(), names(1));
    }

    #[test]
    fn what_all_have_spent_the_line_has() {
        let mut line = Line::default();
        assert_eq!(line.spent(), names(0));
        line.insert(names(3), (1, 0, 1));
        assert_eq!(line.spent(), names(3));
        line.insert(names(6), (2, 0, 2));
        assert_eq!(line.spent(), names(2));
        line.insert(names(0), (3, 0, 3));
        assert_eq!(line.spent(), names(0));
        line.remove(names(0), &(3, 0, 3));
        line.remove(names(3), &(1, 0, 1));
        assert_eq!(line.spent(), names(6));
    }
}
