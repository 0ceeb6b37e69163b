//! Where long answers are written: few at a time, and once for all who wait for the same.
//!
//! The whole state of a large cluster is megabytes of text, and a thousand dashboards may ask for it at
//! once. Were each served by itself, they would take the memory of all their answers together, and the
//! processors from the leader, who would lose its term.
//!
//! ```text
//!  asked ──▶ waiting, by what is asked for ──a place is free──▶ written from what is newest then ──▶ all who waited
//! ```
//!
//! Who asks for what is being written already waits for the next: the answer is never older than the
//! question.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

type Waiting<T> = Shared<BoxFuture<'static, Option<T>>>;

/// Writes answers. Clones share the places.
#[derive(Clone)]
pub(crate) struct Desk<T> {
    places: Arc<Semaphore>,
    waiting: Arc<Mutex<HashMap<String, Waiting<T>>>>,
}

impl<T> fmt::Debug for Desk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("places", &self.places).finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> Desk<T> {
    /// So many write at the same time.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: Arc::default() }
    }

    /// Half of the processors, that the others decide and vote meanwhile.
    pub(crate) fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new((processors / 2).max(1))
    }

    /// What `write` makes, or what another's does who waits for the same `subject`; none if that
    /// panicked. It runs on a thread that may block, even if nobody waits for it any more.
    pub(crate) async fn write(
        &self,
        subject: String,
        write: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let written = {
            let mut waiting = lock(&self.waiting);
            let begin = |subject: &String| self.begin(subject.clone(), write);
            waiting.entry(subject).or_insert_with_key(begin).clone()
        };
        written.await
    }

    fn begin(&self, subject: String, write: impl FnOnce() -> T + Send + 'static) -> Waiting<T> {
        let (places, waiting) = (Arc::clone(&self.places), Arc::clone(&self.waiting));
        let job = tokio::spawn(async move {
            let _place = places.acquire_owned().await.ok()?;
            lock(&waiting).remove(&subject);
            tokio::task::spawn_blocking(write).await.ok()
        });
        job.map(|written| written.ok().flatten()).boxed().shared()
    }
}

/// A panic elsewhere leaves the map whole: every change to it is one call.
fn lock<T>(
    waiting: &Mutex<HashMap<String, Waiting<T>>>,
) -> MutexGuard<'_, HashMap<String, Waiting<T>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures::future::join_all;

    use super::*;

    /// Keeps the only place of a desk taken until something is sent.
    fn occupy(desk: &Desk<usize>) -> mpsc::Sender<()> {
        let (sender, receiver) = mpsc::channel();
        let desk = desk.clone();
        tokio::spawn(async move {
            desk.write("other".to_owned(), move || receiver.recv().map_or(0, |()| 0)).await
        });
        sender
    }

    async fn is_occupied(desk: &Desk<usize>) {
        while desk.places.available_permits() > 0 || !lock(&desk.waiting).is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn all_who_wait_for_the_same_get_one_answer() {
        let desk = Desk::new(1);
        let done = occupy(&desk);
        is_occupied(&desk).await;
        let count = Arc::new(AtomicUsize::new(0));
        let ask = |subject: &str| {
            let count = Arc::clone(&count);
            desk.write(subject.to_owned(), move || count.fetch_add(1, Ordering::Relaxed))
        };
        let asked = join_all((0..1000).map(|number| ask(["a", "b"][number % 2])));
        let (answers, ()) = tokio::join!(asked, async {
            while lock(&desk.waiting).len() < 2 {
                tokio::task::yield_now().await;
            }
            done.send(()).expect("somebody waits");
        });
        assert_eq!(count.load(Ordering::Relaxed), 2);
        let first = answers[0];
        assert!(answers.iter().step_by(2).all(|answer| *answer == first), "{answers:?}");
        assert_ne!(answers[1], first);
    }

    #[tokio::test]
    async fn what_is_being_written_is_not_for_who_comes_later() {
        let desk = Desk::new(2);
        let done = occupy(&desk);
        while !lock(&desk.waiting).is_empty() || desk.places.available_permits() == 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(desk.write("other".to_owned(), || 7).await, Some(7));
        done.send(()).expect("somebody waits");
    }

    #[tokio::test]
    async fn a_panic_takes_no_place() {
        let desk = Desk::new(1);
        assert_eq!(desk.write("a".to_owned(), || panic!("on purpose")).await, None);
        assert_eq!(desk.write("a".to_owned(), || 1).await, Some(1));
    }
}
