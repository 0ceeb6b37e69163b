//! A simulated master: a member of the quorum, its replica and, while it leads, the leader.

use statemachine::{State, cluster};

use super::{Leader, Member, Message, Node, Output, Replica, Role};
use crate::bug::Bug;
use crate::happening::{End, Happening, Life, OPERATOR, Place, Request, ToClient};
use crate::nature::Nature;

/// The cluster's id.
pub const CLUSTER: &str = "c";
/// Where all clocks start; far from 0, as a real one.
pub const EPOCH_MS: u64 = 1_000_000;

/// One master.
#[derive(Debug)]
pub struct Master {
    /// Its number.
    pub id: Node,
    /// How often it was started.
    pub life: Life,
    /// Whether its process is there.
    pub up: bool,
    /// It does nothing until then.
    pub paused_until: u64,
    /// How far its clock is ahead.
    pub ahead_ms: u64,
    /// Its log.
    pub member: Member,
    /// What is folded from it.
    pub replica: Replica,
    /// Since when nothing has disturbed it as leader.
    pub settled_since: u64,
    /// Set while it decides.
    pub leader: Option<Leader>,
    turn_planned: bool,
    kept: Option<State>,
}

impl Master {
    /// A master that was never started.
    pub fn new(id: Node, masters: u8, bug: Option<Bug>) -> Self {
        Self {
            id,
            life: 0,
            up: false,
            paused_until: 0,
            ahead_ms: 0,
            member: Member::new(id, masters, bug),
            replica: Replica::default(),
            settled_since: 0,
            leader: None,
            turn_planned: false,
            kept: None,
        }
    }

    /// Whether it leads its term, deciding or about to.
    pub fn leads(&self) -> bool {
        self.up && matches!(self.member.role, Role::Leader(_))
    }

    /// Its process starts.
    pub fn start(&mut self, nature: &mut Nature) {
        self.life += 1;
        self.up = true;
        self.turn_planned = false;
        self.replica.restart(&mut nature.oracle);
        self.member.role = Role::Follower { leader: None, heard_at: nature.now };
        nature.set_life(self.id, self.life, true);
        nature.note(format_args!("master {} starts, {} folded", self.id, self.replica.applied));
        let delay_ms = nature.dice.between(1, 50);
        nature.after(delay_ms, Happening::Beat(Place::Master(self.id), self.life));
    }

    /// Its process dies; entries that were not durable may be gone.
    pub fn crash(&mut self, nature: &mut Nature) {
        let loose = self.member.log.len() - self.member.synced;
        let kept = nature.dice.below(loose as u64 + 1) as usize;
        nature.note(format_args!("master {} dies, {kept} of {loose} loose entries stay", self.id));
        self.up = false;
        self.leader = None;
        self.kept = None;
        self.member.crash(kept, nature.now);
        nature.set_life(self.id, self.life, false);
        let place = Place::Master(self.id);
        nature.break_streams(|_, _, master| master == place);
    }

    /// It no longer leads: nothing that was not committed was promised, and all streams end.
    pub fn step_down(&mut self, term: u64, leader: Option<Node>, nature: &mut Nature) {
        if matches!(self.member.role, Role::Leader(_)) {
            nature
                .note(format_args!("master {} no longer leads term {}", self.id, self.member.term));
        }
        self.member.follow(term, leader, nature.now);
        if let Some(leader) = self.leader.take() {
            self.kept = Some(leader.working().clone());
            let place = Place::Master(self.id);
            nature.break_streams(|_, _, master| master == place);
        }
    }

    /// A client's request arrives.
    pub fn ask(&mut self, request: Request, nature: &mut Nature) {
        let over_stream = request.call.is_none() && request.session != OPERATOR;
        if over_stream && !nature.network.listens(request.session, End::Master) {
            return;
        }
        match &mut self.leader {
            Some(leader) => {
                leader.receive(request);
                self.plan_turn(nature);
            }
            None if over_stream => {
                let hint = match self.member.role {
                    Role::Follower { leader, .. } => leader,
                    Role::Leader(_) => None,
                };
                nature.tell(request.session, ToClient::NotLeader(hint));
                nature.break_stream(request.session);
            }
            None => {}
        }
    }

    /// The master's end of a stream notices that it is over.
    pub fn ended(&mut self, session: statemachine::Session, nature: &mut Nature) {
        if let Some(leader) = &mut self.leader {
            leader.ended(session);
            self.plan_turn(nature);
        }
    }

    fn plan_turn(&mut self, nature: &mut Nature) {
        if !std::mem::replace(&mut self.turn_planned, true) {
            nature.after(1, Happening::Turn(self.id, self.life));
        }
    }

    /// The leader decides; what it decided is proposed. Returns whether there is news for peers.
    pub fn turn(&mut self, nature: &mut Nature) -> bool {
        self.turn_planned = false;
        let clock_ms = EPOCH_MS + nature.now + self.ahead_ms;
        let seed = nature.dice.roll();
        let Some(turn) = self.leader.as_mut().and_then(|leader| leader.turn(clock_ms, seed)) else {
            return false;
        };
        let settled = self.leader.as_ref().map_or(0, Leader::settled);
        for output in turn.outputs {
            self.send(settled, output, nature);
        }
        let proposed = turn.batch.is_some();
        if let Some((bytes, working)) = turn.batch {
            self.propose(bytes, working, nature);
        }
        self.advance(nature);
        proposed
    }

    fn propose(&mut self, bytes: Vec<u8>, working: State, nature: &mut Nature) {
        let upto = self.member.propose(bytes.into());
        nature.note(format_args!("master {} proposes entry {upto}", self.id));
        nature.oracle.proposed(upto, self.member.term, working);
        self.plan_sync(upto, None, nature);
        let Some(leader) = &mut self.leader else { return };
        leader.park(upto);
        if nature.has(Bug::SendBeforeCommit) {
            for (upto, output) in leader.release(upto) {
                self.send(upto, output, nature);
            }
        }
    }

    /// Entries up to `upto` will be durable some time later.
    pub fn plan_sync(&mut self, upto: usize, answer: Option<(Node, u64)>, nature: &mut Nature) {
        let delay_ms = if nature.dice.chance(150) { nature.dice.between(5, 150) } else { 1 };
        let (master, life, generation) = (self.id, self.life, self.member.generation);
        nature.after(delay_ms, Happening::Synced { master, life, generation, upto, answer });
    }

    /// Folds what is committed, starts to decide when all of it is, and sends what waited for it.
    pub fn advance(&mut self, nature: &mut Nature) {
        let committed = self.member.committed.min(self.member.log.len());
        while self.replica.applied < committed {
            let entry = &self.member.log[self.replica.applied];
            self.replica.apply(entry, nature.bug, &mut nature.oracle);
        }
        self.begin(nature);
        let Some(leader) = &mut self.leader else { return };
        let released = leader.release(self.replica.applied);
        let any = !released.is_empty();
        for (upto, output) in released {
            self.send(upto, output, nature);
        }
        if any {
            self.plan_turn(nature);
        }
    }

    /// The first decision comes after everything up to the own term's first entry is folded.
    fn begin(&mut self, nature: &mut Nature) {
        let own = self.replica.applied > 0
            && self.member.term_at(self.replica.applied) == self.member.term;
        if self.leader.is_some() || !self.leads() || !own {
            return;
        }
        let lead = cluster::Lead {
            term: self.member.term,
            leader: u64::from(self.id),
            cluster: CLUSTER.into(),
        };
        let kept = self.kept.take().filter(|_| nature.has(Bug::WorkingStateKept));
        let state = kept.unwrap_or_else(|| self.replica.state.clone());
        nature.note(format_args!("master {} decides in term {}", self.id, self.member.term));
        self.settled_since = nature.now;
        let committed = (state, self.replica.applied);
        self.leader = Some(Leader::new(committed, nature.settings.clone(), lead, nature.bug));
        self.plan_turn(nature);
    }

    fn send(&mut self, upto: usize, output: Output, nature: &mut Nature) {
        let entry = upto.checked_sub(1).and_then(|at| self.member.log.get(at));
        nature.oracle.released(upto, entry.map(|entry| entry.term));
        match output {
            Output::Tell(session, message) => nature.tell(session, message),
            Output::Close(session, message) => {
                if let Some(message) = message {
                    nature.tell(session, message);
                }
                nature.break_stream(session);
            }
            Output::Answer(call, taken) => {
                let delay_ms = nature.delay_ms();
                let back = (Place::Master(self.id), Place::Scheduler(call.scheduler));
                if !nature.network.blocks(back.0, back.1) {
                    let (scheduler, life, call) = (call.scheduler, call.life, call.number);
                    nature.after(delay_ms, Happening::Answer { scheduler, life, call, taken });
                }
            }
        }
    }

    /// What to send to a peer at present.
    pub fn append_for(&mut self, peer: Node) -> Option<Message> {
        self.member.append_for(peer)
    }
}
