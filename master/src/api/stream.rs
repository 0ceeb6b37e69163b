//! The body of a stream: one record a frame, and so one HTTP chunk (clients.md), with a heartbeat
//! whenever the interval is over.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use hyper::body::Frame;
use protocol::media::ContentType;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::body::{Body, boxed};
use crate::effects::HEARTBEAT_SECONDS;
use crate::streams::Opened;

/// A stream of records to one client.
#[derive(Debug)]
struct Records {
    /// What comes before all else.
    first: VecDeque<Bytes>,
    opened: Opened<Bytes>,
    heartbeat: Bytes,
    interval: Interval,
    /// Nothing beats before the first record.
    has_begun: bool,
}

/// The answer that carries the stream (semantics 39).
pub(super) fn response(
    opened: Opened<Bytes>,
    content_type: ContentType,
    first: impl IntoIterator<Item = Bytes>,
    heartbeat: Bytes,
) -> Response<Body> {
    let period = Duration::from_secs_f64(HEARTBEAT_SECONDS);
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = first.into_iter().collect();
    let records = Records { first, opened, heartbeat, interval, has_begun: false };
    let mut response = Response::new(boxed(records));
    let media_type = HeaderValue::from_static(content_type.as_str());
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

impl hyper::body::Body for Records {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(record) = self.first.pop_front() {
            self.has_begun = true;
            return Poll::Ready(Some(Ok(Frame::data(record))));
        }
        if let Poll::Ready(next) = self.opened.drain.poll_next(context) {
            self.has_begun = true;
            return Poll::Ready(next.map(|record| Ok(Frame::data(record))));
        }
        while self.interval.poll_tick(context).is_ready() {
            if self.has_begun {
                return Poll::Ready(Some(Ok(Frame::data(self.heartbeat.clone()))));
            }
        }
        Poll::Pending
    }
}
