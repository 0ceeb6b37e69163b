//! What waits to be sent over one stream, within a limit of bytes: a slow client is dropped, not
//! buffered without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

/// Bytes that may wait for one client.
pub(crate) const OUTBOX_BYTES_MAX: usize = 64 << 20;

/// The client did not take what was sent, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stuck;

/// The sending end.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    sender: mpsc::UnboundedSender<(usize, T)>,
    waiting: Arc<AtomicUsize>,
}

/// The end that the client's connection drains.
#[derive(Debug)]
pub(crate) struct Drain<T> {
    receiver: mpsc::UnboundedReceiver<(usize, T)>,
    waiting: Arc<AtomicUsize>,
}

/// An outbox and its other end. When the outbox is dropped, the drain ends after what is in it.
pub(crate) fn outbox<T>() -> (Outbox<T>, Drain<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { sender, waiting: waiting.clone() }, Drain { receiver, waiting })
}

impl<T> Outbox<T> {
    /// Queues one message that takes about so many bytes.
    pub(crate) fn push(&self, bytes: usize, message: T) -> Result<(), Stuck> {
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        // the first message always fits, however large
        if before > 0 && before.saturating_add(bytes) > OUTBOX_BYTES_MAX {
            return Err(Stuck);
        }
        self.sender.send((bytes, message)).map_err(|_| Stuck)
    }
}

impl<T> Drain<T> {
    /// The next message; none at the end.
    pub(crate) async fn next(&mut self) -> Option<T> {
        let (bytes, message) = self.receiver.recv().await?;
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        Some(message)
    }

    /// The same for those who poll.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(context).map(|next| {
            let (bytes, message) = next?;
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            Some(message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_out_in_order_and_make_room() {
        let (outbox, mut drain) = outbox();
        for number in 0..3 {
            outbox.push(OUTBOX_BYTES_MAX / 3, number).expect("there is room");
        }
        assert_eq!(drain.next().await, Some(0));
        outbox.push(OUTBOX_BYTES_MAX / 3, 3).expect("there is room again");
        drop(outbox);
        let rest = [drain.next().await, drain.next().await, drain.next().await, drain.next().await];
        assert_eq!(rest, [Some(1), Some(2), Some(3), None]);
    }

    /// semantics 300; gaps 24
    #[test]
    fn a_client_that_takes_nothing_is_stuck() {
        let (outbox, drain) = outbox();
        outbox.push(2 * OUTBOX_BYTES_MAX, ()).expect("one message always fits");
        assert_eq!(outbox.push(1, ()), Err(Stuck));
        drop(drain);
    }

    #[test]
    fn a_client_that_is_gone_is_stuck() {
        let (outbox, drain) = outbox();
        drop(drain);
        assert_eq!(outbox.push(1, ()), Err(Stuck));
    }
}
