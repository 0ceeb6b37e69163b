//! The media types of v1 bodies, and how a client and a server settle on one.

use crate::json::{self, JsonError, JsonMessage};
use crate::pb::{self, Checked, ProtobufError};

/// How a message is written in a body or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// `application/x-protobuf`
    Protobuf,
}

/// The media type of a body that is a stream of records; each record then has a [`ContentType`] of
/// its own.
pub const RECORDIO: &str = "application/recordio";

/// Why a body is not the message that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not a fitting JSON text.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is not a fitting protobuf message.
    #[error(transparent)]
    Protobuf(#[from] ProtobufError),
}

impl ContentType {
    /// The type that a Content-Type header names, exactly and case-sensitively (semantics 27).
    pub fn from_header(header: &str) -> Option<Self> {
        [Self::Json, Self::Protobuf].into_iter().find(|known| known.as_str() == header)
    }

    /// The media type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// The type of an answer: JSON whenever the client takes it, else protobuf, else none
    /// (semantics 29, 320). Without an Accept header a client takes everything.
    pub fn accepted_by(accept: Option<&str>) -> Option<Self> {
        [Self::Json, Self::Protobuf].into_iter().find(|known| accepts(accept, known.as_str()))
    }

    /// Writes a message.
    pub fn encode<M>(self, message: &M) -> Vec<u8>
    where
        M: JsonMessage + serde::Serialize + prost::Message,
    {
        match self {
            Self::Json => json::to_vec(message),
            Self::Protobuf => pb::to_vec(message),
        }
    }

    /// Reads a message.
    pub fn decode<M>(self, body: &[u8]) -> Result<M, DecodeError>
    where
        M: JsonMessage + Checked + prost::Message,
    {
        Ok(match self {
            Self::Json => json::from_slice(body)?,
            Self::Protobuf => pb::from_slice(body)?,
        })
    }
}

/// Whether an Accept header allows a media type such as `application/json`: by name, `type/*` or
/// `*/*`, where `q=0` excludes and upper case does not matter. An absent header allows everything
/// (semantics 29).
pub fn accepts(accept: Option<&str>, media_type: &str) -> bool {
    let Some(accept) = accept else { return true };
    let family = media_type.split('/').next().unwrap_or_default();
    let candidates = [media_type.to_owned(), format!("{family}/*"), "*/*".to_owned()];
    let ranges: Vec<(&str, bool)> = accept.split(',').map(range).collect();
    // The closest range decides: `text/html, */*;q=0` allows HTML, `*/*, text/html;q=0` does not.
    let matching = |candidate: &String| {
        ranges
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(candidate))
            .map(|(_, allowed)| *allowed)
    };
    candidates.iter().find_map(matching).unwrap_or(false)
}

/// One media range of an Accept header, and whether it allows or excludes.
fn range(text: &str) -> (&str, bool) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let excluded = parts.any(|parameter| {
        parameter
            .split_once('=')
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"))
            .and_then(|(_, quality)| quality.trim().parse::<f64>().ok())
            .is_some_and(|quality| quality <= 0.0)
    });
    (name, !excluded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: Option<&str>, expected: Option<ContentType>) {
        assert_eq!(ContentType::accepted_by(accept), expected, "{accept:?}");
    }

    #[test]
    fn json_is_chosen_whenever_it_is_allowed() {
        check(None, Some(ContentType::Json));
        check(Some("*/*"), Some(ContentType::Json));
        check(Some("application/*"), Some(ContentType::Json));
        check(Some("Application/JSON"), Some(ContentType::Json));
        check(
            Some("application/x-protobuf;q=0.9, application/json;q=0.1"),
            Some(ContentType::Json),
        );
        check(Some("text/html, application/xhtml+xml, */*;q=0.8"), Some(ContentType::Json));
    }

    #[test]
    fn protobuf_is_chosen_when_json_is_not_allowed() {
        check(Some("application/x-protobuf"), Some(ContentType::Protobuf));
        check(Some("application/json;q=0, application/x-protobuf"), Some(ContentType::Protobuf));
        check(Some("application/json; q=0.0, */*"), Some(ContentType::Protobuf));
        check(Some("*/*, application/json;Q=0"), Some(ContentType::Protobuf));
    }

    #[test]
    fn nothing_is_chosen_when_neither_is_allowed() {
        for accept in [
            "",
            "text/html",
            "application/recordio",
            "text/*",
            "*/*;q=0",
            "application/jsonx",
            "json",
        ] {
            check(Some(accept), None);
        }
    }

    #[test]
    fn content_types_are_compared_exactly() {
        assert_eq!(ContentType::from_header("application/json"), Some(ContentType::Json));
        assert_eq!(ContentType::from_header("application/x-protobuf"), Some(ContentType::Protobuf));
        for header in
            ["application/json; charset=utf-8", "Application/JSON", "application/recordio", ""]
        {
            assert_eq!(ContentType::from_header(header), None, "{header}");
        }
    }
}
