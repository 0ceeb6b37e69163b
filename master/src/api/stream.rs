//! The body of a stream: one record a frame, and so one HTTP chunk (clients.md), with a heartbeat
//! whenever the interval is over.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use hyper::body::Frame;
use protocol::media::ContentType;
use protocol::v1::scheduler::event::Type;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::body::{Body, boxed};
use crate::effects::HEARTBEAT_SECONDS;
use crate::master::Master;
use crate::streams::Opened;

/// A stream of records to one client.
#[derive(Debug)]
struct Records {
    /// Who counts the heartbeats of schedulers.
    master: Option<Arc<Master>>,
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
    master: &Arc<Master>,
    opened: Opened<Bytes>,
    content_type: ContentType,
    (first, heartbeat): (impl IntoIterator<Item = Bytes>, Bytes),
) -> Response<Body> {
    let period = Duration::from_secs_f64(HEARTBEAT_SECONDS);
    let first = first.into_iter().collect();
    let records = Records::new(opened, first, (heartbeat, period));
    let records = Records { master: Some(master.clone()), ..records };
    let mut response = Response::new(boxed(records));
    let media_type = HeaderValue::from_static(content_type.as_str());
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

impl Records {
    /// `first` comes at once, the heartbeat after each period.
    fn new(
        opened: Opened<Bytes>,
        first: VecDeque<Bytes>,
        (heartbeat, period): (Bytes, Duration),
    ) -> Self {
        let mut interval = tokio::time::interval_at(Instant::now() + period, period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { master: None, first, opened, heartbeat, interval, has_begun: false }
    }

    fn count_heartbeat(&self) {
        let Some(master) = &self.master else { return };
        if let Some(framework) = master.streams.framework(self.opened.session) {
            master.counters.event(framework, Type::Heartbeat as i32);
        }
    }
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
                self.count_heartbeat();
                return Poll::Ready(Some(Ok(Frame::data(self.heartbeat.clone()))));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::leader::inbox;
    use crate::streams::Streams;

    /// semantics 56, 297: first what there is to say, then a heartbeat in each period, which is 15 s.
    #[tokio::test]
    async fn a_stream_shows_again_and_again_that_it_lives() {
        assert!((HEARTBEAT_SECONDS - 15.0).abs() < f64::EPSILON);
        let (inbox, _requests) = inbox();
        let streams = Streams::new(inbox);
        let opened = streams.open_operator(1, ContentType::Json, 9);
        let (first, beat) = (Bytes::from_static(b"first"), Bytes::from_static(b"beat"));
        let period = Duration::from_millis(5);
        let began = Instant::now();
        let mut records = Records::new(opened, [first.clone()].into(), (beat.clone(), period));
        for (number, expected) in [first, beat.clone(), beat.clone(), beat].iter().enumerate() {
            let frame = records.frame().await.expect("it goes on").expect("no error");
            assert_eq!(frame.into_data().ok().as_ref(), Some(expected));
            assert!(began.elapsed() >= period * number as u32, "not early");
        }
    }
}
