//! The ordered queue between the log and its writer. The writer takes everything that waits.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::format::Mark;
use crate::raft::LogId;

/// Called once, after the operation is durable or has failed.
pub(crate) type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// One change to the tail. Operations take effect in the order they were queued in.
pub(crate) enum Operation {
    /// Encoded entries by index.
    Append(Vec<(u64, Vec<u8>)>, Done),
    /// The encoded vote.
    Vote(Vec<u8>, Done),
    /// Entries up to here are committed. Waits for another operation to ride along with, since it
    /// can be learnt anew from peers.
    Committed(LogId),
    /// Entries from this index on go: they were never committed.
    Truncate(u64, Done),
    /// Entries up to this mark left the journal.
    Purge(Mark, Done),
    /// Entries up to this index are in the history now; a slice of them leaves the tail.
    Trim(u64, Done),
    /// Nothing but to wait for what was queued before.
    Barrier(Done),
}

impl Operation {
    /// What is called when the operation is done, if anything is.
    pub(crate) fn into_done(self) -> Option<Done> {
        match self {
            Self::Committed(_) => None,
            Self::Append(_, done)
            | Self::Vote(_, done)
            | Self::Truncate(_, done)
            | Self::Purge(_, done)
            | Self::Trim(_, done)
            | Self::Barrier(done) => Some(done),
        }
    }
}

/// Whoever queues beyond this waits: the disk cannot keep up.
const MAX_WAITING: usize = 65_536;

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    operations: VecDeque<Operation>,
    closed: bool,
}

impl Queue {
    /// Queues one operation. After [`close`](Self::close) it fails at once.
    pub(crate) fn push(&self, operation: Operation) {
        let waiting = self.lock();
        let mut waiting = self
            .changed
            .wait_while(waiting, |waiting| {
                waiting.operations.len() >= MAX_WAITING && !waiting.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            drop(waiting);
            if let Some(done) = operation.into_done() {
                done(Err(closed()));
            }
            return;
        }
        waiting.operations.push_back(operation);
        self.changed.notify_all();
    }

    /// Everything that waits, in order; waits at most `idle` for something to come. `None` when the
    /// queue is closed and empty.
    pub(crate) fn take(&self, idle: Duration) -> Option<VecDeque<Operation>> {
        let waiting = self.lock();
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, idle, |waiting| {
                waiting.operations.is_empty() && !waiting.closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.operations.is_empty() && waiting.closed {
            return None;
        }
        let taken = std::mem::take(&mut waiting.operations);
        self.changed.notify_all();
        Some(taken)
    }

    /// No more operations come; those that wait are still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the journal is closed")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn takes_everything_in_order_then_ends() {
        let queue = Queue::default();
        for index in 0..3 {
            queue.push(Operation::Truncate(index, Box::new(|_| {})));
        }
        let taken = queue.take(Duration::ZERO).expect("open");
        let indexes: Vec<u64> = taken
            .iter()
            .map(|operation| match operation {
                Operation::Truncate(index, _) => *index,
                _ => u64::MAX,
            })
            .collect();
        assert_eq!(indexes, [0, 1, 2]);
        assert_eq!(queue.take(Duration::ZERO).map(|taken| taken.len()), Some(0));
        queue.close();
        assert!(queue.take(Duration::ZERO).is_none());
    }

    #[test]
    fn a_closed_queue_answers_at_once() {
        let queue = Queue::default();
        queue.close();
        let (sender, receiver) = mpsc::channel();
        let done = move |result: io::Result<()>| sender.send(result.is_err()).expect("listening");
        queue.push(Operation::Barrier(Box::new(done)));
        assert_eq!(receiver.try_recv(), Ok(true));
    }
}
