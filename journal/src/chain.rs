//! The hash chain: each entry's hash covers the one before, so that no entry can be altered, lost
//! or swapped without its successors telling.

use std::fmt;

/// A BLAKE3 hash over an entry and all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first entry of a journal is chained to.
    pub const START: Self = Self([0; 32]);

    /// The hash of the entry that follows: BLAKE3 of this hash, index, term (both u64,
    /// little-endian), kind and body.
    #[must_use]
    pub fn link(&self, index: u64, term: u64, kind: u8, body: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&index.to_le_bytes());
        hasher.update(&term.to_le_bytes());
        hasher.update(&[kind]);
        hasher.update(body);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Hash {
    /// 64 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_changes_the_hash() {
        let hash = Hash::START.link(1, 2, 3, b"body");
        for other in [
            Hash([1; 32]).link(1, 2, 3, b"body"),
            Hash::START.link(2, 2, 3, b"body"),
            Hash::START.link(1, 3, 3, b"body"),
            Hash::START.link(1, 2, 4, b"body"),
            Hash::START.link(1, 2, 3, b"bodY"),
        ] {
            assert_ne!(hash, other);
        }
        assert_eq!(hash, Hash::START.link(1, 2, 3, b"body"));
    }

    #[test]
    fn prints_as_hex() {
        assert_eq!(Hash([0xa5; 32]).to_string(), "a5".repeat(32));
    }
}
