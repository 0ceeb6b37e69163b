//! Deciding ahead of the journal, without I/O.
//!
//! ```text
//!  inputs ─turn─▶ decided at once on the working state ─▶ one batch ─▶ (journal) ─▶ committed()
//!                        │ replies and effects                                        │
//!                        └────────────── parked, first in first out ──────────────────┴─▶ Release
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use statemachine::cluster::Tick;
use statemachine::operation::Retell;
use statemachine::{
    Batch, Command, Context, Effect, Principal, Record, Rejection, Reply, Settings, State, Time,
    decide,
};

use super::allocation::Wanted;
use super::notices;
use crate::metrics::Meter;

/// Batches that may wait for their commit at a time. When so many do, the next one grows instead.
pub const WINDOW_BATCHES: usize = 8;
/// How often those who have not acknowledged the end of an operation are looked for.
const RETELL_INTERVAL_MS: u64 = 10_000;

/// Something to decide, and whom to tell.
#[derive(Debug)]
pub struct Input<T> {
    /// What is asked.
    pub command: Command,
    /// On whose behalf, where that is known.
    pub principal: Option<Principal>,
    /// Handed back with the answer.
    pub ticket: T,
}

/// One command, decided.
#[derive(Debug)]
pub struct Decided<T> {
    /// Who asked; none for what the leader asked of itself.
    pub ticket: Option<T>,
    /// The answer.
    pub outcome: Result<Reply, Rejection>,
    /// What to send.
    pub effects: Vec<Effect>,
}

/// Decisions that may leave the master, in order.
#[derive(Debug)]
pub struct Release<T> {
    /// The state that they left behind: descriptions that messages need are looked up here.
    pub state: State,
    /// The decisions.
    pub decided: Vec<Decided<T>>,
}

/// One batch for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Counts the batches of this leader from 1, without gaps.
    pub sequence: u64,
    /// The encoded batch.
    pub payload: Bytes,
}

/// A leader between two batches. To lose leadership is to drop it.
#[derive(Debug)]
pub struct Core<T> {
    state: State,
    settings: Arc<Settings>,
    proposed: u64,
    committed: u64,
    parked: VecDeque<(u64, Release<T>)>,
    wanted: Wanted,
    next_allocation: Time,
    /// When operations were told again last; none by this leader yet.
    retold: Option<Time>,
    meter: Arc<Meter>,
}

impl<T> Core<T> {
    /// A leader that goes on from what is committed.
    pub fn new(committed: State, settings: Arc<Settings>) -> Self {
        Self {
            state: committed,
            settings,
            proposed: 0,
            committed: 0,
            parked: VecDeque::new(),
            wanted: Wanted::All,
            next_allocation: Time(0),
            retold: None,
            meter: Arc::default(),
        }
    }

    /// The same, telling `meter` how long allocations take. No decision depends on that.
    pub(crate) fn measured(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// The working state, ahead of the journal.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether no further batch may be proposed for now.
    pub fn is_full(&self) -> bool {
        self.proposed - self.committed >= WINDOW_BATCHES as u64
    }

    /// Whether a turn without inputs has something to do.
    pub fn is_due(&self, now: Time) -> bool {
        self.next_allocation <= now || self.is_tick_due(now) || self.is_retelling_due(now)
    }

    /// Decides `inputs` in order, then what time has brought about, then one allocation if
    /// something asks for it. The batch is to be proposed now; releases come from
    /// [`committed`](Self::committed) and, for decisions that nothing stands behind, from here.
    pub fn turn(
        &mut self,
        clock: Time,
        seed: u64,
        inputs: impl IntoIterator<Item = Input<T>>,
    ) -> (Option<Proposal>, Option<Release<T>>) {
        let now = clock.max(self.state.cluster.now);
        let (records, decided) = (Vec::new(), Vec::new());
        let mut turn = Turn { now, seed, began: Instant::now(), records, decided };
        for input in inputs {
            self.decide(&mut turn, &input.command, input.principal, Some(input.ticket));
        }
        if self.is_tick_due(now) {
            self.decide(&mut turn, &Tick.into(), None, None);
        }
        let since = *self.retold.get_or_insert(now);
        if self.is_retelling_due(now) {
            self.retold = Some(now);
            self.decide(&mut turn, &Retell { since }.into(), None, None);
        }
        self.allocate(&mut turn);
        self.close(turn)
    }

    /// The journal has committed this batch, and so all before it.
    pub fn committed(&mut self, sequence: u64) -> Vec<Release<T>> {
        self.committed = self.committed.max(sequence);
        let ready = self.parked.partition_point(|(after, _)| *after <= self.committed);
        self.parked.drain(..ready).map(|(_, release)| release).collect()
    }

    fn is_tick_due(&self, now: Time) -> bool {
        self.state.deadlines.get_min().is_some_and(|(at, _)| *at <= now)
    }

    fn is_retelling_due(&self, now: Time) -> bool {
        self.retold.is_some_and(|at| now.since_ms(at) >= RETELL_INTERVAL_MS)
    }

    fn allocate(&mut self, turn: &mut Turn<T>) {
        if self.next_allocation <= turn.now {
            self.wanted = Wanted::All;
        }
        let Some(allocate) = std::mem::take(&mut self.wanted).into_command() else {
            return;
        };
        if allocate.agents.is_none() {
            self.next_allocation = turn.now.after_ms(self.settings.allocation_interval_ms);
        }
        let began = Instant::now();
        self.decide(turn, &allocate.into(), None, None);
        self.meter.allocation_runs.fetch_add(1, Ordering::Relaxed);
        self.meter.allocation_latency.record(began - turn.began);
        self.meter.allocation_run.record(began.elapsed());
        // what the allocator itself did is no reason to run it again
        self.wanted = Wanted::Nothing;
    }

    fn decide(
        &mut self,
        turn: &mut Turn<T>,
        command: &Command,
        principal: Option<Principal>,
        ticket: Option<T>,
    ) {
        let context = Context {
            now: turn.now,
            seed: turn.seed.wrapping_add(turn.decided.len() as u64),
            principal,
            settings: self.settings.clone(),
        };
        let (outcome, effects) = match decide(&mut self.state, &context, command) {
            Ok(decision) => {
                self.wanted.add(&self.state, &decision.events);
                notices::log(&decision.events);
                if !decision.events.is_empty() {
                    turn.records.push(Record {
                        cause: command.name().to_owned(),
                        principal: context.principal,
                        events: decision.events,
                    });
                }
                (Ok(decision.reply), decision.effects)
            }
            Err(rejection) => (Err(rejection), Vec::new()),
        };
        turn.decided.push(Decided { ticket, outcome, effects });
    }

    fn close(&mut self, turn: Turn<T>) -> (Option<Proposal>, Option<Release<T>>) {
        let release = Release { state: self.state.clone(), decided: turn.decided };
        let proposal = (!turn.records.is_empty()).then(|| {
            self.proposed += 1;
            let batch = Batch { at: turn.now, records: turn.records };
            Proposal { sequence: self.proposed, payload: batch.encode().into() }
        });
        let has_nothing =
            release.decided.iter().all(|it| it.ticket.is_none() && it.effects.is_empty());
        if has_nothing && proposal.is_none() {
            return (None, None);
        }
        if self.proposed == self.committed {
            return (None, Some(release));
        }
        self.parked.push_back((self.proposed, release));
        (proposal, None)
    }
}

/// What one turn gathers.
struct Turn<T> {
    now: Time,
    seed: u64,
    /// For the meter alone.
    began: Instant,
    records: Vec<Record>,
    decided: Vec<Decided<T>>,
}

#[cfg(test)]
mod tests;
