//! One entry as it lies on disk and travels to peers.

use bytes::Bytes;
use openraft::EntryPayload;

use crate::chain::Hash;
use crate::raft::{Payload, RaftEntry, RaftMembership, log_id, term_of};

/// One entry of the journal, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in the journal.
    pub index: u64,
    /// Raft term in which it was proposed.
    pub term: u64,
    /// Whose entry it is.
    pub kind: Kind,
    /// What was proposed, for [`Kind::Normal`]; the journal's own bytes otherwise.
    pub payload: Bytes,
    /// Covers this entry and all before it.
    pub hash: Hash,
}

/// Whose entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A new leader's first entry; empty.
    Blank = 0,
    /// A proposal.
    Normal = 1,
    /// A change of membership, as named rmp.
    Membership = 2,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Blank, Self::Normal, Self::Membership].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The record is too short, or of a kind that this version does not know.
    #[error("entry {0} is malformed")]
    Malformed(u64),
    /// The hash does not fit the content and the entry before.
    #[error("entry {0} does not fit the hash chain: it was damaged or altered")]
    Chain(u64),
}

/// Bytes before the body: kind, term, hash.
const HEAD: usize = 1 + 8 + 32;

impl Entry {
    /// Chains an entry of openraft's to the hash before it.
    pub(crate) fn chain(previous: &Hash, entry: &RaftEntry) -> Self {
        let unchained = Self::with_hash(entry, Hash::START);
        let Self { index, term, kind, payload, .. } = &unchained;
        let hash = previous.link(*index, *term, *kind as u8, payload);
        Self { hash, ..unchained }
    }

    /// An entry of openraft's whose hash is known.
    pub(crate) fn with_hash(entry: &RaftEntry, hash: Hash) -> Self {
        let (kind, payload) = match &entry.payload {
            EntryPayload::Blank => (Kind::Blank, Bytes::new()),
            EntryPayload::Normal(payload) => (Kind::Normal, payload.bytes.clone()),
            EntryPayload::Membership(membership) => (Kind::Membership, encode(membership)),
        };
        let (index, term) = (entry.log_id.index, term_of(&entry.log_id));
        Self { index, term, kind, payload, hash }
    }

    /// The entry as openraft wants it.
    pub(crate) fn to_raft(&self) -> Result<RaftEntry, EntryError> {
        let payload = match self.kind {
            Kind::Blank => EntryPayload::Blank,
            Kind::Normal => EntryPayload::Normal(Payload::from(self.payload.clone())),
            Kind::Membership => EntryPayload::Membership(
                rmp_serde::from_slice::<RaftMembership>(&self.payload)
                    .map_err(|_| EntryError::Malformed(self.index))?,
            ),
        };
        Ok(RaftEntry { log_id: log_id(self.term, self.index), payload })
    }

    /// Length of [`encode`](Self::encode)'s record.
    pub(crate) fn encoded_bytes(&self) -> u64 {
        (HEAD + self.payload.len()) as u64
    }

    /// kind (u8), term (u64, little-endian), hash (32 bytes), body.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(HEAD + self.payload.len());
        record.push(self.kind as u8);
        record.extend_from_slice(&self.term.to_le_bytes());
        record.extend_from_slice(&self.hash.0);
        record.extend_from_slice(&self.payload);
        record
    }

    /// Reads a record without looking at the chain.
    pub(crate) fn decode(index: u64, record: &[u8]) -> Result<Self, EntryError> {
        let malformed = EntryError::Malformed(index);
        let (head, body) = record.split_at_checked(HEAD).ok_or_else(|| malformed.clone())?;
        let read = || {
            let (kind, head) = head.split_first()?;
            let (term, hash) = head.split_at_checked(8)?;
            Some(Self {
                index,
                term: u64::from_le_bytes(term.try_into().ok()?),
                kind: Kind::from_byte(*kind)?,
                payload: Bytes::copy_from_slice(body),
                hash: Hash(hash.try_into().ok()?),
            })
        };
        read().ok_or(malformed)
    }

    /// Whether it follows an entry with the hash `previous`.
    pub(crate) fn check(&self, previous: &Hash) -> Result<(), EntryError> {
        let hash = previous.link(self.index, self.term, self.kind as u8, &self.payload);
        if hash == self.hash { Ok(()) } else { Err(EntryError::Chain(self.index)) }
    }
}

fn encode(membership: &RaftMembership) -> Bytes {
    // a map of sets and strings has no value that rmp could refuse
    Bytes::from(rmp_serde::to_vec_named(membership).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::member::Member;

    fn check(payload: EntryPayload<Payload, u64, Member>) {
        let raft = RaftEntry { log_id: log_id(4, 9), payload };
        let entry = Entry::chain(&Hash([1; 32]), &raft);
        let read = Entry::decode(9, &entry.encode()).expect("just encoded");
        assert_eq!(read, entry);
        assert_eq!(read.check(&Hash([1; 32])), Ok(()));
        assert_eq!(read.check(&Hash([2; 32])), Err(EntryError::Chain(9)));
        assert_eq!(read.to_raft().expect("its own bytes"), raft);
    }

    #[test]
    fn every_kind_survives_a_round_trip() {
        check(EntryPayload::Blank);
        check(EntryPayload::Normal(Payload::from(Bytes::from_static(b"batch"))));
        let member = Member { address: "a:1".into(), incarnation: "x".into() };
        let nodes = BTreeMap::from([(1, member.clone()), (2, member)]);
        let membership = RaftMembership::new(vec![BTreeSet::from([1, 2])], nodes).expect("valid");
        check(EntryPayload::Membership(membership));
    }

    #[test]
    fn a_record_is_as_the_format_says() {
        let payload = EntryPayload::Normal(Payload::from(Bytes::from_static(b"batch")));
        let entry = Entry::chain(&Hash::START, &RaftEntry { log_id: log_id(4, 9), payload });
        let mut hashed = vec![0; 32];
        hashed.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1]);
        hashed.extend_from_slice(b"batch");
        let hash = blake3::hash(&hashed);
        let mut record = vec![1, 4, 0, 0, 0, 0, 0, 0, 0];
        record.extend_from_slice(hash.as_bytes());
        record.extend_from_slice(b"batch");
        assert_eq!(entry.encode(), record);
    }

    proptest! {
        #[test]
        fn no_record_makes_decode_panic(record in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(entry) = Entry::decode(3, &record) {
                prop_assert_eq!(entry.encode(), record);
            }
        }

        #[test]
        fn a_flipped_bit_is_found(body in prop::collection::vec(any::<u8>(), 0..64), at: prop::sample::Index) {
            let raft = RaftEntry {
                log_id: log_id(4, 9),
                payload: EntryPayload::Normal(Payload::from(Bytes::from(body))),
            };
            let mut record = Entry::chain(&Hash::START, &raft).encode();
            let bit = at.index(record.len() * 8);
            record[bit / 8] ^= 1 << (bit % 8);
            let found = Entry::decode(9, &record).and_then(|entry| entry.check(&Hash::START));
            prop_assert!(found.is_err());
        }
    }
}
