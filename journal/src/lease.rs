//! Until when a leader may answer for the quorum without asking it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Until when this node may take it that it still leads.
///
/// That somebody told it so is not enough: a process that stood still, or a machine that slept, finds
/// what it last knew and has yet to hear that others went on without it. So the last word of the
/// quorum has an age, and the age is looked at when somebody asks. Clones share it.
#[derive(Clone, Debug)]
pub struct Lease {
    start: Instant,
    /// Milliseconds after `start`; nothing is held at 0.
    until_ms: Arc<AtomicU64>,
}

impl Lease {
    /// One that does not hold.
    pub fn new() -> Self {
        Self { start: Instant::now(), until_ms: Arc::new(AtomicU64::new(0)) }
    }

    /// Whether a quorum has confirmed this node recently enough.
    pub fn holds(&self) -> bool {
        self.holds_at(Instant::now())
    }

    /// A quorum confirmed this node `at` that time: it is believed for so `long`.
    pub fn renew(&self, at: Instant, long: Duration) {
        let until = at.saturating_duration_since(self.start).saturating_add(long);
        let until_ms = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.until_ms.store(until_ms, Ordering::Release);
    }

    /// This node does not lead.
    pub fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    fn holds_at(&self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.start);
        elapsed < Duration::from_millis(self.until_ms.load(Ordering::Acquire))
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_until_it_lapses_or_ends() {
        const LONG: Duration = Duration::from_millis(600);
        let lease = Lease::new();
        let check = |after_ms| lease.holds_at(lease.start + Duration::from_millis(after_ms));
        assert!(!check(0), "nobody has confirmed it");
        lease.renew(lease.start + Duration::from_millis(100), LONG);
        assert!(check(100));
        assert!(check(699));
        assert!(!check(700), "whoever wakes up this late does not lead");
        lease.renew(lease.start + Duration::from_millis(650), LONG);
        assert!(check(700));
        lease.end();
        assert!(!check(700));
    }
}
