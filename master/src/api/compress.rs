//! Answers of some size are packed for clients that take it (semantics 37).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Body as _;

use super::body::{Body, boxed};
use super::read;
use crate::master::Master;

/// Smaller answers are sent as they are.
const PACKED_BYTES_MIN: u64 = 1024;

/// Packs the body of an answer, unless it is small, a stream, or not wanted so.
pub(super) async fn compress(
    master: &Master,
    request: &HeaderMap,
    response: Response<Body>,
) -> Response<Body> {
    let size = response.body().size_hint().exact();
    if size.is_none_or(|bytes| bytes < PACKED_BYTES_MIN) || !takes_gzip(request) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // the size is known, so all of it is here already
    let Ok(collected) = body.collect().await else {
        return Response::from_parts(parts, super::body::empty());
    };
    let whole = collected.to_bytes();
    // what many are answered with lies at one place, and is packed once for those who wait for that
    let subject = format!("{} bytes at {:p}", whole.len(), whole.as_ptr());
    match read::text(master, subject, move || pack(&whole).unwrap_or_default()).await {
        Ok(packed) if !packed.is_empty() => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, boxed(Full::new(packed)))
        }
        _ => super::body::status(http::StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn pack(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let accepted = request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| {
        let mut entries = accepted.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        entries.any(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let named = matches!(parts.next(), Some("gzip" | "*"));
            let refused = parts.any(|it| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            named && !refused
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept_encoding: &'static str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept_encoding));
        assert_eq!(takes_gzip(&headers), expected, "{accept_encoding}");
    }

    #[test]
    fn gzip_is_used_where_it_is_taken() {
        check("gzip", true);
        check("deflate, GZIP;q=0.5", true);
        check("*", true);
        check("gzip;q=0", false);
        check("gzip; q=0.0, identity", false);
        check("br", false);
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
