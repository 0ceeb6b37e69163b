//! Batches and states to bytes and back. Nothing else in the workspace encodes them;
//! `docs/JOURNAL_FORMAT.md` shows every byte.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

use crate::event::{Decoder, Encoder, Event};
use crate::id::Principal;
use crate::state::State;
use crate::time::Time;

/// What one turn of the leader decided: one entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// When. Never earlier than the batch before.
    pub at: Time,
    /// One for each command that something came of, in order.
    pub records: Vec<Record>,
}

/// What came of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name of the command.
    pub cause: String,
    /// On whose behalf, where that is known.
    pub principal: Option<Principal>,
    /// What happened.
    pub events: Vec<Event>,
}

/// Bytes that are no batch or state, or one of a newer version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An event of a kind that this version does not know. A replica must stop here: skipping it
    /// would make its state another one.
    #[error("event kind {0} is not known to this version; a newer master wrote it")]
    UnknownKind(u16),
    /// Not what it should be.
    #[error("{0}")]
    Malformed(String),
}

#[derive(Serialize)]
struct BatchOut<'a> {
    #[serde(rename = "t")]
    at: Time,
    #[serde(rename = "r")]
    records: Vec<RecordOut<'a>>,
}

#[derive(Serialize)]
struct RecordOut<'a> {
    #[serde(rename = "c")]
    cause: &'a str,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    principal: Option<&'a Principal>,
    #[serde(rename = "e")]
    events: Vec<(u16, ByteBuf)>,
}

#[derive(Deserialize)]
struct BatchIn<'a> {
    #[serde(rename = "t")]
    at: Time,
    #[serde(rename = "r", borrow)]
    records: Vec<RecordIn<'a>>,
}

#[derive(Deserialize)]
struct RecordIn<'a> {
    #[serde(rename = "c")]
    cause: String,
    #[serde(rename = "p", default)]
    principal: Option<Principal>,
    #[serde(rename = "e", borrow)]
    events: Vec<(u16, &'a Bytes)>,
}

struct ToBytes;

impl Encoder for ToBytes {
    type Output = Vec<u8>;
    fn encode<T: Serialize>(self, content: &T) -> Vec<u8> {
        to_bytes(content)
    }
}

struct FromBytes<'a>(&'a [u8]);

impl Decoder for FromBytes<'_> {
    type Error = DecodeError;
    fn decode<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        from_bytes(self.0)
    }
}

/// `MessagePack` with named fields: our own types always serialise.
fn to_bytes<T: Serialize>(content: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    content.serialize(&mut serializer).expect("writing to memory cannot fail");
    bytes
}

fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    rmp_serde::from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}

impl Batch {
    /// As an entry of the journal.
    pub fn encode(&self) -> Vec<u8> {
        let records = self.records.iter().map(|record| RecordOut {
            cause: &record.cause,
            principal: record.principal.as_ref(),
            events: record
                .events
                .iter()
                .map(|event| (event.kind(), ByteBuf::from(event.encode(ToBytes))))
                .collect(),
        });
        to_bytes(&BatchOut { at: self.at, records: records.collect() })
    }

    /// An entry of the journal.
    ///
    /// # Errors
    /// When the bytes are no batch, or hold an event of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let batch: BatchIn<'_> = from_bytes(bytes)?;
        let records = batch.records.into_iter().map(|record| {
            let events = record.events.into_iter().map(|(kind, body)| {
                Event::decode(kind, FromBytes(body)).ok_or(DecodeError::UnknownKind(kind))?
            });
            Ok(Record {
                cause: record.cause,
                principal: record.principal,
                events: events.collect::<Result<_, DecodeError>>()?,
            })
        });
        Ok(Self { at: batch.at, records: records.collect::<Result<_, DecodeError>>()? })
    }

    /// Folds all of it into `state`, as every replica does.
    pub fn apply(&self, state: &mut State) {
        let mut effects = Vec::new();
        for event in self.records.iter().flat_map(|record| &record.events) {
            crate::apply(state, self.at, event, &mut effects);
            effects.clear();
        }
    }
}

impl State {
    /// As a snapshot.
    pub fn encode(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// From a snapshot.
    ///
    /// # Errors
    /// When the bytes are no state that this version can read.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut state: Self = from_bytes(bytes)?;
        state.complete();
        Ok(state)
    }

    /// A fingerprint of everything in the state: equal on all replicas at the same index.
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.encode()).as_bytes()
    }
}
