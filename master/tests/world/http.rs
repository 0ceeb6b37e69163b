//! A small HTTP client that shows each chunk by itself.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Sends a request over a connection of its own, and gives the answer before its body.
pub async fn open(
    address: &str,
    request: Request<Full<Bytes>>,
) -> Result<http::Response<Incoming>, hyper::Error> {
    let stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        Err(error) => panic!("{address}: {error}"),
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

/// Sends a request and reads the answer whole.
pub async fn send(address: &str, request: Request<Full<Bytes>>) -> Answer {
    let response = open(address, request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// GET.
pub async fn get(address: &str, path: &str) -> Answer {
    send(address, request("GET", path, &[], "")).await
}

/// GET from a master that may not be there.
pub async fn try_get(address: &str, path: &str) -> Option<Answer> {
    drop(TcpStream::connect(address).await.ok()?);
    let response = open(address, request("GET", path, &[], "")).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}

/// POST of JSON.
pub async fn post(address: &str, path: &str, body: &str) -> Answer {
    send(address, request("POST", path, &[("content-type", "application/json")], body.to_owned()))
        .await
}

/// A request.
pub fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "x");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).expect("a request")
}
