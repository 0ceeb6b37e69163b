//! What the store holds in memory: the cache and the marks.

use std::collections::BTreeMap;

use openraft::EntryPayload;

use super::cache::Cache;
use super::tail::TailState;
use crate::chain::Hash;
use crate::entry::Entry;
use crate::format::Mark;
use crate::gate::{Gate, Sequence};
use crate::raft::{LogId, Payload, RaftEntry, Vote};

/// How many marks of received snapshots are remembered until the log is purged up to one.
const MAX_KNOWN_MARKS: usize = 4;

pub(crate) struct State {
    pub(crate) cache: Cache,
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    /// The last entry that left the journal.
    pub(crate) purged: Option<Mark>,
    /// The newest entry, or `purged` when there is none.
    pub(crate) last: Option<Mark>,
    /// Entries before this index are on disk.
    pub(crate) durable_end: u64,
    /// Of the proposals that entered the log here.
    sequence: Sequence,
    gate: Gate,
    /// Bytes of all entries appended since the journal was opened.
    pub(crate) appended_bytes: u64,
    /// Bytes of the entries in the tail.
    pub(crate) tail_bytes: u64,
    /// Marks at which snapshots were installed, by index: a purge up to one of them is chained to it.
    known: BTreeMap<u64, Mark>,
}

impl State {
    /// As it was on disk: `history` is the newest entry outside the tail.
    pub(crate) fn new(
        cache_bytes: usize,
        tail: &TailState,
        history: Option<Mark>,
        gate: Gate,
    ) -> Self {
        let newest = tail.entries.map(|(_, last)| last);
        let last = [newest, history, tail.purged].into_iter().flatten().max_by_key(|m| m.index);
        Self {
            cache: Cache::new(cache_bytes),
            vote: tail.vote,
            committed: tail.committed,
            purged: tail.purged,
            last,
            durable_end: last.map_or(0, |mark| mark.index + 1),
            appended_bytes: 0,
            tail_bytes: 0,
            sequence: Sequence::default(),
            gate,
            known: BTreeMap::new(),
        }
    }

    /// Chains an entry to the newest and keeps it in the cache; gives its index and record.
    ///
    /// A proposal with a hole before it is left blank. Only the leader that takes the proposal can
    /// see that: what is replicated and applied comes from this log.
    pub(crate) fn append(&mut self, mut entry: RaftEntry) -> (u64, Vec<u8>) {
        if let EntryPayload::Normal(Payload { ticket: Some(ticket), .. }) = entry.payload
            && !self.sequence.admit(ticket)
        {
            self.gate.close(ticket.term);
            entry.payload = EntryPayload::Blank;
        }
        let previous = self.last.map_or(Hash::START, |mark| mark.hash);
        let chained = Entry::chain(&previous, &entry);
        let record = chained.encode();
        let Entry { index, term, hash, .. } = chained;
        self.last = Some(Mark { index, term, hash });
        self.cache.push(entry, hash, record.len());
        self.appended_bytes += record.len() as u64;
        self.tail_bytes += record.len() as u64;
        (index, record)
    }

    /// Entries before `end` are on disk now.
    pub(crate) fn flushed(&mut self, end: u64) {
        // what was truncated meanwhile is not on disk any more, whatever was written
        let newest = self.last.map_or(0, |mark| mark.index + 1);
        self.durable_end = self.durable_end.max(end.min(newest));
        self.cache.shrink(self.durable_end);
    }

    /// Forgets entries after `last`, which is the newest from now on.
    pub(crate) fn truncate(&mut self, from: u64, last: Option<Mark>) {
        self.cache.truncate(from);
        self.last = last;
        self.durable_end = self.durable_end.min(from);
    }

    /// Forgets entries up to and with `mark`.
    pub(crate) fn purge(&mut self, mark: Mark) {
        self.cache.purge(mark.index);
        self.purged = Some(mark);
        if self.last.is_none_or(|last| last.index <= mark.index) {
            self.last = Some(mark);
            self.durable_end = self.durable_end.max(mark.index + 1);
        }
        self.known = self.known.split_off(&mark.index);
    }

    /// Remembers the chain at a snapshot that is about to be installed.
    pub(crate) fn remember(&mut self, mark: Mark) {
        self.known.insert(mark.index, mark);
        while self.known.len() > MAX_KNOWN_MARKS {
            self.known.pop_first();
        }
    }

    /// The chain at a snapshot at `index`.
    pub(crate) fn known(&self, index: u64) -> Option<Mark> {
        self.known.get(&index).copied()
    }

    /// The chain at `index`, as far as memory knows it.
    pub(crate) fn mark(&self, index: u64) -> Option<Mark> {
        let cached = self.cache.hash(index).map(|(term, hash)| Mark { index, term, hash });
        let ends = || [self.last, self.purged].into_iter().flatten().find(|m| m.index == index);
        cached.or_else(ends).or_else(|| self.known(index))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::gate::Ticket;
    use crate::raft::log_id;

    #[test]
    fn a_proposal_after_a_hole_is_left_blank_and_closes_its_term() {
        let gate = Gate::new();
        let mut state = State::new(1 << 20, &TailState::default(), None, gate.clone());
        for (index, sequence) in [0, 1, 3, 4].into_iter().enumerate() {
            let ticket = Some(Ticket { term: 5, sequence });
            let payload = Payload { bytes: Bytes::from_static(b"batch"), ticket };
            let payload = EntryPayload::Normal(payload);
            state.append(RaftEntry { log_id: log_id(5, index as u64), payload });
        }
        let blank = |(entry, _): (&RaftEntry, usize)| entry.payload == EntryPayload::Blank;
        let blank: Vec<bool> = state.cache.range(0..9).map(blank).collect();
        assert_eq!(blank, [false, false, true, true]);
        assert!(gate.is_closed(5) && !gate.is_closed(6));
    }
}
