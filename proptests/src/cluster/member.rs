//! A member of the simulated quorum: the rules of Raft about logs, terms and commits, and nothing
//! else. Messages are carried, and votes are held, by the simulation.
//!
//! It stands in for the `journal` crate, whose own tests run openraft itself under a seed: here
//! only what Raft lets happen matters (a suffix lost or kept, a leader that does not know yet that
//! it is none), and it should happen often.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bug::Bug;

/// Number of a master.
pub type Node = u8;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Term of the leader that proposed it.
    pub term: u64,
    /// A batch; empty for a leader's own first entry.
    pub payload: Arc<[u8]>,
}

/// What members say to one another.
#[derive(Clone, Debug)]
pub enum Message {
    /// From the leader: entries that follow a known one.
    Append {
        /// The leader's term.
        term: u64,
        /// How many entries come before these.
        before: usize,
        /// Term of the last of those.
        before_term: u64,
        /// What follows.
        entries: Vec<Entry>,
        /// How many entries are committed.
        committed: usize,
    },
    /// To the leader: this many entries are the same and durable here.
    Appended {
        /// The follower's term.
        term: u64,
        /// How many.
        upto: usize,
        /// Whether they are the leader's: false asks for earlier ones.
        matched: bool,
    },
}

/// What a follower has to do after an `Append`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Say no; the leader should try after this many entries.
    Refused(usize),
    /// Say yes once this many entries are durable.
    Taken(usize),
}

/// What a member is at present.
#[derive(Clone, Debug)]
pub enum Role {
    /// It follows; the last leader it heard, and when.
    Follower {
        /// Who leads, if that is known.
        leader: Option<Node>,
        /// When it last heard of a leader, or started.
        heard_at: u64,
    },
    /// It leads, and knows this of its peers.
    Leader(BTreeMap<Node, Progress>),
}

/// What a leader knows of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Entries known to be durable there.
    pub matched: usize,
    /// Entries to send after.
    pub next: usize,
    /// When it last answered.
    pub heard_at: u64,
}

/// One member.
#[derive(Debug)]
pub struct Member {
    /// Its number.
    pub id: Node,
    /// The newest term it knows; durable.
    pub term: u64,
    /// Its log; entries beyond `synced` may be lost in a crash.
    pub log: Vec<Entry>,
    /// How many entries are durable.
    pub synced: usize,
    /// How many it knows to be committed; forgotten in a crash.
    pub committed: usize,
    /// Grows when entries are taken back, so that news of their sync is not believed.
    pub generation: u64,
    /// What it is.
    pub role: Role,
    quorum: usize,
    bug: Option<Bug>,
}

impl Member {
    /// A member with an empty log, one of `members`.
    pub fn new(id: Node, members: u8, bug: Option<Bug>) -> Self {
        Self {
            id,
            term: 0,
            log: Vec::new(),
            synced: 0,
            committed: 0,
            generation: 0,
            role: Role::Follower { leader: None, heard_at: 0 },
            quorum: usize::from(members / 2 + 1),
            bug,
        }
    }

    /// Members that make a majority.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// Term of the entry before position `length`; 0 before the first.
    pub fn term_at(&self, length: usize) -> u64 {
        length.checked_sub(1).and_then(|last| self.log.get(last)).map_or(0, |entry| entry.term)
    }

    /// Whether it may vote for a candidate of `term` whose log ends like this (Raft 5.4.1).
    pub fn grants(&self, term: u64, last: (u64, usize)) -> bool {
        let mine = (self.term_at(self.log.len()), self.log.len());
        let complete = last >= mine || self.bug == Some(Bug::VoteForShorterLog);
        self.term < term && complete
    }

    /// Hears of a newer term: whatever it was, it follows now.
    pub fn follow(&mut self, term: u64, leader: Option<Node>, now: u64) {
        self.term = self.term.max(term);
        self.role = Role::Follower { leader, heard_at: now };
    }

    /// Has won an election.
    pub fn lead(&mut self, term: u64, peers: impl Iterator<Item = Node>, now: u64) {
        self.term = term;
        let progress = Progress { matched: 0, next: self.log.len(), heard_at: now };
        self.role = Role::Leader(peers.map(|peer| (peer, progress)).collect());
    }

    /// Appends an entry of its own, as the leader; how long the log is then.
    pub fn propose(&mut self, payload: Arc<[u8]>) -> usize {
        self.log.push(Entry { term: self.term, payload });
        self.log.len()
    }

    /// What to send to a peer now, as the leader.
    pub fn append_for(&mut self, peer: Node) -> Option<Message> {
        let length = self.log.len();
        let Role::Leader(peers) = &mut self.role else { return None };
        let progress = peers.get_mut(&peer)?;
        let before = progress.next.min(length);
        progress.next = length;
        Some(Message::Append {
            term: self.term,
            before,
            before_term: self.term_at(before),
            entries: self.log[before..].to_vec(),
            committed: self.committed,
        })
    }

    /// A follower takes what its leader sent (Raft 5.3).
    pub fn take(
        &mut self,
        before: (usize, u64),
        entries: Vec<Entry>,
        committed: usize,
    ) -> Appended {
        let (before, before_term) = before;
        if before > self.log.len() || self.term_at(before) != before_term {
            return Appended::Refused(before.saturating_sub(1).min(self.committed));
        }
        let upto = before + entries.len();
        for (at, entry) in (before..).zip(entries) {
            match self.log.get(at) {
                Some(held) if held.term == entry.term => {}
                Some(_) => {
                    self.log.truncate(at);
                    self.synced = self.synced.min(at);
                    self.generation += 1;
                    self.log.push(entry);
                }
                None => self.log.push(entry),
            }
        }
        self.committed = self.committed.max(committed.min(upto));
        Appended::Taken(upto)
    }

    /// The leader hears from a follower.
    pub fn answered(&mut self, peer: Node, upto: usize, matched: bool, now: u64) {
        let Role::Leader(peers) = &mut self.role else { return };
        let Some(progress) = peers.get_mut(&peer) else { return };
        progress.heard_at = now;
        if matched {
            progress.matched = progress.matched.max(upto);
            progress.next = progress.next.max(upto);
        } else {
            progress.next = upto.max(progress.matched);
        }
        self.advance_commit();
    }

    /// Entries up to here are durable.
    pub fn sync(&mut self, upto: usize) {
        self.synced = self.synced.max(upto.min(self.log.len()));
        self.advance_commit();
    }

    /// Commits what a majority has, once an entry of the own term is among it (Raft 5.4.2).
    fn advance_commit(&mut self) {
        let Role::Leader(peers) = &self.role else { return };
        let mut durable: Vec<_> = peers.values().map(|progress| progress.matched).collect();
        durable.push(self.synced);
        durable.sort_unstable_by(|a, b| b.cmp(a));
        let needed = if self.bug == Some(Bug::CommitWithoutMajority) { 1 } else { self.quorum };
        let common = durable.get(needed - 1).copied().unwrap_or_default();
        if self.term_at(common) == self.term {
            self.committed = self.committed.max(common);
        }
    }

    /// When it last heard from a majority, itself included, as the leader.
    pub fn majority_heard_at(&self, now: u64) -> Option<u64> {
        let Role::Leader(peers) = &self.role else { return None };
        let mut heard: Vec<_> = peers.values().map(|progress| progress.heard_at).collect();
        heard.push(now);
        heard.sort_unstable_by(|a, b| b.cmp(a));
        heard.get(self.quorum - 1).copied()
    }

    /// Crashes: of what was not durable, `kept` entries happen to survive.
    pub fn crash(&mut self, kept: usize, now: u64) {
        self.log.truncate(self.synced + kept);
        self.synced = self.log.len();
        self.generation += 1;
        self.committed = 0;
        self.role = Role::Follower { leader: None, heard_at: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u64) -> Entry {
        Entry { term, payload: Arc::from([1]) }
    }

    fn member(terms: &[u64]) -> Member {
        let mut member = Member::new(1, 3, None);
        member.log = terms.iter().map(|term| entry(*term)).collect();
        member
    }

    fn check_take(held: &[u64], before: (usize, u64), sent: &[u64], want: Appended, log: &[u64]) {
        let mut member = member(held);
        let entries = sent.iter().map(|term| entry(*term)).collect();
        assert_eq!(member.take(before, entries, 0), want);
        let terms: Vec<_> = member.log.iter().map(|entry| entry.term).collect();
        assert_eq!(terms, log);
    }

    #[test]
    fn followers_take_what_fits_and_drop_what_conflicts() {
        check_take(&[], (0, 0), &[1, 1], Appended::Taken(2), &[1, 1]);
        check_take(&[1, 1], (1, 1), &[1], Appended::Taken(2), &[1, 1]);
        check_take(&[1, 1, 1], (1, 1), &[1], Appended::Taken(2), &[1, 1, 1]);
        check_take(&[1, 1, 1], (1, 1), &[2], Appended::Taken(2), &[1, 2]);
        check_take(&[1], (2, 1), &[1], Appended::Refused(0), &[1]);
        check_take(&[1, 1], (2, 2), &[2], Appended::Refused(0), &[1, 1]);
    }

    #[test]
    fn votes_go_to_complete_logs_only() {
        let member = member(&[1, 2]);
        assert!(member.grants(3, (2, 2)));
        assert!(!member.grants(3, (2, 1)));
        assert!(!member.grants(3, (1, 9)));
        assert!(!member.grants(0, (2, 2)), "an old term");
    }

    #[test]
    fn entries_of_old_terms_are_committed_with_one_of_the_own() {
        let mut leader = member(&[1]);
        leader.lead(2, [0, 2].into_iter(), 0);
        leader.sync(1);
        leader.answered(0, 1, true, 5);
        assert_eq!(leader.committed, 0, "Raft 5.4.2");
        let upto = leader.propose(Arc::from([2]));
        leader.sync(upto);
        leader.answered(0, upto, true, 6);
        assert_eq!(leader.committed, 2);
        assert_eq!(leader.majority_heard_at(9), Some(6));
    }

    #[test]
    fn a_crash_keeps_what_is_durable() {
        let mut member = member(&[1, 1, 1]);
        member.sync(1);
        member.crash(1, 0);
        assert_eq!(member.log.len(), 2);
    }
}
