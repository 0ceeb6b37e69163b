//! Files from HTTP servers: redirects, stalls and other people's mistakes.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// Redirects that are followed; a circle ends here.
const REDIRECTS: usize = 10;
/// Largest file that is downloaded. It goes to the disk as it comes.
const SIZE_LIMIT_BYTES: u64 = 64 << 30;

/// Why a file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error("it is not a valid URI")]
    Uri(#[from] http::uri::InvalidUri),
    #[error("cannot reach the server")]
    Connect(#[from] hyper_util::client::legacy::Error),
    #[error("the connection broke")]
    Read(#[from] hyper::Error),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the server redirects to nowhere")]
    Redirect,
    #[error("the server redirects more than {REDIRECTS} times")]
    Circle,
    #[error("nothing came for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("the file is larger than {SIZE_LIMIT_BYTES} bytes")]
    TooLarge,
    #[error("cannot write to the sandbox")]
    Write(#[from] std::io::Error),
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Downloads `address` into `file`.
pub(super) async fn download(
    address: &str,
    mut file: File,
    stall_timeout: Duration,
) -> Result<(), DownloadError> {
    let stalled = |_| DownloadError::Stalled(stall_timeout);
    let mut body = timeout(stall_timeout, open(address)).await.map_err(stalled)??;
    let mut size_bytes = 0;
    while let Some(frame) = timeout(stall_timeout, body.frame()).await.map_err(stalled)? {
        let Ok(data) = frame?.into_data() else { continue };
        size_bytes += data.len() as u64;
        if size_bytes > SIZE_LIMIT_BYTES {
            return Err(DownloadError::TooLarge);
        }
        file.write_all(&data)?;
    }
    Ok(())
}

async fn open(address: &str) -> Result<Incoming, DownloadError> {
    let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1();
    let client: HttpClient = Client::builder(TokioExecutor::new()).build(connector.build());
    let mut uri: Uri = address.parse()?;
    for _ in 0..=REDIRECTS {
        let response = client.get(uri.clone()).await?;
        if !response.status().is_redirection() {
            let is_found = response.status() == StatusCode::OK;
            return if is_found {
                Ok(response.into_body())
            } else {
                Err(DownloadError::Status(response.status()))
            };
        }
        let location = response.headers().get(header::LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        uri = follow(&uri, location.ok_or(DownloadError::Redirect)?)?;
    }
    Err(DownloadError::Circle)
}

/// Where a redirect leads; it may leave out scheme and host.
fn follow(from: &Uri, location: &str) -> Result<Uri, DownloadError> {
    let scheme = from.scheme_str().unwrap_or("http");
    let host = from.authority().map_or("", |authority| authority.as_str());
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(location.parse()?);
    }
    if let Some(rest) = location.strip_prefix("//") {
        return Ok(format!("{scheme}://{rest}").parse()?);
    }
    if location.starts_with('/') {
        return Ok(format!("{scheme}://{host}{location}").parse()?);
    }
    let directory = from.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    Ok(format!("{scheme}://{host}{directory}/{location}").parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_may_be_relative() {
        let from: Uri = "https://h:1/a/b".parse().expect("valid");
        for (location, expected) in [
            ("http://x/y", "http://x/y"),
            ("//x/y", "https://x/y"),
            ("/y", "https://h:1/y"),
            ("y", "https://h:1/a/y"),
        ] {
            let uri = follow(&from, location).expect("valid");
            assert_eq!(uri.to_string(), expected);
        }
    }
}
