//! A scheduler's stream of events: HTTP body to RecordIO to messages.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming};
use protocol::json::{self, JsonError};
use protocol::recordio::{Decoder, RecordError};
use protocol::v1::scheduler::Event;
use tokio::time::timeout;

/// Heartbeats come every 15 s (semantics 47); after this long without a byte the master is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// An open subscription's incoming side.
#[derive(Debug)]
pub(crate) struct EventStream {
    body: Incoming,
    decoder: Decoder,
}

/// Why a stream gives no more events. A new subscription may.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The master ended it.
    #[error("the master ended the stream")]
    Ended,
    /// The connection broke.
    #[error("the stream broke")]
    Broken(#[source] hyper::Error),
    /// Not even a heartbeat.
    #[error("no heartbeat for {SILENCE_MAX:?}")]
    Silent,
    /// A line does not end.
    #[error("a line of the stream does not end")]
    Endless,
    /// It is not RecordIO.
    #[error("the stream is not RecordIO")]
    Record(#[from] RecordError),
    /// A record is no event.
    #[error("a record is no event")]
    Malformed(#[from] JsonError),
}

impl EventStream {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, decoder: Decoder::default() }
    }

    /// The next event, heartbeats included. Cancel safe: what has arrived is kept.
    pub(crate) async fn next(&mut self) -> Result<Event, StreamError> {
        loop {
            if let Some(record) = self.decoder.next_record()? {
                return Ok(json::from_slice(&record)?);
            }
            if let Some(data) = next_frame(&mut self.body).await?.data_ref() {
                self.decoder.feed(data);
            }
        }
    }
}

/// What comes next of a stream that shows by heartbeats that it lives.
pub(super) async fn next_frame(body: &mut Incoming) -> Result<Frame<Bytes>, StreamError> {
    let frame = timeout(SILENCE_MAX, body.frame()).await.map_err(|_| StreamError::Silent)?;
    frame.ok_or(StreamError::Ended)?.map_err(StreamError::Broken)
}
