//! Proposals on their way into the journal: queued in order, many in flight, each answered once.

use bytes::Bytes;
use openraft::errors::{ClientWriteError, ForwardReason, ForwardToLeader};
use openraft::raft::ClientWriteResult;
use tokio::sync::{mpsc, watch};

use crate::gate::{Gate, Sequence};
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
    /// It will never be committed: this node does not lead in that term or no quorum answered it
    /// lately, more than [`MAX_PROPOSALS_WAITING`] wait, or the payload exceeds
    /// [`MAX_PROPOSAL_BYTES`]. Nor will any that was proposed later in the same term, since it may
    /// have been decided on top of this one: the term is over, and if this node led in it, it stands
    /// for election anew.
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
pub(crate) struct Proposals {
    queue: mpsc::Sender<Proposal>,
    gate: Gate,
}

struct Proposal {
    term: u64,
    payload: Bytes,
    done: Done,
}

impl Proposals {
    /// A queue whose proposals go to whichever run of openraft is current.
    pub(crate) fn start(current: watch::Receiver<Option<Run>>, gate: Gate) -> Self {
        let (queue, receiver) = mpsc::channel(MAX_PROPOSALS_WAITING);
        tokio::spawn(forward(receiver, current, gate.clone()));
        Self { queue, gate }
    }

    pub(crate) fn push(&self, term: u64, payload: Bytes, done: Done) {
        let proposal = Proposal { term, payload, done };
        let refused = if proposal.payload.len() > MAX_PROPOSAL_BYTES {
            proposal
        } else {
            match self.queue.try_send(proposal) {
                Ok(()) => return,
                Err(error) => error.into_inner(),
            }
        };
        self.gate.close(term);
        refused.done.call(Outcome::NotAppended);
    }
}

async fn forward(
    mut proposals: mpsc::Receiver<Proposal>,
    current: watch::Receiver<Option<Run>>,
    gate: Gate,
) {
    let mut sequence = Sequence::default();
    while let Some(Proposal { term, payload, done }) = proposals.recv().await {
        let raft = current.borrow().as_ref().map(|run| run.raft.clone());
        let Some(raft) = raft.filter(|_| !gate.is_closed(term)) else {
            done.call(Outcome::NotAppended);
            continue;
        };
        let closing = gate.clone();
        let responder = Responding::new(move |result| {
            let outcome = outcome(&result);
            if matches!(result, Err(ClientWriteError::ForwardToLeader(refusal)) if leads(&refusal))
            {
                closing.close(term);
            }
            done.call(outcome);
        });
        let payload = Payload { bytes: payload, ticket: Some(sequence.take(term)) };
        let write = raft.write(payload).with_leader(term).responder(responder);
        // an error here drops the responder, which answers that the outcome is unknown
        let _ = write.await;
    }
}

/// Whether the one who refused leads all the same.
fn leads(refusal: &ForwardToLeader<TypeConfig>) -> bool {
    matches!(refusal.reason, ForwardReason::LeaseExpired)
}

fn outcome(result: &ClientWriteResult<TypeConfig>) -> Outcome {
    match result {
        Ok(response) if response.data.blank => Outcome::NotAppended,
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
