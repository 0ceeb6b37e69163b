//! When a leader was last heard, and who it was: for a follower that would go on to believe in one that
//! is gone, and for a journal that does not run and hears only from those who still talk to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openraft::raft::AppendEntriesRequest;

use crate::identity::Identity;
use crate::network::{Ask, opened};
use crate::raft::{TypeConfig, Vote};
use crate::status::MemberStatus;

/// How long a leader's last word counts: a leader tries a member that is away twice a second.
const COUNTS_FOR: Duration = Duration::from_secs(2);

/// The leader's last word. A member whose disk is full takes part in nothing, and the leader talks to it
/// all the same; one that hears nobody follows nobody. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    members: Vec<MemberStatus>,
    /// Term and number of the leader, and when it was heard.
    leader: Option<(u64, u64, Instant)>,
}

impl Heard {
    /// Number and address of the leader, if one was heard lately.
    pub fn leader(&self) -> Option<(u64, String)> {
        let known = self.lock();
        let (_, node, at) = known.leader?;
        let member = known.members.iter().find(|member| member.node == node);
        let member = member.filter(|_| at.elapsed() < COUNTS_FOR)?;
        Some((node, member.address.clone()))
    }

    /// Whether any leader was heard lately.
    pub(crate) fn any_lately(&self) -> bool {
        self.lock().leader.is_some_and(|(_, _, at)| at.elapsed() < COUNTS_FOR)
    }

    /// Everyone, as of the last run.
    pub(crate) fn members(&self) -> Vec<MemberStatus> {
        self.lock().members.clone()
    }

    /// A run is over, in which these were the members.
    pub(crate) fn remember(&self, members: Vec<MemberStatus>) {
        self.lock().members = members;
    }

    /// Takes note of a question that cannot be answered.
    pub(crate) fn ask(&self, identity: &Identity, request: &[u8]) {
        if let Ok(Ask::Append(append)) = opened(identity, request) {
            self.note(&append.vote);
        }
    }

    /// Takes note of an append that cannot be taken.
    pub(crate) fn append(&self, identity: &Identity, request: &[u8]) {
        if let Ok(append) = opened::<AppendEntriesRequest<TypeConfig>>(identity, request) {
            self.note(&append.vote);
        }
    }

    /// Takes note of who sent an append.
    pub(crate) fn note(&self, vote: &Vote) {
        let (term, node) = (vote.leader_id.term, vote.leader_id.voted_for);
        let mut known = self.lock();
        // what an earlier leader sends late says nothing
        if vote.committed && known.leader.is_none_or(|(newest, _, _)| newest <= term) {
            known.leader = Some((term, node, Instant::now()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_of_the_newest_term_counts_once_it_is_elected() {
        let heard = Heard::default();
        let member = |node: u64| MemberStatus {
            node,
            address: format!("m:{node}"),
            incarnation: String::new(),
            voter: true,
            matched: None,
        };
        heard.remember((1..=3).map(member).collect());
        let check = |vote: Vote, expected: Option<u64>| {
            heard.note(&vote);
            let expected = expected.map(|node| (node, format!("m:{node}")));
            assert_eq!(heard.leader(), expected, "{vote}");
        };
        check(Vote::new(4, 1), None);
        check(Vote::new_committed(3, 2), Some(2));
        check(Vote::new_committed(5, 3), Some(3));
        check(Vote::new_committed(3, 2), Some(3));
        check(Vote::new_committed(6, 9), None);
    }
}
