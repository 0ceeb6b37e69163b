//! Sets of whole numbers kept as ranges. All operations take time linear in the number of ranges.

use serde::{Deserialize, Serialize};

/// Inclusive ranges: ascending, disjoint, not adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>")]
pub struct Ranges(Vec<(u64, u64)>);

impl From<Vec<(u64, u64)>> for Ranges {
    fn from(mut ranges: Vec<(u64, u64)>) -> Self {
        ranges.retain(|(begin, end)| begin <= end);
        ranges.sort_unstable();
        ranges.dedup_by(|next, held| {
            let touches = next.0 <= held.1.saturating_add(1);
            if touches {
                held.1 = held.1.max(next.1);
            }
            touches
        });
        Self(ranges)
    }
}

impl Ranges {
    /// The union of inclusive ranges in any order; those that begin after their end are none.
    pub fn new(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self::from(ranges.into_iter().collect::<Vec<_>>())
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Unites with `other`.
    pub(super) fn add(&mut self, other: &Self) {
        *self = Self::new(self.iter().chain(other.iter()));
    }

    /// Whether every number of `other` is in here.
    pub(super) fn contains(&self, other: &Self) -> bool {
        other.iter().all(|(begin, end)| {
            let at = self.0.partition_point(|held| held.1 < begin);
            self.0.get(at).is_some_and(|held| held.0 <= begin && end <= held.1)
        })
    }

    /// Takes every number of `other` out.
    pub(super) fn subtract(&mut self, other: &Self) {
        let mut rest = Vec::with_capacity(self.0.len() + other.0.len());
        let mut first = 0;
        for &(begin, end) in &self.0 {
            first += other.0[first..].partition_point(|out| out.1 < begin);
            let outs = other.0[first..].iter().take_while(|out| out.0 <= end);
            cut((begin, end), outs, &mut rest);
        }
        self.0 = rest;
    }
}

/// Pushes what is left of one range without `outs`, which overlap it, in order.
fn cut<'a>(
    (begin, end): (u64, u64),
    outs: impl Iterator<Item = &'a (u64, u64)>,
    rest: &mut Vec<(u64, u64)>,
) {
    let mut from = begin;
    for out in outs {
        if from < out.0 {
            rest.push((from, out.0 - 1));
        }
        match out.1.checked_add(1) {
            Some(next) if next <= end => from = next,
            _ => return,
        }
    }
    rest.push((from, end));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.iter().flat_map(|(begin, end)| begin..=end).collect()
    }

    fn any_ranges() -> impl Strategy<Value = Ranges> {
        let range = (0u64..40, 0u64..6).prop_map(|(begin, length)| (begin, begin + length));
        prop::collection::vec(range, 0..6).prop_map(Ranges::new)
    }

    fn normal(ranges: &Ranges) -> bool {
        ranges.0.iter().all(|(begin, end)| begin <= end)
            && ranges.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0)
    }

    proptest! {
        #[test]
        fn ranges_are_sets_of_numbers(a in any_ranges(), b in any_ranges()) {
            let (mut sum, mut difference) = (a.clone(), a.clone());
            sum.add(&b);
            difference.subtract(&b);
            prop_assert!(normal(&sum) && normal(&difference));
            let (left, right) = (numbers(&a), numbers(&b));
            prop_assert_eq!(numbers(&sum), left.union(&right).copied().collect());
            prop_assert_eq!(numbers(&difference), left.difference(&right).copied().collect());
            prop_assert_eq!(a.contains(&b), left.is_superset(&right));
        }
    }

    fn check(ranges: &[(u64, u64)], want: &[(u64, u64)]) {
        assert_eq!(Ranges::new(ranges.iter().copied()).0, want);
    }

    /// semantics 119
    #[test]
    fn adjacent_and_overlapping_ranges_are_one() {
        check(&[], &[]);
        check(&[(5, 4)], &[]);
        check(&[(3, 4), (1, 2)], &[(1, 4)]);
        check(&[(1, 9), (2, 3)], &[(1, 9)]);
        check(&[(1, 2), (4, 5)], &[(1, 2), (4, 5)]);
        check(&[(0, u64::MAX), (u64::MAX, u64::MAX)], &[(0, u64::MAX)]);
    }

    #[test]
    fn the_last_number_of_all_can_be_taken_out() {
        let mut all = Ranges::new([(0, u64::MAX)]);
        all.subtract(&Ranges::new([(0, 0), (u64::MAX, u64::MAX)]));
        assert_eq!(all.0, [(1, u64::MAX - 1)]);
    }
}
