//! The v1 messages as JSON, with the rules of semantics 1-23.
//!
//! The build script writes an impl of [`JsonMessage`] for every message; this module gives it the
//! pieces:
//!
//! - `read` and `write`: fields by how often they occur (required, optional, repeated, map);
//! - `number`, `base64` and `codec`: what one value looks like;

mod base64;
mod codec;
mod generated;
mod list;
mod number;
mod read;
mod write;

pub use codec::{Codec, Enumeration, Name, Nested, Plain, Value};
pub use read::Input;
pub use write::Output;

use crate::report::Report;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde::ser::SerializeMap;

/// Most characters of an error text that are kept: it may quote what a client sent.
const MAX_ERROR_CHARS: usize = 500;

/// A message with a JSON form. Implemented by the build script, for the v1 messages.
pub trait JsonMessage: Default {
    /// Names of the fields, in declaration order.
    const FIELDS: &'static [&'static str];
    /// The required fields: bit `i` stands for `FIELDS[i]`.
    const REQUIRED: u128;
    /// Position in `FIELDS`, `None` for a name that this message does not know.
    fn index(name: &str) -> Option<usize>;
    /// Writes all fields that JSON shows.
    fn write<M: SerializeMap>(&self, output: &mut Output<'_, M>) -> Result<(), M::Error>;
    /// Reads the value of `FIELDS[index]`. False when the value counts as unset.
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        input: Input<'_, A>,
    ) -> Result<bool, A::Error>;
}

/// Why a text is not the message that was asked for (semantics 28). The texts are fit for a
/// client's eyes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("{0}")]
    Parse(String),
    /// The text is JSON, and does not fit the message.
    #[error("{0}")]
    Convert(String),
}

/// Writes a message as one line of JSON.
///
/// # Panics
///
/// Never: the names are strings, and a `Vec` takes all that is written to it.
pub fn to_vec<M: JsonMessage + serde::Serialize>(message: &M) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages have string keys")
}

/// Reads a message from a JSON object, with the leniency of Mesos (semantics 12-19).
pub fn from_slice<M: JsonMessage>(text: &[u8]) -> Result<M, JsonError> {
    read_text(text, "object", |json, report| {
        read::Message(std::marker::PhantomData, report).deserialize(json)
    })
}

/// Reads messages from a JSON array, as `/weights` and `/machine/up` take them (semantics 19).
pub fn list_from_slice<M: JsonMessage>(text: &[u8]) -> Result<Vec<M>, JsonError> {
    read_text(text, "array", |json, report| {
        list::List(std::marker::PhantomData, report).deserialize(json)
    })
}

type TextReader<'a> = serde_json::Deserializer<serde_json::de::SliceRead<'a>>;

fn read_text<'a, T>(
    text: &'a [u8],
    shape: &str,
    read: impl FnOnce(&mut TextReader<'a>, &mut Report) -> serde_json::Result<T>,
) -> Result<T, JsonError> {
    let mut report = Report::default();
    let mut json = serde_json::Deserializer::from_slice(text);
    let result = read(&mut json, &mut report).and_then(|value| json.end().map(|()| value));
    match result {
        Ok(value) => {
            report.into_missing().map_or(Ok(value), |missing| Err(JsonError::Convert(missing)))
        }
        Err(error) => Err(classify(text, shape, &error, &report)),
    }
}

/// A text that is not JSON is called that, even if something before the fault did not fit the
/// message.
fn classify(text: &[u8], shape: &str, error: &serde_json::Error, report: &Report) -> JsonError {
    if let Some(rest) = after_value(text) {
        let rest = String::from_utf8_lossy(rest);
        let said = format!("Parsed JSON included non-whitespace trailing characters: {rest}");
        return JsonError::Parse(shorten(said));
    }
    if !error.is_data() {
        return JsonError::Parse(shorten(error.to_string()));
    }
    match serde_json::from_slice::<IgnoredAny>(text) {
        Err(syntax) => JsonError::Parse(shorten(syntax.to_string())),
        Ok(_) if report.is_at_top() => JsonError::Convert(format!("Expecting a JSON {shape}")),
        Ok(_) => JsonError::Convert(shorten(report.locate(error))),
    }
}

/// What follows a whole JSON value, if that is more than white space.
fn after_value(text: &[u8]) -> Option<&[u8]> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let rest = text.get(values.byte_offset()..)?;
    (!rest.trim_ascii().is_empty()).then_some(rest)
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_ERROR_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
