//! The masters together: messages between them, elections, and who leads.

use super::{Appended, Master, Message, Node, Role};
use crate::bug::Bug;
use crate::happening::{Happening, Place};
use crate::nature::Nature;

/// Between two looks of a master at its timers; also how often a leader lets its peers hear.
const BEAT_MS: u64 = 50;
/// A follower that hears of no leader for this long, and up to twice as long, stands for election.
const ELECTION_MS: u64 = 150;

/// A leader whose majority has answered at once for this long has no excuse.
const SETTLED_MS: u64 = 3_000;

/// All masters.
#[derive(Debug)]
pub struct Quorum {
    /// By number.
    pub masters: Vec<Master>,
}

impl Quorum {
    /// Masters that were never started.
    pub fn new(count: u8, bug: Option<Bug>) -> Self {
        Self { masters: (0..count).map(|id| Master::new(id, count, bug)).collect() }
    }

    /// The master that leads the newest term.
    pub fn leader(&self) -> Option<&Master> {
        self.masters.iter().filter(|it| it.leads()).max_by_key(|it| it.member.term)
    }

    /// Whether a leader decides, and has for some time, with a majority that answers at once.
    pub fn is_settled(&self, nature: &Nature) -> bool {
        self.leader().is_some_and(|leader| {
            leader.paused_until + SETTLED_MS < nature.now
                && leader.settled_since + SETTLED_MS < nature.now
                && leader.leader.is_some()
        })
    }

    /// A master looks at its timers.
    pub fn beat(&mut self, id: Node, nature: &mut Nature) {
        let master = &mut self.masters[usize::from(id)];
        let life = master.life;
        nature.after(BEAT_MS, Happening::Beat(Place::Master(id), life));
        match master.member.role {
            Role::Leader(_) => {
                let heard_at = master.member.majority_heard_at(nature.now).unwrap_or_default();
                if nature.now > heard_at + 6 * BEAT_MS || master.leader.is_none() {
                    master.settled_since = nature.now;
                }
                // a real leader is slow to find out too: long enough to decide much in vain
                if nature.now > heard_at + 20 * BEAT_MS {
                    let term = master.member.term;
                    return master.step_down(term, None, nature);
                }
                if master.leader.is_some() {
                    master.turn(nature);
                }
                self.replicate(id, nature);
            }
            Role::Follower { heard_at, .. } => {
                let patience_ms = nature.dice.between(ELECTION_MS, 2 * ELECTION_MS);
                if nature.now > heard_at + patience_ms {
                    self.campaign(id, nature);
                }
            }
        }
    }

    /// A leader decides, and sends the outcome on.
    pub fn turn(&mut self, id: Node, nature: &mut Nature) {
        if self.masters[usize::from(id)].turn(nature) {
            self.replicate(id, nature);
        }
    }

    /// Entries have become durable at a master.
    pub fn synced(
        &mut self,
        id: Node,
        (generation, upto): (u64, usize),
        answer: Option<(Node, u64)>,
        nature: &mut Nature,
    ) {
        let master = &mut self.masters[usize::from(id)];
        if generation != master.member.generation {
            return;
        }
        master.member.sync(upto);
        master.advance(nature);
        let answer = answer.filter(|(_, term)| *term == master.member.term);
        if let Some((leader, term)) = answer {
            send(id, leader, Message::Appended { term, upto, matched: true }, nature);
        }
    }

    /// A message between masters has arrived.
    pub fn raft(&mut self, from: Node, to: Node, message: Message, nature: &mut Nature) {
        let master = &mut self.masters[usize::from(to)];
        match message {
            Message::Append { term, before, before_term, entries, committed } => {
                if term < master.member.term {
                    let term = master.member.term;
                    let message = Message::Appended { term, upto: 0, matched: false };
                    return send(to, from, message, nature);
                }
                master.step_down(term, Some(from), nature);
                match master.member.take((before, before_term), entries, committed) {
                    Appended::Refused(upto) => {
                        send(to, from, Message::Appended { term, upto, matched: false }, nature);
                    }
                    Appended::Taken(upto) if nature.has(Bug::AnswerBeforeSync) => {
                        send(to, from, Message::Appended { term, upto, matched: true }, nature);
                        master.plan_sync(upto, None, nature);
                    }
                    Appended::Taken(upto) => master.plan_sync(upto, Some((from, term)), nature),
                }
                master.advance(nature);
            }
            Message::Appended { term, .. } if term > master.member.term => {
                master.step_down(term, None, nature);
            }
            Message::Appended { term, upto, matched } if term == master.member.term => {
                master.member.answered(from, upto, matched, nature.now);
                master.advance(nature);
            }
            Message::Appended { .. } => {}
        }
    }

    fn replicate(&mut self, id: Node, nature: &mut Nature) {
        for peer in 0..self.masters.len() as Node {
            if let Some(message) = self.masters[usize::from(id)].append_for(peer) {
                send(id, peer, message, nature);
            }
        }
    }

    /// An election, held in an instant: who can be asked answers by the rules, after a round of
    /// pre-votes that leaves terms alone (Raft 9.6).
    fn campaign(&mut self, id: Node, nature: &mut Nature) {
        let candidate = &self.masters[usize::from(id)].member;
        let term = self.masters.iter().map(|it| it.member.term).max().unwrap_or_default() + 1;
        let last = (candidate.term_at(candidate.log.len()), candidate.log.len());
        let quorum = candidate.quorum();
        let mut voters = vec![id];
        for peer in self.masters.iter().filter(|peer| peer.id != id) {
            let (there, back) = (Place::Master(id), Place::Master(peer.id));
            let reached = peer.up
                && peer.paused_until <= nature.now
                && !nature.network.blocks(there, back)
                && !nature.network.blocks(back, there);
            let content = match peer.member.role {
                Role::Leader(_) => true,
                Role::Follower { leader, heard_at } => {
                    leader.is_some() && nature.now < heard_at + ELECTION_MS
                }
            };
            if reached && !content && peer.member.grants(term, last) {
                voters.push(peer.id);
            }
        }
        if voters.len() < quorum {
            return;
        }
        nature.note(format_args!("master {id} is elected for term {term} by {voters:?}"));
        for voter in &voters {
            self.masters[usize::from(*voter)].member.follow(term, Some(id), nature.now);
        }
        let peers = (0..self.masters.len() as Node).filter(|peer| *peer != id);
        let master = &mut self.masters[usize::from(id)];
        master.member.lead(term, peers, nature.now);
        let upto = master.member.propose(std::sync::Arc::from([]));
        master.plan_sync(upto, None, nature);
        self.replicate(id, nature);
    }
}

fn send(from: Node, to: Node, message: Message, nature: &mut Nature) {
    let blocked = nature.network.blocks(Place::Master(from), Place::Master(to));
    let lost = !nature.calm && nature.dice.chance(5);
    if !blocked && !lost {
        let delay_ms = nature.delay_ms();
        nature.after(delay_ms, Happening::Raft { from, to, message });
    }
}
