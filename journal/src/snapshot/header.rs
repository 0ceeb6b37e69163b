//! What a snapshot says about itself before its content.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::chain::Hash;
use crate::format::{FORMAT, Mark};
use crate::raft::{LogId, RaftMembership, SnapshotMeta, StoredMembership};

/// First bytes of every snapshot.
const MAGIC: [u8; 8] = *b"MSLTHSNP";
/// No header is longer than this.
const MAX_HEADER_BYTES: u32 = 1 << 20;

/// The position of a snapshot and the membership at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) mark: Mark,
    pub(crate) membership: StoredMembership,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    index: u64,
    term: u64,
    #[serde(with = "serde_bytes")]
    hash: Vec<u8>,
    membership_log_id: Option<LogId>,
    membership: RaftMembership,
}

impl Header {
    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: Some(self.mark.log_id()),
            last_membership: self.membership.clone(),
        }
    }

    /// magic (8 bytes), format (u32), length of what follows (u32), named rmp, BLAKE3 of all before.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let body = rmp_serde::to_vec_named(&Wire {
            index: self.mark.index,
            term: self.mark.term,
            hash: self.mark.hash.0.to_vec(),
            membership_log_id: *self.membership.log_id(),
            membership: self.membership.membership().clone(),
        });
        let body = body.map_err(io::Error::other)?;
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        Ok(bytes)
    }

    /// Reads a header from the start of a snapshot.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 16];
        from.read_exact(&mut head)?;
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if head[..8] != MAGIC {
            return Err(invalid("it is no snapshot"));
        }
        if number(8) != FORMAT {
            let what = format!("it has journal format {}, not {FORMAT}", number(8));
            return Err(invalid(what));
        }
        if number(12) > MAX_HEADER_BYTES {
            return Err(invalid("its header is too long"));
        }
        let mut body = vec![0; number(12) as usize];
        from.read_exact(&mut body)?;
        let mut hash = [0; 32];
        from.read_exact(&mut hash)?;
        let expected = blake3::Hasher::new().update(&head).update(&body).finalize();
        if *expected.as_bytes() != hash {
            return Err(invalid("its header is damaged"));
        }
        let wire: Wire =
            rmp_serde::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
        let hash = wire.hash.try_into().map_err(|_| invalid("its chain hash is malformed"))?;
        Ok(Self {
            mark: Mark { index: wire.index, term: wire.term, hash: Hash(hash) },
            membership: StoredMembership::new(wire.membership_log_id, wire.membership),
        })
    }
}

pub(crate) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
