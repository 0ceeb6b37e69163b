//! The v1 messages as protobuf, with the two checks that prost does not make: required fields must
//! be there, and an enum value that the .proto does not know counts as unset.

mod check;
mod generated;

pub use check::{Checked, Content, Field, Table};

/// Messages within messages; prost has the same limit.
const MAX_DEPTH: usize = 100;

/// Why bytes are not the message that was asked for (semantics 28).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The bytes are not protobuf.
    #[error("malformed protobuf: {0}")]
    Malformed(String),
    /// The bytes are protobuf that nests deeper than any message needs.
    #[error("protobuf nested deeper than {MAX_DEPTH} messages")]
    TooDeep,
    /// Required fields are not there; the text names them.
    #[error("{0}")]
    Missing(String),
}

impl From<prost::DecodeError> for ProtobufError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Writes a message.
pub fn to_vec<M: prost::Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// Reads a message. Fields that it does not know are passed over.
pub fn from_slice<M: prost::Message + Default + Checked>(bytes: &[u8]) -> Result<M, ProtobufError> {
    let known = check::check(M::TABLE, bytes)?;
    Ok(M::decode(known.as_ref())?)
}

#[cfg(test)]
mod tests;
