//! Walks the bytes of a message before prost reads them, led by tables that the build script wrote.
//!
//! A singular message field that comes in several pieces is checked piece by piece; no encoder
//! makes such pieces.

use super::{MAX_DEPTH, ProtobufError};
use crate::report::Report;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use std::borrow::Cow;

/// A message whose bytes can be checked. Implemented by the build script.
pub trait Checked {
    /// What to check.
    const TABLE: &'static Table;
}

/// The fields of one message, by rising tag, without those that need no check.
#[derive(Debug)]
pub struct Table {
    /// At most 128.
    pub fields: &'static [Field],
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub tag: u32,
    /// Its name in the .proto.
    pub name: &'static str,
    /// Whether every message has it.
    pub required: bool,
    /// What there is to check in it.
    pub content: Content,
}

/// What a field holds.
#[derive(Debug)]
pub enum Content {
    /// Nothing that needs a check.
    Plain,
    /// A value of an enum, and how to tell whether it is known.
    Enumeration(fn(i32) -> bool),
    /// A message.
    Message(&'static Table),
    /// A map with such messages as values.
    Map(&'static Table),
}

/// The table of a map entry is that of its value, under this tag.
const MAP_VALUE_TAG: u32 = 2;

/// Checks a message; what comes back is the message without enum values that are not known.
pub(super) fn check<'a>(
    table: &'static Table,
    bytes: &'a [u8],
) -> Result<Cow<'a, [u8]>, ProtobufError> {
    let mut walk = Walk { report: Report::default(), depth: 0 };
    let kept = walk.message(table, bytes)?;
    match walk.report.into_missing() {
        Some(missing) => Err(ProtobufError::Missing(missing)),
        None => Ok(kept),
    }
}

struct Walk {
    report: Report,
    depth: usize,
}

impl Walk {
    fn message<'a>(
        &mut self,
        table: &'static Table,
        bytes: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, ProtobufError> {
        if self.depth == MAX_DEPTH {
            return Err(ProtobufError::TooDeep);
        }
        self.depth += 1;
        let (kept, seen) = self.fields(table, bytes)?;
        self.depth -= 1;
        for (index, field) in table.fields.iter().enumerate() {
            if field.required && seen >> index & 1 == 0 {
                self.report.miss(field.name);
            }
        }
        Ok(kept)
    }

    /// The fields that stay, and which of the table's were among them (bit `i` for
    /// `table.fields[i]`).
    fn fields<'a>(
        &mut self,
        table: &'static Table,
        bytes: &'a [u8],
    ) -> Result<(Cow<'a, [u8]>, u128), ProtobufError> {
        let mut kept = Kept { bytes, up_to: 0, changed: None };
        let (mut rest, mut seen) = (bytes, 0u128);
        while !rest.is_empty() {
            let start = bytes.len() - rest.len();
            let raw = RawField::take(&mut rest)?;
            let end = bytes.len() - rest.len();
            let Ok(index) = table.fields.binary_search_by_key(&raw.tag, |field| field.tag) else {
                continue;
            };
            match self.field(&table.fields[index], &raw)? {
                Verdict::Keep => seen |= 1 << index,
                Verdict::Drop => kept.replace(start, end, &[]),
                Verdict::Replace(field) => {
                    seen |= 1 << index;
                    kept.replace(start, end, &field);
                }
            }
        }
        Ok((kept.finish(), seen))
    }

    fn field(
        &mut self,
        field: &'static Field,
        raw: &RawField<'_>,
    ) -> Result<Verdict, ProtobufError> {
        let whole = match (&field.content, raw.wire_type) {
            (Content::Enumeration(known), WireType::Varint) => {
                let number = decode_varint(&mut &*raw.payload)?;
                return Ok(if known(number as i32) { Verdict::Keep } else { Verdict::Drop });
            }
            (Content::Enumeration(known), WireType::LengthDelimited) => {
                packed(*known, raw.payload)?
            }
            (Content::Message(table), WireType::LengthDelimited) => {
                self.within(field.name, |walk| walk.message(table, raw.payload))?
            }
            (Content::Map(table), WireType::LengthDelimited) => {
                self.within(field.name, |walk| walk.map_entry(table, raw.payload))?
            }
            // Nothing to check, or not what the field should look like: prost says so.
            _ => return Ok(Verdict::Keep),
        };
        match whole {
            Cow::Borrowed(_) => Ok(Verdict::Keep),
            Cow::Owned(payload) => Ok(Verdict::Replace(length_delimited(raw.tag, &payload))),
        }
    }

    fn map_entry<'a>(
        &mut self,
        value: &'static Table,
        bytes: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, ProtobufError> {
        let mut kept = Kept { bytes, up_to: 0, changed: None };
        let mut rest = bytes;
        while !rest.is_empty() {
            let start = bytes.len() - rest.len();
            let raw = RawField::take(&mut rest)?;
            if raw.tag != MAP_VALUE_TAG || raw.wire_type != WireType::LengthDelimited {
                continue;
            }
            if let Cow::Owned(payload) = self.message(value, raw.payload)? {
                let end = bytes.len() - rest.len();
                kept.replace(start, end, &length_delimited(raw.tag, &payload));
            }
        }
        Ok(kept.finish())
    }

    fn within<T>(
        &mut self,
        name: &str,
        walk: impl FnOnce(&mut Self) -> Result<T, ProtobufError>,
    ) -> Result<T, ProtobufError> {
        let mark = self.report.mark();
        let result = walk(self);
        self.report.prefix(mark, format_args!(".{name}"));
        result
    }
}

/// What becomes of one field.
enum Verdict {
    Keep,
    Drop,
    /// The field as it is to be, key included.
    Replace(Vec<u8>),
}

/// One field as it stands in the bytes.
struct RawField<'a> {
    tag: u32,
    wire_type: WireType,
    /// The value; of a length-delimited field, without its length.
    payload: &'a [u8],
}

impl<'a> RawField<'a> {
    fn take(rest: &mut &'a [u8]) -> Result<Self, ProtobufError> {
        let (tag, wire_type) = decode_key(rest)?;
        let value = *rest;
        let payload = if wire_type == WireType::LengthDelimited {
            let length = decode_varint(rest)?;
            let (payload, after) = usize::try_from(length)
                .ok()
                .and_then(|length| rest.split_at_checked(length))
                .ok_or_else(|| ProtobufError::Malformed(format!("field {tag} is cut off")))?;
            *rest = after;
            payload
        } else {
            skip_field(wire_type, tag, rest, DecodeContext::default())?;
            &value[..value.len() - rest.len()]
        };
        Ok(Self { tag, wire_type, payload })
    }
}

/// The bytes of a message, copied only once something in them changes.
struct Kept<'a> {
    bytes: &'a [u8],
    /// `changed` stands for all bytes before this position.
    up_to: usize,
    changed: Option<Vec<u8>>,
}

impl<'a> Kept<'a> {
    fn replace(&mut self, start: usize, end: usize, by: &[u8]) {
        let changed = self.changed.get_or_insert_default();
        changed.extend_from_slice(&self.bytes[self.up_to..start]);
        changed.extend_from_slice(by);
        self.up_to = end;
    }

    fn finish(self) -> Cow<'a, [u8]> {
        let Some(mut changed) = self.changed else {
            return Cow::Borrowed(self.bytes);
        };
        changed.extend_from_slice(&self.bytes[self.up_to..]);
        Cow::Owned(changed)
    }
}

/// Packed enum values, without those that are not known.
fn packed(known: fn(i32) -> bool, mut payload: &[u8]) -> Result<Cow<'_, [u8]>, ProtobufError> {
    let bytes = payload;
    let mut kept = Kept { bytes, up_to: 0, changed: None };
    while !payload.is_empty() {
        let start = bytes.len() - payload.len();
        let number = decode_varint(&mut payload)?;
        if !known(number as i32) {
            kept.replace(start, bytes.len() - payload.len(), &[]);
        }
    }
    Ok(kept.finish())
}

fn length_delimited(tag: u32, payload: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(payload.len() + 8);
    encode_key(tag, WireType::LengthDelimited, &mut field);
    encode_varint(payload.len() as u64, &mut field);
    field.extend_from_slice(payload);
    field
}
