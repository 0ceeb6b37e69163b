//! Bodies that come in and go out, and the answers of requests that are refused.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use protocol::media::ContentType;
use statemachine::Rejection;

/// The largest body of a request.
const BODY_BYTES_MAX: usize = 16 << 20;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Boxes any body.
pub(crate) fn boxed<B>(body: B) -> Body
where
    B: http_body_util::BodyExt<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// Nothing.
pub(crate) fn empty() -> Body {
    boxed(Empty::new())
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// An answer in one piece.
pub(crate) fn whole(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(boxed(Full::new(body.into())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// JSON in one piece.
pub(crate) fn json(body: impl Into<Bytes>) -> Response<Body> {
    whole(ContentType::Json.as_str(), body)
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum BodyError {
    TooLarge,
    TooSlow,
    Broken(String),
}

/// Reads a body whole, unpacked if it is gzip.
pub(crate) async fn collect(
    mut incoming: Incoming,
    headers: &HeaderMap,
) -> Result<Bytes, BodyError> {
    // one that says so beforehand is not waited for
    if incoming.size_hint().lower() > BODY_BYTES_MAX as u64 {
        tokio::spawn(drain(incoming));
        return Err(BodyError::TooLarge);
    }
    let collected = Limited::new(&mut incoming, BODY_BYTES_MAX).collect();
    let collected = tokio::time::timeout(BODY_TIMEOUT, collected).await;
    let body = match collected.map_err(|_| BodyError::TooSlow)? {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            tokio::spawn(drain(incoming));
            return Err(BodyError::TooLarge);
        }
        Err(error) => return Err(BodyError::Broken(format!("the body is broken: {error}"))),
    };
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        Some(b"gzip") => unpack(&body),
        _ => Ok(body),
    }
}

/// Throws away what still comes of a body that is refused already: a connection that is closed with
/// bytes unread is reset, and the client that still writes never sees the answer.
async fn drain(mut incoming: Incoming) {
    let rest = async { while let Some(Ok(_)) = incoming.frame().await {} };
    // one that is slow has had the answer all the same
    let _ = tokio::time::timeout(BODY_TIMEOUT, rest).await;
}

fn unpack(body: &[u8]) -> Result<Bytes, BodyError> {
    let mut unpacked = Vec::new();
    let mut limited = GzDecoder::new(body).take(BODY_BYTES_MAX as u64 + 1);
    let read = limited.read_to_end(&mut unpacked);
    read.map_err(|error| BodyError::Broken(format!("the body is no gzip: {error}")))?;
    if unpacked.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    Ok(unpacked.into())
}

/// A request that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest(String),
    Forbidden(String),
    NotFound,
    /// What the request names is not there.
    Unknown(String),
    /// What it needs is in use.
    Conflict(String),
    /// With the method that is expected, and the one that came.
    MethodNotAllowed(&'static str, String),
    NotAcceptable,
    TooLarge,
    TooSlow,
    UnsupportedMediaType,
    NotImplemented(String),
    /// There is room again after so long.
    TooMany(Duration, String),
    Unavailable(String),
    /// Another master leads: the same request goes there.
    Elsewhere(String),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let text = rejection.to_string();
        match rejection {
            Rejection::FrameworkNotSubscribed => Self::Forbidden(text),
            Rejection::Conflict(_) => Self::Conflict(text),
            _ => Self::BadRequest(text),
        }
    }
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<Body> {
        let (code, text) = match self {
            Self::BadRequest(text) => (StatusCode::BAD_REQUEST, text),
            Self::Forbidden(text) => (StatusCode::FORBIDDEN, text),
            Self::NotFound => (StatusCode::NOT_FOUND, "404 Not Found.".to_owned()),
            Self::Unknown(text) => (StatusCode::NOT_FOUND, text),
            Self::Conflict(text) => (StatusCode::CONFLICT, text),
            Self::MethodNotAllowed(allowed, received) => return not_allowed(allowed, &received),
            Self::NotAcceptable => (
                StatusCode::NOT_ACCEPTABLE,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"
                    .to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("a body may have {BODY_BYTES_MAX} bytes at most"),
            ),
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, format!("the body took longer than {BODY_TIMEOUT:?}"))
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Expecting 'Content-Type' of application/json or application/x-protobuf".to_owned(),
            ),
            Self::NotImplemented(text) => (StatusCode::NOT_IMPLEMENTED, text),
            Self::TooMany(again, text) => return too_many(again, text),
            Self::Unavailable(text) => (StatusCode::SERVICE_UNAVAILABLE, text),
            Self::Elsewhere(location) => return redirect(&location),
        };
        let mut response = whole("text/plain; charset=utf-8", text);
        *response.status_mut() = code;
        response
    }
}

fn not_allowed(allowed: &'static str, received: &str) -> Response<Body> {
    let text = format!(
        "405 Method Not Allowed. Expecting one of {{ '{allowed}' }}, but received '{received}'."
    );
    let mut response = whole("text/plain; charset=utf-8", text);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn too_many(again: Duration, text: String) -> Response<Body> {
    let mut response = whole("text/plain; charset=utf-8", text);
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let seconds = again.as_secs() + u64::from(again.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    response
}

/// A redirect to where the leader is (semantics 32).
pub(crate) fn redirect(location: &str) -> Response<Body> {
    let mut response = status(StatusCode::TEMPORARY_REDIRECT);
    match HeaderValue::from_str(location) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Err(_) => status(StatusCode::BAD_REQUEST),
    }
}
