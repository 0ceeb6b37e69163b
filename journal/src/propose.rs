//! Proposals on their way into the journal: queued in order, many in flight, each answered once.

use bytes::Bytes;
use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{mpsc, watch};

use crate::raft::{Payload, Responding, TypeConfig};
use crate::run::Run;

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// On a majority's disks, and applied here.
    Committed {
        /// Where it stands in the journal.
        index: u64,
    },
    /// Never written anywhere: this node does not lead in that term, more than
    /// [`MAX_PROPOSALS_WAITING`] wait, or the payload exceeds [`MAX_PROPOSAL_BYTES`].
    NotAppended,
    /// Leadership or the journal went before the answer came: it may or may not be committed.
    Unknown,
}

/// Proposals beyond this, that are queued but not yet taken by the journal, are refused.
pub const MAX_PROPOSALS_WAITING: usize = 4096;
/// The largest payload.
pub const MAX_PROPOSAL_BYTES: usize = 32 << 20;

/// Queues proposals; clones share the queue.
#[derive(Clone)]
pub(crate) struct Proposals(mpsc::Sender<Proposal>);

struct Proposal {
    term: u64,
    payload: Bytes,
    done: Done,
}

impl Proposals {
    /// A queue whose proposals go to whichever run of openraft is current.
    pub(crate) fn start(current: watch::Receiver<Option<Run>>) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_PROPOSALS_WAITING);
        tokio::spawn(forward(receiver, current));
        Self(sender)
    }

    pub(crate) fn push(&self, term: u64, payload: Bytes, done: Done) {
        if payload.len() > MAX_PROPOSAL_BYTES {
            return done.call(Outcome::NotAppended);
        }
        match self.0.try_send(Proposal { term, payload, done }) {
            Ok(()) => {}
            Err(error) => error.into_inner().done.call(Outcome::NotAppended),
        }
    }
}

async fn forward(mut proposals: mpsc::Receiver<Proposal>, current: watch::Receiver<Option<Run>>) {
    while let Some(Proposal { term, payload, done }) = proposals.recv().await {
        let Some(raft) = current.borrow().as_ref().map(|run| run.raft.clone()) else {
            done.call(Outcome::NotAppended);
            continue;
        };
        let responder = Responding::new(move |result| done.call(outcome(&result)));
        let write = raft.write(Payload(payload)).with_leader(term).responder(responder);
        // an error here drops the responder, which answers that the outcome is unknown
        let _ = write.await;
    }
}

fn outcome(result: &ClientWriteResult<TypeConfig>) -> Outcome {
    match result {
        Ok(response) => Outcome::Committed { index: response.log_id.index },
        Err(ClientWriteError::ForwardToLeader(_)) => Outcome::NotAppended,
        Err(_) => Outcome::Unknown,
    }
}

/// Called exactly once, also when it is dropped.
pub(crate) struct Done(Option<Box<dyn FnOnce(Outcome) + Send>>);

impl Done {
    pub(crate) fn new(done: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }

    fn call(mut self, outcome: Outcome) {
        if let Some(done) = self.0.take() {
            done(outcome);
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Outcome::Unknown);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn every_proposal_is_answered_once() {
        let check = |act: fn(Done), expected| {
            let (sender, receiver) = mpsc::channel();
            act(Done::new(move |outcome| {
                sender.send(outcome).expect("listening");
            }));
            assert_eq!(receiver.iter().collect::<Vec<_>>(), [expected]);
        };
        check(drop, Outcome::Unknown);
        check(|done| done.call(Outcome::NotAppended), Outcome::NotAppended);
    }
}
