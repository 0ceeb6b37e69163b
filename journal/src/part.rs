//! What part this member has in the quorum; told when it changes.

use crate::raft::StoredMembership;

/// What part a member has in the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// There is no quorum yet, as far as it knows.
    Unknown,
    /// It follows, and votes when it has caught up.
    Learner,
    /// It votes.
    Voter,
    /// It was removed, or is about to be: a member that leaves may never hear that it is done.
    Removed,
}

impl Part {
    /// The part of `node`.
    fn of(node: u64, membership: &StoredMembership) -> Self {
        let membership = membership.membership();
        let Some(voters) = membership.get_joint_config().last().filter(|it| !it.is_empty()) else {
            return Self::Unknown;
        };
        if voters.contains(&node) {
            return Self::Voter;
        }
        let leaves = membership.voter_ids().any(|voter| voter == node);
        let follows = !leaves && membership.get_node(&node).is_some();
        if follows { Self::Learner } else { Self::Removed }
    }

    /// The part of `node` after this one. A member that is new reads of quorums before its time, and was
    /// never removed from them.
    pub(crate) fn next(self, node: u64, membership: &StoredMembership) -> Self {
        let now = Self::of(node, membership);
        let is_absent = membership.membership().get_node(&node).is_none();
        if self == Self::Unknown && is_absent { Self::Unknown } else { now }
    }

    /// Says what has become of `node`.
    pub(crate) fn tell(self, node: u64) {
        match self {
            Self::Unknown => {}
            Self::Learner => tracing::info!(node, "this member follows the quorum, without a vote"),
            Self::Voter => tracing::info!(node, "this member votes in the quorum"),
            Self::Removed => tracing::warn!(
                node,
                "this member was removed from the quorum: stop it; its directory is not used again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::member::Member;
    use crate::raft::RaftMembership;

    fn check(node: u64, configs: &[&[u64]], expected: Part) {
        let configs = configs.iter().map(|config| config.iter().copied().collect::<BTreeSet<_>>());
        let nodes: BTreeMap<_, _> = (1..=4).map(|node| (node, Member::default())).collect();
        let membership = RaftMembership::new(configs.collect(), nodes).expect("valid");
        let membership = StoredMembership::new(None, membership);
        assert_eq!(Part::Voter.next(node, &membership), expected, "{node} in {membership}");
    }

    #[test]
    fn a_member_is_what_the_newest_configuration_makes_it() {
        check(1, &[&[1, 2, 3]], Part::Voter);
        check(4, &[&[1, 2, 3]], Part::Learner);
        check(9, &[&[1, 2, 3]], Part::Removed);
        check(3, &[&[1, 2, 3], &[1, 2]], Part::Removed);
        check(4, &[&[1, 2], &[1, 2, 4]], Part::Voter);
        assert_eq!(Part::Voter.next(1, &StoredMembership::default()), Part::Unknown);
        let before = RaftMembership::new(
            vec![BTreeSet::from([1])],
            BTreeMap::from([(1, Member::default())]),
        );
        let before = StoredMembership::new(None, before.expect("valid"));
        assert_eq!(Part::Unknown.next(4, &before), Part::Unknown, "it is yet to come");
        assert_eq!(Part::Learner.next(4, &before), Part::Removed);
    }
}
