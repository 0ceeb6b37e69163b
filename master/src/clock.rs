//! The leader's clock: starts at the wall clock, then runs evenly whatever happens to that.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use statemachine::Time;

/// How far the wall clock may be behind the journal before an operator should know.
const SKEW_TOLERATED_MS: u64 = 5_000;

/// Milliseconds that never run backwards and never jump.
#[derive(Debug)]
pub(crate) struct Clock {
    base: Time,
    started: Instant,
}

impl Clock {
    /// A clock that starts now, and not before `journal`, the time of the last batch.
    pub(crate) fn start(journal: Time) -> Self {
        let wall = wall();
        if journal.since_ms(wall) > SKEW_TOLERATED_MS {
            tracing::warn!(
                behind_ms = journal.since_ms(wall),
                "the clock of this machine is behind the journal; time goes on from the journal's"
            );
        }
        Self { base: wall.max(journal), started: Instant::now() }
    }

    /// Now.
    pub(crate) fn now(&self) -> Time {
        self.base.after_ms(self.started.elapsed().as_millis() as u64)
    }
}

/// What the machine's clock says.
pub(crate) fn wall() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time(since.map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_behind_the_journal() {
        let future = wall().after_ms(86_400_000);
        assert!(Clock::start(future).now() >= future);
        assert!(Clock::start(Time(0)).now() >= Time(0));
    }
}
