//! The numbers that say which format a file has, and the small fixed records in the files. The
//! whole of it is in `docs/JOURNAL_FORMAT.md`.

use redb::TableDefinition;

use crate::chain::Hash;
use crate::raft::{LogId, log_id, term_of};

/// The format this version writes into every file of a journal, and the only one it reads.
pub const FORMAT: u32 = 1;

/// Index to encoded entry.
pub(crate) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// Everything else about a file, by name.
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Keys of [`META`].
pub(crate) mod key {
    /// u32, little-endian: [`FORMAT`](super::FORMAT).
    pub(crate) const FORMAT: &str = "format";
    /// Tail: the vote, named rmp.
    pub(crate) const VOTE: &str = "vote";
    /// Tail: index and term of an entry known to be committed.
    pub(crate) const COMMITTED: &str = "committed";
    /// Tail: mark of the last entry that left the journal.
    pub(crate) const PURGED: &str = "purged";
    /// Segment: the hash that the first entry is chained to.
    pub(crate) const BASE: &str = "base";
    /// Segment: mark of the last entry.
    pub(crate) const LAST: &str = "last";
    /// Segment: when it was closed, ms since 1970.
    pub(crate) const CLOSED_AT_MS: &str = "closed_at_ms";
}

/// One position of the journal together with the hash of everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) hash: Hash,
}

impl Mark {
    pub(crate) fn log_id(&self) -> LogId {
        log_id(self.term, self.index)
    }

    /// index, term (u64, little-endian), hash (32 bytes).
    pub(crate) fn encode(&self) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&self.index.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.term.to_le_bytes());
        bytes[16..].copy_from_slice(&self.hash.0);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (position, hash) = bytes.split_at_checked(16)?;
        let position = decode_log_id(position)?;
        Some(Self {
            index: position.index,
            term: term_of(&position),
            hash: Hash(hash.try_into().ok()?),
        })
    }
}

/// index, term (u64, little-endian).
pub(crate) fn encode_log_id(id: &LogId) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.index.to_le_bytes());
    bytes[8..].copy_from_slice(&term_of(id).to_le_bytes());
    bytes
}

pub(crate) fn decode_log_id(bytes: &[u8]) -> Option<LogId> {
    let (index, term) = bytes.split_at_checked(8)?;
    let index = u64::from_le_bytes(index.try_into().ok()?);
    Some(log_id(u64::from_le_bytes(term.try_into().ok()?), index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_a_round_trip_and_no_other_length() {
        let mark = Mark { index: 7, term: 3, hash: Hash([9; 32]) };
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        assert_eq!(Mark::decode(&mark.encode()[1..]), None);
        assert_eq!(Mark::decode(&[]), None);
        assert_eq!(decode_log_id(&encode_log_id(&mark.log_id())), Some(mark.log_id()));
        assert_eq!(decode_log_id(&[0; 15]), None);
    }
}
