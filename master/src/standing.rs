//! Where this master stands: whether it may answer, and who else may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use journal::{Heard, Leadership, Lease};
use tokio::sync::watch;

/// Whether this master may answer for the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It leads in this term, and serves.
    Leading(u64),
    /// It leads, and is about to serve.
    Recovering,
    /// Another one leads, at this address.
    Following(String),
    /// Nobody does, as far as is known.
    Electing,
    /// Its journal has stopped; the text says why.
    Stopped(String),
}

/// Tells where this master stands at any moment.
#[derive(Clone, Debug)]
pub(crate) struct Stand {
    leadership: watch::Receiver<Leadership>,
    lease: Lease,
    heard: Heard,
    serving: Arc<AtomicU64>,
}

impl Stand {
    pub(crate) fn new(leadership: watch::Receiver<Leadership>, lease: Lease, heard: Heard) -> Self {
        Self { leadership, lease, heard, serving: Arc::new(AtomicU64::new(0)) }
    }

    /// Where this master stands now. Leadership that is gone is gone here at once, also when this
    /// process stood still meanwhile and has not heard of it yet.
    pub(crate) fn now(&self) -> Standing {
        let standing = self.told();
        match standing {
            // a master whose disk is full still hears from the one that leads
            Standing::Electing | Standing::Stopped(_) => match self.heard.leader() {
                Some((_, address)) => Standing::Following(address),
                None => standing,
            },
            standing => standing,
        }
    }

    fn told(&self) -> Standing {
        match &*self.leadership.borrow() {
            Leadership::Leader { .. } if !self.lease.holds() => Standing::Electing,
            Leadership::Leader { term } if self.serving.load(Ordering::Acquire) == *term => {
                Standing::Leading(*term)
            }
            Leadership::Leader { .. } => Standing::Recovering,
            Leadership::Follower { leader: (_, address) } => Standing::Following(address.clone()),
            Leadership::Electing => Standing::Electing,
            Leadership::Stopped(reason) => Standing::Stopped(reason.clone()),
        }
    }

    /// The leader of `term` has committed its first decision: from now on it serves.
    pub(crate) fn serve(&self, term: u64) {
        self.serving.store(term, Ordering::Release);
    }

    /// The leader that served does not any more.
    pub(crate) fn rest(&self) {
        self.serving.store(0, Ordering::Release);
    }

    /// What the journal says, now and from now on.
    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_leader_serves_only_in_the_term_it_was_told() {
        let (sender, receiver) = watch::channel(Leadership::Electing);
        let lease = Lease::new();
        lease.renew(Instant::now(), Duration::MAX);
        let stand = Stand::new(receiver, lease.clone(), Heard::default());
        assert_eq!(stand.now(), Standing::Electing);
        sender.send_replace(Leadership::Leader { term: 2 });
        assert_eq!(stand.now(), Standing::Recovering);
        stand.serve(2);
        assert_eq!(stand.now(), Standing::Leading(2));
        lease.end();
        assert_eq!(stand.now(), Standing::Electing, "nothing confirms it");
        lease.renew(Instant::now(), Duration::MAX);
        sender.send_replace(Leadership::Leader { term: 4 });
        assert_eq!(stand.now(), Standing::Recovering);
        sender.send_replace(Leadership::Follower { leader: (3, "c:1".into()) });
        assert_eq!(stand.now(), Standing::Following("c:1".into()));
    }
}
