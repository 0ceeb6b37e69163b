//! The newest entries, in memory, so that replication and applying never touch the disk while peers
//! keep up.

use std::collections::VecDeque;
use std::ops::Range;

use crate::chain::Hash;
use crate::entry::Entry;
use crate::raft::RaftEntry;

/// A gapless run of the newest entries. May be empty.
pub(crate) struct Cache {
    entries: VecDeque<Cached>,
    bytes: usize,
    max_bytes: usize,
}

struct Cached {
    entry: RaftEntry,
    hash: Hash,
    bytes: usize,
}

impl Cache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Index of the oldest entry held.
    pub(crate) fn first(&self) -> Option<u64> {
        self.entries.front().map(|cached| cached.entry.log_id.index)
    }

    /// Adds the entry after the newest; `bytes` is its encoded size.
    pub(crate) fn push(&mut self, entry: RaftEntry, hash: Hash, bytes: usize) {
        self.bytes += bytes;
        self.entries.push_back(Cached { entry, hash, bytes });
    }

    /// Entries of `range` that are held, from its start on; empty when the start is not.
    pub(crate) fn range(&self, range: Range<u64>) -> impl Iterator<Item = (&RaftEntry, usize)> {
        let skip = self.position(range.start).unwrap_or(self.entries.len());
        self.entries
            .iter()
            .skip(skip)
            .take_while(move |cached| cached.entry.log_id.index < range.end)
            .map(|cached| (&cached.entry, cached.bytes))
    }

    /// The records of `range`, as far as they are held from its start on.
    pub(crate) fn records(&self, range: Range<u64>) -> Vec<(u64, Vec<u8>)> {
        let skip = self.position(range.start).unwrap_or(self.entries.len());
        let held = self.entries.iter().skip(skip);
        held.take_while(|cached| cached.entry.log_id.index < range.end)
            .map(|cached| (cached.entry.log_id.index, Entry::with_hash(&cached.entry, cached.hash)))
            .map(|(index, entry)| (index, entry.encode()))
            .collect()
    }

    /// The chain up to `index`, when that entry is held.
    pub(crate) fn hash(&self, index: u64) -> Option<(u64, Hash)> {
        let cached = self.entries.get(self.position(index)?)?;
        Some((crate::raft::term_of(&cached.entry.log_id), cached.hash))
    }

    /// Forgets entries from `index` on.
    pub(crate) fn truncate(&mut self, index: u64) {
        while self.entries.back().is_some_and(|cached| cached.entry.log_id.index >= index) {
            self.drop_one(VecDeque::pop_back);
        }
    }

    /// Forgets entries up to and with `index`.
    pub(crate) fn purge(&mut self, index: u64) {
        while self.first().is_some_and(|first| first <= index) {
            self.drop_one(VecDeque::pop_front);
        }
    }

    /// Forgets the oldest entries beyond the limit, but only those before `durable_end`, which can
    /// be read back from disk.
    pub(crate) fn shrink(&mut self, durable_end: u64) {
        while self.bytes > self.max_bytes && self.first().is_some_and(|first| first < durable_end) {
            self.drop_one(VecDeque::pop_front);
        }
    }

    fn position(&self, index: u64) -> Option<usize> {
        index.checked_sub(self.first()?).and_then(|position| usize::try_from(position).ok())
    }

    fn drop_one(&mut self, pop: fn(&mut VecDeque<Cached>) -> Option<Cached>) {
        if let Some(cached) = pop(&mut self.entries) {
            self.bytes -= cached.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;

    use super::*;
    use crate::raft::log_id;

    fn cache(indexes: Range<u64>) -> Cache {
        let mut cache = Cache::new(30);
        for index in indexes {
            let entry = RaftEntry { log_id: log_id(1, index), payload: EntryPayload::Blank };
            cache.push(entry, Hash([index as u8; 32]), 10);
        }
        cache
    }

    fn check(cache: &Cache, range: Range<u64>, expected: &[u64]) {
        let found: Vec<u64> = cache.range(range).map(|(entry, _)| entry.log_id.index).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn gives_what_it_holds_from_the_start_of_a_range() {
        let cache = cache(5..9);
        check(&cache, 5..7, &[5, 6]);
        check(&cache, 7..99, &[7, 8]);
        check(&cache, 3..7, &[]);
        check(&cache, 9..12, &[]);
        assert_eq!(cache.hash(8), Some((1, Hash([8; 32]))));
        assert_eq!(cache.hash(4), None);
        assert_eq!(cache.hash(9), None);
    }

    #[test]
    fn truncates_purges_and_shrinks() {
        let mut cache = cache(1..7);
        cache.truncate(6);
        check(&cache, 1..9, &[1, 2, 3, 4, 5]);
        cache.purge(1);
        check(&cache, 2..9, &[2, 3, 4, 5]);
        cache.shrink(2);
        assert_eq!(cache.first(), Some(2), "what is not flushed stays, whatever its size");
        cache.shrink(10);
        check(&cache, 3..9, &[3, 4, 5]);
    }
}
