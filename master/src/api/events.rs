//! `GET /events`: every decision as it is committed, and before that those of the past (gaps 21, 22). One
//! line of JSON each, as `mesolith replay log --json` has them. v1's own stream leaves most of them out.
//!
//! ```text
//!  journal's files ──from=N──▶ lines up to what is applied ─┐
//!                                                           ├─▶ a few lines in memory ─▶ client
//!  applied entries ──────────▶ lines from there on ─────────┘
//! ```
//!
//! Each listener goes at its own pace: who is too slow for the entries in memory reads them from the
//! files. A listener may lose its connection and go on, at any master, after the last index it has seen.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use journal::Committed;
use replay::{JournalError, Line, Place, Teller, log};
use statemachine::{Batch, Event};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::body::{Body, Refusal, boxed};
use super::route::parameter;
use crate::effects::HEARTBEAT_SECONDS;
use crate::master::Master;
use crate::replica::Applied;

/// Lines that wait for one client; the rest stays where it is.
const LINES_MAX: usize = 256;

/// What a listener wants to hear.
#[derive(Debug)]
struct Wish {
    /// The first entry; the next one that is applied if it is not said.
    from: Option<u64>,
    /// Names of events; all if there are none.
    events: BTreeSet<String>,
}

/// The client is not there any more, or what it asks for is not.
struct Ended;

/// Opens the stream.
pub(super) fn answer(master: &Arc<Master>, query: &str) -> Result<Response<Body>, Refusal> {
    let wish = read(query).map_err(Refusal::BadRequest)?;
    let permit = master.listeners.clone().try_acquire_owned().map_err(|_| {
        Refusal::Unavailable("as many listen to events as are allowed to".to_owned())
    })?;
    if let Some(from) = wish.from {
        check_begin(master, from)?;
    }
    let (sender, mut receiver) = mpsc::channel(LINES_MAX);
    let listener = Listener { master: master.clone(), sender, wish, _permit: permit };
    tokio::spawn(listener.run());
    let frames = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let frames = futures::StreamExt::map(frames, |line: Bytes| {
        Ok::<_, std::convert::Infallible>(Frame::data(line))
    });
    let mut response = Response::new(boxed(StreamBody::new(frames)));
    let media_type = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    Ok(response)
}

fn read(query: &str) -> Result<Wish, String> {
    let from = parameter(query, "from")
        .map(|text| text.parse().map_err(|_| format!("'{text}' is no index to begin from")));
    let names = parameter(query, "event").unwrap_or_default();
    let events: BTreeSet<String> =
        names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let is_known = |name: &str| Event::KINDS.iter().any(|(_, known)| *known == name);
    match events.iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(format!("there is no event '{unknown}'")),
        None => Ok(Wish { from: from.transpose()?, events }),
    }
}

/// What has been removed by the journal's retention cannot be told.
fn check_begin(master: &Master, from: u64) -> Result<(), Refusal> {
    let first = master.journal.status().first_index;
    if from > 0 && from < first {
        return Err(Refusal::Unknown(format!(
            "index {from} is not kept any more: the journal begins at {first}"
        )));
    }
    Ok(())
}

/// What tells one client.
struct Listener {
    master: Arc<Master>,
    sender: mpsc::Sender<Bytes>,
    wish: Wish,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    async fn run(self) {
        let mut next = self.wish.from;
        // ends when the client does, and again and again when that is too slow
        while let Ok(last) = self.listen(next).await {
            next = Some(last + 1);
        }
    }

    /// Tells all from there until entries come too fast; the last that was told.
    async fn listen(&self, from: Option<u64>) -> Result<u64, Ended> {
        // before it is known what is applied, so that nothing lies between
        let mut applied = self.master.committed.listen();
        let frozen = self.master.committed.load();
        let mut last = frozen.index;
        let mut teller = Teller::after(&frozen.state);
        drop(frozen);
        if let Some(from) = from.filter(|from| *from <= last) {
            self.tell_past(from, last).await?;
        }
        let from = from.unwrap_or(0);
        let mut heartbeat = tokio::time::interval(Duration::from_secs_f64(HEARTBEAT_SECONDS));
        loop {
            tokio::select! {
                entry = applied.recv() => match entry {
                    Ok(Applied::Entry(entry)) if entry.index <= last => {}
                    Ok(Applied::Entry(entry)) => {
                        last = entry.index;
                        let lines = lines(&mut teller, &entry)?;
                        self.tell(lines.into_iter().filter(|line| line.index >= from)).await?;
                    }
                    Err(RecvError::Lagged(_)) => return Ok(last),
                    // entries are missing here: the client goes on at another master
                    Ok(Applied::Snapshot) | Err(RecvError::Closed) => return Err(Ended),
                },
                _ = heartbeat.tick() => {
                    let beat = serde_json::json!({"index": last, "event": "Heartbeat"});
                    self.send(format!("{beat}\n")).await?;
                }
            }
        }
    }

    /// Tells what the journal's files have in this range.
    async fn tell_past(&self, from: u64, to: u64) -> Result<(), Ended> {
        let (sender, mut receiver) = mpsc::channel(LINES_MAX);
        let dir = self.master.config.work_dir.clone();
        let reading = tokio::task::spawn_blocking(move || read_past(&dir, (from, to), &sender));
        while let Some(line) = receiver.recv().await {
            self.tell(std::iter::once(line)).await?;
        }
        match reading.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, from, to, "a listener cannot be told of the past");
                Err(Ended)
            }
            Err(_) => Err(Ended),
        }
    }

    async fn tell(&self, lines: impl Iterator<Item = Line>) -> Result<(), Ended> {
        let events = &self.wish.events;
        for line in lines.filter(|line| events.is_empty() || events.contains(&line.event)) {
            let text = serde_json::to_string(&line).map_err(|_| Ended)?;
            self.send(format!("{text}\n")).await?;
        }
        Ok(())
    }

    async fn send(&self, text: String) -> Result<(), Ended> {
        self.sender.send(text.into()).await.map_err(|_| Ended)
    }
}

fn lines(teller: &mut Teller, entry: &Committed) -> Result<Vec<Line>, Ended> {
    // it was decoded when it was applied
    let batch = Batch::decode(&entry.payload).map_err(|_| Ended)?;
    Ok(teller.tell(Place { index: entry.index, term: entry.term, committed: true }, &batch))
}

/// Reads entries that are known to be applied; those of the journal's own are nobody's decisions.
fn read_past(
    dir: &Path,
    (from, to): (u64, u64),
    sender: &mpsc::Sender<Line>,
) -> Result<(), JournalError> {
    let journal = replay::Journal::open(dir)?;
    for line in log(&journal, from..=to)? {
        let line = Line { committed: true, ..line? };
        if line.cause.is_some() && sender.blocking_send(line).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<(Option<u64>, &[&str]), &str>) {
        let expected = expected
            .map(|(from, events)| (from, events.iter().map(|name| (*name).to_owned()).collect()));
        let read = read(query).map(|wish| (wish.from, wish.events));
        assert_eq!(read, expected.map_err(str::to_owned), "{query}");
    }

    #[test]
    fn wishes_name_an_index_and_events() {
        check("", Ok((None, &[])));
        check("from=7&event=OffersMade,AgentGone", Ok((Some(7), &["AgentGone", "OffersMade"])));
        check("event=&from=0", Ok((Some(0), &[])));
        check("from=x", Err("'x' is no index to begin from"));
        check("from=-1", Err("'-1' is no index to begin from"));
        check("event=TASK_ADDED", Err("there is no event 'TASK_ADDED'"));
    }
}
