//! Answers.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use protocol::jsonp;
use protocol::media::ContentType;

use super::request::Query;

/// A body that is whole or comes bit by bit.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// An answer.
pub(super) type Reply = Response<Body>;

/// Bodies from this size on are compressed for clients that allow it (semantics 37).
const COMPRESS_FROM_BYTES: usize = 1024;
const TEXT: &str = "text/plain; charset=utf-8";

fn whole(status: StatusCode, content_type: Option<&str>, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(UnsyncBoxBody::new(
        Full::new(Bytes::from(body)).map_err(|never| match never {}),
    ));
    *reply.status_mut() = status;
    if let Some(content_type) = content_type.and_then(|name| HeaderValue::from_str(name).ok()) {
        reply.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    reply
}

/// 200 without a word.
pub(super) fn empty() -> Reply {
    whole(StatusCode::OK, None, Vec::new())
}

pub(super) fn accepted() -> Reply {
    whole(StatusCode::ACCEPTED, None, Vec::new())
}

pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Reply {
    whole(status, Some(TEXT), text.into().into_bytes())
}

pub(super) fn bad_request(message: impl Into<String>) -> Reply {
    text(StatusCode::BAD_REQUEST, message)
}

/// The status as text (semantics 25).
pub(super) fn plain(status: StatusCode) -> Reply {
    let reason = status.canonical_reason().unwrap_or_default();
    text(status, format!("{} {reason}.", status.as_u16()))
}

pub(super) fn not_found() -> Reply {
    plain(StatusCode::NOT_FOUND)
}

pub(super) fn not_implemented() -> Reply {
    plain(StatusCode::NOT_IMPLEMENTED)
}

/// Only POST is answered here (semantics 24).
pub(super) fn only_post(method: &Method) -> Reply {
    let message =
        format!("405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{method}'.");
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, message);
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    reply
}

/// A classic endpoint's answer: JSON, or a script that hands it on, if the query asks for that.
pub(super) fn view(value: &serde_json::Value, query: &Query) -> Reply {
    let json = value.to_string().into_bytes();
    let Some(function) = query.get(jsonp::PARAMETER) else {
        return whole(StatusCode::OK, Some(ContentType::Json.as_str()), json);
    };
    match jsonp::wrap(function, &json) {
        Ok(script) => whole(StatusCode::OK, Some(jsonp::MEDIA_TYPE), script),
        Err(error) => bad_request(error.to_string()),
    }
}

/// A message that was encoded already.
pub(super) fn message(content_type: ContentType, body: Vec<u8>) -> Reply {
    whole(StatusCode::OK, Some(content_type.as_str()), body)
}

pub(super) fn metrics(body: String) -> Reply {
    whole(StatusCode::OK, Some("text/plain; version=0.0.4"), body.into_bytes())
}

/// A body that is never whole.
pub(super) fn stream(content_type: &str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        reply.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    reply
}

/// Compresses a whole answer if that is allowed and worth it.
pub(super) fn compress(reply: Reply, is_allowed: bool) -> Reply {
    use http_body_util::combinators::UnsyncBoxBody as Boxed;
    use hyper::body::Body as _;
    let size = reply.body().size_hint().exact().unwrap_or(0) as usize;
    if !is_allowed || size < COMPRESS_FROM_BYTES {
        return reply;
    }
    let (mut head, body) = reply.into_parts();
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let body = futures::FutureExt::now_or_never(body.collect());
    let whole =
        body.and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let packed = encoder.write_all(&whole).and_then(|()| encoder.finish()).unwrap_or_default();
    Response::from_parts(head, Boxed::new(Full::new(packed.into()).map_err(|never| match never {})))
}
