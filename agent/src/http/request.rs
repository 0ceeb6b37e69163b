//! What is read from requests, within limits.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use protocol::json::{JsonError, JsonMessage};
use protocol::media::{self, ContentType, DecodeError, RECORDIO};
use protocol::pb::{Checked, ProtobufError};
use tokio::time::timeout;

use super::reply::{self, Reply};

/// Largest body. An executor that subscribes again sends all its unacknowledged updates in one.
const BODY_LIMIT_BYTES: usize = 64 << 20;
/// How long a body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Parameters of one query.
const QUERY_LIMIT: usize = 64;

/// How the records of a stream that comes are written, and how those of one that goes are to be.
const MESSAGE_CONTENT_TYPE: HeaderName = HeaderName::from_static("message-content-type");
const MESSAGE_ACCEPT: HeaderName = HeaderName::from_static("message-accept");

/// The named values of a query.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        Self::parse(request.uri().query().unwrap_or_default())
    }

    fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(QUERY_LIMIT);
        let decode = |text: &str| decode(&text.replace('+', " "));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(pairs.map(pair).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Undoes percent encoding; what is not valid stays as it is.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn accepts_gzip<B>(request: &Request<B>) -> bool {
    let header = request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    header.is_some_and(|header| {
        header.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_gzip = matches!(parts.next(), Some("gzip" | "*"));
            is_gzip && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    })
}

fn header<'a, B>(request: &'a Request<B>, name: &HeaderName) -> Option<&'a str> {
    // A value that is not text is none that we know.
    request.headers().get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// A call as it came, and how it is to be answered.
#[derive(Debug)]
pub(super) struct Posted<M> {
    pub(super) call: M,
    pub(super) answer_as: ContentType,
}

/// Which media types an endpoint names when it refuses another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// It knows messages only.
    None,
    /// Some of its calls are streams (semantics 276).
    Some,
}

/// Reads a call: method, content type, body, accepted answer, in the order of Mesos's own checks.
pub(super) async fn read_call<M>(
    request: Request<Incoming>,
    streams: Streams,
) -> Result<Posted<M>, Box<Reply>>
where
    M: JsonMessage + Checked + prost::Message + Default,
{
    if request.method() != Method::POST {
        return Err(Box::new(reply::only_post(request.method())));
    }
    let content_type = content_type(&request, streams)?;
    let accept = header(&request, &ACCEPT).map(str::to_owned);
    let has_record_type = request.headers().contains_key(&MESSAGE_ACCEPT);
    let packed = header(&request, &CONTENT_ENCODING) == Some("gzip");
    let mut body = read_body(request.into_body()).await?;
    if packed {
        let unpacked = tokio::task::spawn_blocking(move || unpack(&body)).await;
        body = unpacked.map_err(|_| Box::new(reply::bad_request("The body is no gzip")))??;
    }
    let call = content_type.decode(&body).map_err(|error| Box::new(undecodable(&error)))?;
    let answer_as = ContentType::accepted_by(accept.as_deref());
    let answer_as = answer_as.ok_or_else(|| Box::new(unacceptable(accept.as_deref(), streams)))?;
    if streams == Streams::Some && has_record_type {
        let message = "Expecting 'Message-Accept' to be not set for non-streaming responses";
        return Err(Box::new(reply::text(StatusCode::NOT_ACCEPTABLE, message)));
    }
    Ok(Posted { call, answer_as })
}

fn content_type<B>(request: &Request<B>, streams: Streams) -> Result<ContentType, Box<Reply>> {
    let refuse = |status, message: &str| Box::new(reply::text(status, message));
    let Some(name) = header(request, &CONTENT_TYPE) else {
        return Err(refuse(StatusCode::BAD_REQUEST, "Expecting 'Content-Type' to be present"));
    };
    let unsupported = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    if let Some(known) = ContentType::from_header(name) {
        if streams == Streams::Some && request.headers().contains_key(&MESSAGE_CONTENT_TYPE) {
            let message =
                "Expecting 'Message-Content-Type' to be not set for non-streaming requests";
            return Err(refuse(unsupported, message));
        }
        return Ok(known);
    }
    match streams {
        Streams::Some if name == RECORDIO => Err(Box::new(refuse_stream(request))),
        Streams::Some => Err(refuse(
            unsupported,
            "Expecting 'Content-Type' of application/json or application/x-protobuf \
             or application/recordio",
        )),
        Streams::None => Err(refuse(
            unsupported,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        )),
    }
}

/// No call that this agent serves is a stream of records (semantics 277).
fn refuse_stream<B>(request: &Request<B>) -> Reply {
    match header(request, &MESSAGE_CONTENT_TYPE) {
        None => {
            reply::bad_request("Expecting 'Message-Content-Type' to be set for streaming requests")
        }
        Some(name) if ContentType::from_header(name).is_none() => reply::text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Expecting 'Message-Content-Type' of application/json or application/x-protobuf",
        ),
        Some(_) => reply::not_implemented(),
    }
}

fn unacceptable(accept: Option<&str>, streams: Streams) -> Reply {
    let message = match streams {
        Streams::Some if media::accepts(accept, RECORDIO) => {
            "A stream of records is no answer to this call"
        }
        Streams::Some => {
            "Expecting 'Accept' to allow application/json or application/x-protobuf \
             or application/recordio"
        }
        Streams::None => {
            "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"
        }
    };
    reply::text(StatusCode::NOT_ACCEPTABLE, message)
}

async fn read_body(mut body: Incoming) -> Result<Bytes, Box<Reply>> {
    // one that says so beforehand is not waited for
    if body.size_hint().lower() > BODY_LIMIT_BYTES as u64 {
        return Err(Box::new(too_large(body)));
    }
    let whole = timeout(BODY_TIMEOUT, Limited::new(&mut body, BODY_LIMIT_BYTES).collect()).await;
    match whole {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Box::new(too_large(body))),
        Ok(Err(error)) => Err(Box::new(reply::bad_request(format!("The body broke off: {error}")))),
        Err(_) => {
            Err(Box::new(reply::text(StatusCode::REQUEST_TIMEOUT, "The body did not come in time")))
        }
    }
}

/// Undoes gzip, and stops once there is more than a body may have: a few bytes can hold gigabytes.
fn unpack(body: &[u8]) -> Result<Bytes, Box<Reply>> {
    let mut unpacked = Vec::new();
    let mut limited = GzDecoder::new(body).take(BODY_LIMIT_BYTES as u64 + 1);
    let read = limited.read_to_end(&mut unpacked);
    read.map_err(|error| Box::new(reply::bad_request(format!("The body is no gzip: {error}"))))?;
    if unpacked.len() > BODY_LIMIT_BYTES {
        return Err(Box::new(larger()));
    }
    Ok(unpacked.into())
}

/// Throws away what still comes: a connection that is closed with bytes unread is reset, and the client
/// that still writes never sees the answer.
fn too_large(mut body: Incoming) -> Reply {
    let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
    tokio::spawn(timeout(BODY_TIMEOUT, rest));
    larger()
}

fn larger() -> Reply {
    let message = format!("The body is larger than {BODY_LIMIT_BYTES} bytes");
    reply::text(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// What is wrong with a body, in the words of semantics 28; an agent puts none before what does not
/// convert (semantics 321).
fn undecodable(error: &DecodeError) -> Reply {
    reply::bad_request(match error {
        DecodeError::Json(JsonError::Parse(text)) => {
            format!("Failed to parse body into JSON: {text}")
        }
        DecodeError::Json(JsonError::Convert(text))
        | DecodeError::Protobuf(ProtobufError::Missing(text)) => text.clone(),
        DecodeError::Protobuf(_) => "Failed to parse body into a protobuf object".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("path=%2Fa%20b&offset=3&x&path=no&plus=a+b&bad=%zz%");
        assert_eq!(query.get("path"), Some("/a b"));
        assert_eq!(query.get("offset"), Some("3"));
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.get("plus"), Some("a b"));
        assert_eq!(query.get("bad"), Some("%zz%"));
        assert_eq!(query.get("absent"), None);
    }

    fn check_unpacked(packed: &[u8], expected: Result<usize, StatusCode>) {
        let unpacked = unpack(packed).map(|body| body.len()).map_err(|reply| reply.status());
        assert_eq!(unpacked, expected);
    }

    fn packed_zeros(bytes: usize) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; bytes]).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    }

    #[test]
    fn a_packed_body_may_be_as_large_as_another() {
        check_unpacked(&packed_zeros(1000), Ok(1000));
        check_unpacked(&packed_zeros(BODY_LIMIT_BYTES), Ok(BODY_LIMIT_BYTES));
        let bomb = packed_zeros(BODY_LIMIT_BYTES + 1);
        assert!(bomb.len() < BODY_LIMIT_BYTES / 100, "a bomb is small");
        check_unpacked(&bomb, Err(StatusCode::PAYLOAD_TOO_LARGE));
        check_unpacked(b"no gzip at all", Err(StatusCode::BAD_REQUEST));
        let half = packed_zeros(1000);
        check_unpacked(&half[..half.len() / 2], Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn gzip_is_used_only_where_it_is_allowed() {
        for (header, expected) in [
            (Some("gzip"), true),
            (Some("deflate, gzip;q=0.5"), true),
            (Some("*"), true),
            (Some("gzip;q=0"), false),
            (Some("identity"), false),
            (None, false),
        ] {
            let mut request = Request::new(());
            if let Some(header) = header {
                request.headers_mut().insert(ACCEPT_ENCODING, header.parse().expect("valid"));
            }
            assert_eq!(accepts_gzip(&request), expected, "{header:?}");
        }
    }
}
