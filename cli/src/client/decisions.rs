//! Every decision of the masters, a line of JSON each (`/events`): any of them tells it.

use hyper::body::Incoming;

use super::events::{StreamError, next_frame};
use super::http::{self as wire, HttpError};
use super::leader::{Leader, LeaderError};

/// The longest line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// What a master tells.
#[derive(Debug)]
pub(crate) struct Decisions {
    body: Incoming,
    /// What has come and is no whole line yet, from here on.
    bytes: Vec<u8>,
    begin: usize,
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecisionsError {
    /// There is nobody to ask.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The answer broke off.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The master does not have what is asked for.
    #[error("{0}")]
    Refused(String),
}

impl Leader {
    /// Listens from this index on, or from the next decision on; to these events, or to all.
    pub(crate) async fn decisions(
        &self,
        from: Option<u64>,
        events: &[String],
    ) -> Result<Decisions, DecisionsError> {
        let from = from.map(|from| format!("from={from}&")).unwrap_or_default();
        let path = format!("/events?{from}event={}", events.join(","));
        let (address, answer) = self.get(&path).await?;
        if answer.status().is_success() {
            return Ok(Decisions { body: answer.into_body(), bytes: Vec::new(), begin: 0 });
        }
        let body = wire::body(&address, answer).await?;
        Err(DecisionsError::Refused(String::from_utf8_lossy(&body).trim().to_owned()))
    }
}

impl Decisions {
    /// The next line.
    pub(crate) async fn next(&mut self) -> Result<String, StreamError> {
        let mut looked = self.begin;
        loop {
            if let Some(length) = self.bytes[looked..].iter().position(|byte| *byte == b'\n') {
                let line = &self.bytes[self.begin..looked + length];
                let line = String::from_utf8_lossy(line).into_owned();
                self.begin = looked + length + 1;
                return Ok(line);
            }
            self.bytes.drain(..self.begin);
            (self.begin, looked) = (0, self.bytes.len());
            if looked > LINE_BYTES_MAX {
                return Err(StreamError::Endless);
            }
            if let Some(data) = next_frame(&mut self.body).await?.data_ref() {
                self.bytes.extend_from_slice(data);
            }
        }
    }
}
