//! The receiving side: what a peer sent is opened, checked and given to openraft.

use std::sync::{Arc, OnceLock, RwLock};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use openraft::alias::SnapshotOf;
use openraft::raft::AppendEntriesRequest;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use tokio::sync::oneshot;

use super::message::{
    Answer, AppendAnswer, Ask, Envelope, MAX_FRAME_BYTES, SnapshotAnswer, SnapshotStart, decode,
    encode,
};
use super::receive::receive;
use crate::chain::Hash;
use crate::heard::Heard;
use crate::identity::{Identity, read};
use crate::raft::{Raft, TypeConfig};
use crate::replica::Replica;
use crate::snapshot::SnapshotFile;
use crate::store::Follow;
use crate::transport::{Frames, TransportError};

/// Entries sent for a repair fill at most half a frame.
const MAX_ENTRIES_BYTES: usize = MAX_FRAME_BYTES / 2;

/// Answers peers as long as one run of openraft lasts.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) raft: Raft,
    pub(crate) replica: Replica,
    pub(crate) identity: Arc<RwLock<Identity>>,
    pub(crate) split: Split,
    pub(crate) heard: Heard,
}

/// Why a leader's entries were refused, when its journal is another; logged once in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Split(Arc<OnceLock<String>>);

impl Split {
    /// What was refused first, if anything was.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    fn note(&self, what: &TransportError) {
        if self.0.set(what.to_string()).is_ok() {
            tracing::error!(%what, "a leader's entries are refused");
        }
    }
}

impl Server {
    pub(crate) async fn ask(&self, request: &[u8]) -> Answer {
        match self.try_ask(request).await {
            Ok(answer) => answer,
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    async fn try_ask(&self, request: &[u8]) -> Result<Answer, TransportError> {
        let refused = |error: &dyn std::fmt::Display| TransportError(error.to_string());
        let Opened { message, hash } = open(&self.identity, request)?;
        match message {
            Ask::Vote(request) => {
                self.raft.vote(request).await.map(Answer::Vote).map_err(|error| refused(&error))
            }
            Ask::PreVote(request) => {
                self.raft.pre_vote(request).await.map(Answer::Vote).map_err(|error| refused(&error))
            }
            Ask::Append(request) => {
                let mut follow = self.replica.store.downgrade().follow();
                let request = fitting(request, hash, &mut follow, &self.split)?;
                self.heard.note(&request.vote);
                let response = self.raft.append_entries(request).await;
                response.map(Answer::Append).map_err(|error| refused(&error))
            }
            Ask::Transfer(request) => {
                let response = self.raft.handle_transfer_leader(request).await;
                response.map(Answer::Transfer).map_err(|error| refused(&error))
            }
            Ask::Entries { start, end } => self.entries(start, end).await,
        }
    }

    async fn entries(&self, start: u64, end: u64) -> Result<Answer, TransportError> {
        let store = self.replica.store.clone();
        // an entry that is not committed may be another one elsewhere
        let end = end.min(store.committed().map_or(0, |committed| committed.index + 1));
        if start >= end {
            return Ok(Answer::Entries(Vec::new()));
        }
        let read = tokio::task::spawn_blocking(move || store.read_disk(start..end)).await;
        let entries = read
            .map_err(|error| TransportError(error.to_string()))?
            .map_err(|error| TransportError(error.to_string()))?;
        let mut bytes = 0;
        let fit = entries.into_iter().take_while(|entry| {
            let first = bytes == 0;
            bytes += entry.payload.len();
            first || bytes <= MAX_ENTRIES_BYTES
        });
        Ok(Answer::Entries(fit.map(|entry| (entry.index, ByteBuf::from(entry.encode()))).collect()))
    }

    /// Gives appends to openraft in order; ends with the reason at the first that is not for us.
    pub(crate) fn append(&self, requests: Frames) -> Frames {
        let (refuse, refused) = oneshot::channel();
        // not the server: an idle stream would hold the files of a journal that is shut down
        let (mut refuse, identity) = (Some(refuse), self.identity.clone());
        let (mut follow, split) = (self.replica.store.downgrade().follow(), self.split.clone());
        let heard = self.heard.clone();
        let opened = stream::unfold(requests, |mut requests| async move {
            requests.next().await.map(|request| (request, requests))
        })
        .map(move |request| -> Option<AppendEntriesRequest<TypeConfig>> {
            let opened = request.and_then(|request| open(&identity, &request));
            let opened = opened
                .and_then(|Opened { message, hash }| fitting(message, hash, &mut follow, &split));
            opened
                .inspect(|append| heard.note(&append.vote))
                .inspect_err(|error| {
                    if let Some(refuse) = refuse.take() {
                        // nobody listens any more when the peer hung up
                        let _ = refuse.send(error.to_string());
                    }
                })
                .ok()
        })
        .take_while(|request| std::future::ready(request.is_some()))
        .filter_map(std::future::ready);
        let answers = self.raft.stream_append(opened).map(|answer| {
            let answer: AppendAnswer = answer.map_err(|error| error.to_string());
            encode(&answer)
        });
        let last = stream::once(refused).filter_map(|refused| {
            let refused: Option<AppendAnswer> = refused.ok().map(Err);
            std::future::ready(refused.map(|refused| encode(&refused)))
        });
        Box::pin(answers.chain(last))
    }

    pub(crate) async fn snapshot(&self, frames: Frames) -> SnapshotAnswer {
        self.try_snapshot(frames).await.map_err(|error| error.to_string())
    }

    async fn try_snapshot(
        &self,
        mut frames: Frames,
    ) -> Result<openraft::raft::SnapshotResponse<TypeConfig>, TransportError> {
        let first = frames.next().await;
        let first = first.ok_or_else(|| TransportError("an empty snapshot".into()))??;
        let SnapshotStart { vote } = open(&self.identity, &first)?.message;
        let busy = |_| TransportError("another snapshot is being received".into());
        let _one = self.replica.snapshots.receiving.try_acquire().map_err(busy)?;
        let file = receive(&self.replica.snapshots, frames).await?;
        // openraft may purge the log up to the snapshot before it installs it
        self.replica.store.remember(file.header.mark);
        let snapshot =
            SnapshotOf::<TypeConfig, SnapshotFile> { meta: file.header.meta(), snapshot: file };
        let installed = self.raft.install_full_snapshot(vote, snapshot).await;
        installed.map_err(|error| TransportError(error.to_string()))
    }
}

/// A message, and where an append says that the chain is after it.
struct Opened<T> {
    message: T,
    hash: Option<Hash>,
}

/// The message in `request`, if it is for us.
fn open<T: DeserializeOwned>(
    identity: &RwLock<Identity>,
    request: &[u8],
) -> Result<Opened<T>, TransportError> {
    let envelope = decode::<Envelope>(request)?.open(&read(identity))?;
    let hash = envelope.hash.and_then(|hash| hash.try_into().ok()).map(Hash);
    Ok(Opened { message: decode(&envelope.body)?, hash })
}

/// The message in `request`, if it is for the member with this identity.
pub(crate) fn opened<T: DeserializeOwned>(
    identity: &Identity,
    request: &[u8],
) -> Result<T, TransportError> {
    decode(&decode::<Envelope>(request)?.open(identity)?.body)
}

/// Refuses appends whose entries do not follow one another, or do not fit the chain of what is here:
/// openraft compares indexes and terms only, and believes the rest.
fn fitting(
    request: Append,
    hash: Option<Hash>,
    follow: &mut Follow,
    split: &Split,
) -> Result<Append, TransportError> {
    let request = consecutive(request)?;
    follow.check(&request, hash).inspect_err(|error| split.note(error))?;
    Ok(request)
}

fn consecutive(request: Append) -> Result<Append, TransportError> {
    let first = request.prev_log_id.map_or(0, |previous| previous.index + 1);
    for (expected, entry) in (first..).zip(&request.entries) {
        let index = entry.log_id.index;
        if index != expected {
            return Err(TransportError(format!("entry {index} where {expected} belongs")));
        }
    }
    Ok(request)
}

type Append = AppendEntriesRequest<TypeConfig>;

/// The answer as bytes; an answer that cannot be encoded becomes an empty one, which the peer
/// refuses as malformed.
pub(crate) fn to_bytes(answer: &impl serde::Serialize) -> Bytes {
    encode(answer).unwrap_or_default()
}
