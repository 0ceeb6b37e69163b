//! One HTTP/1.1 request on a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use super::trust;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer's status line and headers may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the rest of an answer that ends may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of an answer that is kept in memory.
const BODY_BYTES_MAX: usize = 512 << 20;

/// An answer whose body has not been read yet.
pub(super) type Answer = http::Response<Incoming>;

/// Why a request had no answer, or none that could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No connection.
    #[error("cannot connect to {0}")]
    Connect(Address, #[source] std::io::Error),
    /// The peer hung up, or spoke something else than HTTP.
    #[error("talking to {0}")]
    Exchange(Address, #[source] hyper::Error),
    /// The peer took too long.
    #[error("{0} does not answer")]
    Silent(Address),
    /// The body broke off, or is larger than it may be.
    #[error("reading the answer of {0}")]
    Body(Address, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The path or a header cannot be sent.
    #[error("cannot ask {0}")]
    Request(Address, #[source] http::Error),
}

/// Posts `body`, with these headers.
pub(super) async fn post(
    address: &Address,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, HttpError> {
    request(address, (Method::POST, path), headers, body).await
}

/// Sends one request with these headers.
pub(super) async fn request(
    address: &Address,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, HttpError> {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(address, request, body).await
}

/// The whole body of an answer.
pub(super) async fn body(address: &Address, answer: Answer) -> Result<Bytes, HttpError> {
    let whole = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect();
    match timeout(BODY_TIMEOUT, whole).await {
        Err(_) => Err(HttpError::Silent(address.clone())),
        Ok(Err(error)) => Err(HttpError::Body(address.clone(), error)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

async fn send(
    address: &Address,
    request: http::request::Builder,
    body: Vec<u8>,
) -> Result<Answer, HttpError> {
    let request = request
        .header(http::header::HOST, address.as_str())
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| HttpError::Request(address.clone(), error))?;
    let silent = || HttpError::Silent(address.clone());
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address.as_str()))
        .await
        .map_err(|_| silent())?
        .map_err(|error| HttpError::Connect(address.clone(), error))?;
    let stream = timeout(CONNECT_TIMEOUT, trust::secure(address, stream))
        .await
        .map_err(|_| silent())?
        .map_err(|error| HttpError::Connect(address.clone(), error))?;
    let broken = |error| HttpError::Exchange(address.clone(), error);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Its errors are those of the answer or body that the caller is reading.
    tokio::spawn(connection);
    timeout(ANSWER_TIMEOUT, sender.send_request(request))
        .await
        .map_err(|_| silent())?
        .map_err(broken)
}
