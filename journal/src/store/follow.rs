//! Whether what a leader sends fits the chain of what is here. Raft promises that entries of one
//! index and term are the same everywhere; when members lost what they had promised, only the hashes
//! tell.

use std::sync::{Arc, Weak};

use openraft::raft::AppendEntriesRequest;

use super::log::{LogStore, Shared};
use crate::chain::Hash;
use crate::entry::Entry;
use crate::raft::{LogId, TypeConfig};
use crate::transport::TransportError;

type Append = AppendEntriesRequest<TypeConfig>;

/// A handle on a log that does not keep its files open: a stream to or from a peer may outlive it.
#[derive(Clone, Default)]
pub(crate) struct WeakLog(Weak<Shared>);

impl WeakLog {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// The chain after the last entry of an append that is sent from this log.
    pub(crate) fn hash_after(&self, request: &Append) -> Option<Hash> {
        let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id)?;
        self.hash(last)
    }

    /// Checks appends that come one after another.
    pub(crate) fn follow(self) -> Follow {
        Follow { log: self, last: None }
    }

    /// The first of these entries, which a leader in `term` sends, in whose place another is known to be
    /// committed here. What was committed in a later term only shows that the leader is deposed, and
    /// openraft tells it so.
    fn replaced<'a>(&self, term: u64, mut ids: impl Iterator<Item = &'a LogId>) -> Option<LogId> {
        let log = LogStore(self.0.upgrade()?);
        let committed = log.committed()?.index;
        let differs = |at: &LogId| {
            let mark = log.mark(at.index).ok().flatten();
            let log_id = mark.map(|mark| mark.log_id());
            log_id.is_some_and(|here| here != *at && here.leader_id.term <= term)
        };
        ids.find(|at| at.index <= committed && differs(at)).copied()
    }

    /// The chain at an entry, if it is here. What cannot be read is told by whoever needs it.
    fn hash(&self, at: LogId) -> Option<Hash> {
        let log = LogStore(self.0.upgrade()?);
        let mark = log.mark(at.index).ok().flatten()?;
        (mark.log_id() == at).then_some(mark.hash)
    }
}

/// Follows a stream of appends: they are checked when they come, and one may come before the one
/// before it is in the log.
pub(crate) struct Follow {
    log: WeakLog,
    /// The end of the append before.
    last: Option<(LogId, Hash)>,
}

impl Follow {
    /// Refuses an append that would replace what is committed, or after which the chain here would not
    /// be `expected`. One that does not begin at an entry that is here is refused by openraft.
    pub(crate) fn check(
        &mut self,
        request: &Append,
        expected: Option<Hash>,
    ) -> Result<(), TransportError> {
        let ids = request.entries.iter().map(|entry| &entry.log_id);
        let term = request.vote.leader_id.term;
        if let Some(at) = self.log.replaced(term, request.prev_log_id.iter().chain(ids)) {
            return Err(TransportError(format!(
                "another entry than the leader's is committed here at {}: a majority has lost what it \
                 had promised, and this member does not follow it",
                at.index
            )));
        }
        let Some(expected) = expected else { return Ok(()) };
        let base = match request.prev_log_id {
            None => Some(Hash::START),
            Some(before) => {
                let last = self.last.filter(|(last, _)| *last == before);
                last.map(|(_, hash)| hash).or_else(|| self.log.hash(before))
            }
        };
        let Some(base) = base else { return Ok(()) };
        let chain = |hash, entry| Entry::chain(&hash, entry).hash;
        let hash = request.entries.iter().fold(base, chain);
        let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
        let Some(last) = last else { return Ok(()) };
        if hash != expected {
            return Err(TransportError(format!(
                "the journal of the leader and that of this member differ before entry {}: one of \
                 them has lost what it had promised, and must be replaced",
                last.index
            )));
        }
        self.last = Some((last, hash));
        Ok(())
    }
}
