//! The machine on its thread, with the position it is at. Other parts send it jobs, so that whoever
//! looks sees a state and its index together.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

use crate::machine::Machine;
use crate::raft::{LogId, StoredMembership};

/// A machine and how far it is.
pub(crate) struct Folded {
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

type Job = Box<dyn FnOnce(&mut Folded) + Send>;

/// A handle on the thread; clones share it. The thread ends when the last is gone. Callers wait for
/// their answers, so that no more jobs wait than there are callers.
#[derive(Clone)]
pub(crate) struct FoldedThread(mpsc::Sender<Job>);

impl FoldedThread {
    pub(crate) fn spawn(machine: Box<dyn Machine>) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let membership = StoredMembership::default();
        let mut folded = Folded { machine, applied: None, membership };
        thread::Builder::new()
            .name("journal-machine".into())
            .spawn(move || jobs.into_iter().for_each(|job| job(&mut folded)))?;
        Ok(Self(sender))
    }

    /// Runs `job` on the thread, after those that were sent before.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Folded) -> T + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |folded| {
            // nobody waits any more when the caller was cancelled
            let _ = sender.send(job(folded));
        });
        let gone = || io::Error::other("the machine's thread ended: it panicked");
        self.0.send(job).map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())
    }
}
