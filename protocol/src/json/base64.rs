//! Bytes: written as padded base64 (semantics 3), read with much patience (4).

use super::codec::{TextVisitor, Value};
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;
use serde::de::Deserializer;
use serde::ser::Serializer;

/// Asks neither for padding nor for zeros in the bits that no byte claims.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Value for Vec<u8> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(TextVisitor("bytes in base64", decode))
    }
}

impl Value for Bytes {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Ok(Vec::read(deserializer)?.map(Self::from))
    }
}

/// Whitespace is skipped, the first `=` ends the text, and a last character too few to make a byte
/// is dropped.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    if let Ok(bytes) = STANDARD.decode(text) {
        return Ok(bytes);
    }
    let data = text.split('=').next().unwrap_or_default();
    let mut digits: Vec<u8> = Vec::with_capacity(data.len());
    for character in data.chars().filter(|character| !character.is_ascii_whitespace()) {
        if !character.is_ascii_alphanumeric() && !matches!(character, '+' | '/') {
            return Err(format!("invalid character '{}' in base64", character.escape_debug()));
        }
        digits.push(character as u8);
    }
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    LENIENT.decode(digits).map_err(|error| format!("base64: {error}"))
}
