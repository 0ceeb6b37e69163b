//! Some frameworks, in so little room that it lies beside what it is about: whoever is among them is
//! found, and seldom somebody who is not. It spares most looks at the list of who they are.

use crate::id::FrameworkId;

/// Frameworks by their ids' last bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd(u128);

impl Crowd {
    /// All that there are.
    pub(super) const ALL: Self = Self(u128::MAX);

    pub(super) fn add(&mut self, framework: FrameworkId) {
        self.0 |= Self::bit(framework);
    }

    /// Surely no for who was not added and shares its last bits with nobody who was.
    pub(super) fn may_have(self, framework: FrameworkId) -> bool {
        self.0 & Self::bit(framework) != 0
    }

    fn bit(framework: FrameworkId) -> u128 {
        1 << (framework.0 % u128::BITS)
    }
}

impl FromIterator<FrameworkId> for Crowd {
    fn from_iter<I: IntoIterator<Item = FrameworkId>>(frameworks: I) -> Self {
        let mut crowd = Self::default();
        frameworks.into_iter().for_each(|framework| crowd.add(framework));
        crowd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(added: &[u32], asked: u32, expected: bool) {
        let crowd: Crowd = added.iter().copied().map(FrameworkId).collect();
        assert_eq!(crowd.may_have(FrameworkId(asked)), expected, "{asked} among {added:?}");
    }

    #[test]
    fn who_is_there_is_found() {
        check(&[], 0, false);
        check(&[0, 127, 129], 0, true);
        check(&[0, 127, 129], 127, true);
        check(&[0, 127, 129], 129, true);
        check(&[0, 127, 129], 1, true);
        check(&[0, 127, 129], 2, false);
        assert!(Crowd::ALL.may_have(FrameworkId(7)));
    }
}
