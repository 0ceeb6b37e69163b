//! Which state a read is answered from, and how far that is (gaps 33).
//!
//! Clients of Mesos are sent to the leader. A request that names an index is answered by any master, as
//! soon as it has applied that entry; every answer names the index that it was taken at.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response};
use statemachine::State;

use super::body::{Body, Refusal};
use super::{leader, outcome};
use crate::master::Master;
use crate::replica::Frozen;

/// In a request: the entry that the answer is to know of, at whichever master.
const MIN_INDEX: HeaderName = HeaderName::from_static("mesolith-min-index");
/// In an answer: the last entry that it knows of.
const INDEX: HeaderName = HeaderName::from_static("mesolith-index");

/// How long an entry is waited for, unless the request says so.
const WAIT: Duration = Duration::from_secs(10);

/// The committed state at one index.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    newest: Arc<Frozen>,
    index: u64,
}

/// What comes of one answer that is written for all who ask for the same.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// From what, if that was not given.
    seen: Option<Seen>,
    /// None if there is no such answer.
    body: Option<Bytes>,
}

impl Written {
    fn plain(body: impl Into<Bytes>) -> Self {
        Self { seen: None, body: Some(body.into()) }
    }
}

/// Writes what is asked for, from what is newest by then; once for all who wait for the same `subject`.
pub(super) async fn view(
    master: &Arc<Master>,
    subject: String,
    write: impl FnOnce(&Master, &State) -> Option<Bytes> + Send + 'static,
) -> Result<(Seen, Option<Bytes>), Refusal> {
    let (asked, what) = (Arc::clone(master), subject.clone());
    let write = move || {
        let seen = Seen::now(&asked);
        let body = write(&asked, seen.state());
        Written { seen: Some(seen), body }
    };
    match master.desk.write(subject, write).await {
        Some(Written { seen: Some(seen), body }) => Ok((seen, body)),
        _ => Err(unwritten(&what)),
    }
}

/// Writes what is made from nothing but what `subject` names, once for all who wait for it.
pub(super) async fn text<B: Into<Bytes>>(
    master: &Master,
    subject: String,
    write: impl FnOnce() -> B + Send + 'static,
) -> Result<Bytes, Refusal> {
    let what = subject.clone();
    let written = master.desk.write(subject, || Written::plain(write())).await;
    written.and_then(|written| written.body).ok_or_else(|| unwritten(&what))
}

fn unwritten(what: &str) -> Refusal {
    Refusal::Unavailable(format!("{what} could not be answered"))
}

impl Seen {
    /// As this master sees it now.
    pub(super) fn now(master: &Master) -> Self {
        // entries that are no decisions are applied without a new state
        let applied = *master.journal.watch_applied().borrow();
        let newest = master.committed.load();
        Self { index: newest.index.max(applied), newest }
    }

    pub(super) fn state(&self) -> &State {
        &self.newest.state
    }

    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// The answer, with the index that it was taken at.
    pub(super) fn mark(&self, mut answer: Response<Body>) -> Response<Body> {
        mark(&mut answer, self.index);
        answer
    }
}

/// Says up to where all is in an answer that does not say so itself.
pub(super) fn mark_now(master: &Master, answer: &mut Response<Body>) {
    if !answer.headers().contains_key(INDEX) {
        mark(answer, Seen::now(master).index);
    }
}

fn mark(answer: &mut Response<Body>, index: u64) {
    answer.headers_mut().insert(INDEX, HeaderValue::from(index));
}

/// The state that a read is answered from: the leader's, or that of this master if the request names
/// an index.
///
/// # Errors
/// Another master leads; or this one has not come as far as the request wants, in time.
pub(super) async fn seen(master: &Master, parts: &Parts) -> Result<Seen, Refusal> {
    let Some(min) = min_index(&parts.headers)? else {
        leader::readable(master, &parts.uri)?;
        return Ok(Seen::now(master));
    };
    let wait = outcome::patience(&parts.headers)?.unwrap_or(WAIT);
    let mut applied = master.journal.watch_applied();
    let reached = applied.wait_for(|applied| *applied >= min);
    if matches!(tokio::time::timeout(wait, reached).await, Ok(Ok(_))) {
        return Ok(Seen::now(master));
    }
    let index = Seen::now(master).index;
    Err(Refusal::Unavailable(format!(
        "this master has come to index {index} within {wait:?}, and not to {min}"
    )))
}

fn min_index(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(MIN_INDEX) else { return Ok(None) };
    let index = value.to_str().ok().and_then(|text| text.parse().ok());
    index.map(Some).ok_or_else(|| {
        Refusal::BadRequest(format!("{value:?} is no index, which 'Mesolith-Min-Index' has to be"))
    })
}
