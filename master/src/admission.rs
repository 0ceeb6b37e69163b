//! How fast the schedulers of each principal may call (gaps 63).
//!
//! Calls of one principal are let in at even distances. One that comes early waits for its turn; when as
//! many wait as may, the next one is told when to come again. No scheduler is ended for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Rate, RateLimits};

/// The longest line of one principal.
const WAITING_MAX: u64 = 16_384;

/// When calls of one rate are let in. Times are since some beginning.
#[derive(Debug)]
struct Pace {
    interval: u64,
    capacity: u64,
    /// The next turn that nobody has, in nanoseconds.
    next: u64,
}

impl Pace {
    fn new(rate: Rate) -> Self {
        let capacity = rate.capacity.unwrap_or(WAITING_MAX).min(WAITING_MAX);
        Self { interval: nanoseconds(rate.interval).max(1), capacity, next: 0 }
    }

    /// How long a call that comes now has to wait.
    ///
    /// # Errors
    /// As many wait as may: after so long there is room again.
    fn take(&mut self, now: Duration) -> Result<Duration, Duration> {
        let now = nanoseconds(now);
        let wait = self.next.saturating_sub(now);
        // the first that comes early waits for less than an interval, the second for less than two
        let waiting = wait.div_ceil(self.interval);
        if waiting > self.capacity {
            let room = self.capacity.saturating_mul(self.interval);
            return Err(Duration::from_nanos(wait.saturating_sub(room)));
        }
        self.next = now.saturating_add(wait).saturating_add(self.interval);
        Ok(Duration::from_nanos(wait))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Lets calls in, each at the rate of its principal.
#[derive(Debug)]
pub(crate) struct Admission {
    began: Instant,
    named: BTreeMap<String, Option<Mutex<Pace>>>,
    others: Option<Mutex<Pace>>,
}

impl Admission {
    /// Of an operator's flag; without it all are let in at once.
    pub(crate) fn new(limits: Option<&RateLimits>) -> Self {
        let pace = |rate: &Rate| Mutex::new(Pace::new(*rate));
        let named = limits.iter().flat_map(|limits| &limits.named);
        Self {
            began: Instant::now(),
            named: named.map(|(name, rate)| (name.clone(), rate.as_ref().map(pace))).collect(),
            others: limits.and_then(|limits| limits.others.as_ref()).map(pace),
        }
    }

    /// Waits until it is the turn of a call; says whether it had to.
    ///
    /// # Errors
    /// As many wait as may: after so long there is room again.
    pub(crate) async fn admit(&self, principal: Option<&str>) -> Result<bool, Duration> {
        let wait = self.take(principal, self.began.elapsed())?;
        if wait.is_zero() {
            return Ok(false);
        }
        tokio::time::sleep(wait).await;
        Ok(true)
    }

    fn take(&self, principal: Option<&str>, now: Duration) -> Result<Duration, Duration> {
        let named = principal.and_then(|principal| self.named.get(principal));
        match named.unwrap_or(&self.others) {
            Some(pace) => pace.lock().unwrap_or_else(PoisonError::into_inner).take(now),
            None => Ok(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn pace(capacity: Option<u64>) -> Pace {
        Pace::new(Rate { interval: MS(100), capacity })
    }

    /// Calls at these times, and what comes of each.
    fn check(pace: &mut Pace, calls: &[(u64, Result<u64, u64>)]) {
        for (at, expected) in calls {
            let expected = expected.map(MS).map_err(MS);
            assert_eq!(pace.take(MS(*at)), expected, "at {at} ms");
        }
    }

    /// gaps 63
    #[test]
    fn calls_are_let_in_at_even_distances() {
        check(&mut pace(None), &[(5, Ok(0)), (105, Ok(0)), (1000, Ok(0)), (1001, Ok(99))]);
        let together = [(0, Ok(0)), (0, Ok(100)), (0, Ok(200)), (50, Ok(250)), (400, Ok(0))];
        check(&mut pace(None), &together);
    }

    /// gaps 63: who stays away for long has saved nothing up.
    #[test]
    fn there_are_no_bursts() {
        check(&mut pace(None), &[(0, Ok(0)), (90_000, Ok(0)), (90_000, Ok(100))]);
    }

    /// gaps 63
    #[test]
    fn more_than_may_wait_are_told_when_to_come_again() {
        let mut pace = pace(Some(2));
        check(&mut pace, &[(0, Ok(0)), (0, Ok(100)), (0, Ok(200)), (0, Err(100))]);
        check(&mut pace, &[(99, Err(1)), (100, Ok(200)), (101, Err(99)), (300, Ok(100))]);
    }

    #[test]
    fn with_a_capacity_of_none_nobody_waits() {
        check(&mut pace(Some(0)), &[(0, Ok(0)), (40, Err(60)), (100, Ok(0))]);
    }

    #[test]
    fn every_line_has_an_end() {
        for capacity in [None, Some(u64::MAX)] {
            let mut pace = pace(capacity);
            let let_in = (0..2 * WAITING_MAX).filter(|_| pace.take(MS(0)).is_ok()).count();
            assert_eq!(let_in as u64, WAITING_MAX + 1, "{capacity:?}");
        }
    }

    /// gaps 63: each principal has its own rate, and those that have none share one.
    #[test]
    fn each_principal_has_its_own_rate() {
        let limits = r#"{"limits":[{"principal":"slow","qps":1,"capacity":1},{"principal":"free"}],
            "aggregate_default_qps":10,"aggregate_default_capacity":0}"#;
        let limits: RateLimits = limits.parse().expect("limits");
        let admission = Admission::new(Some(&limits));
        for (at, principal, expected) in [
            (0, Some("slow"), Ok(0)),
            (0, Some("a"), Ok(0)),
            (0, Some("b"), Err(100)),
            (0, None, Err(100)),
            (0, Some("free"), Ok(0)),
            (0, Some("free"), Ok(0)),
            (0, Some("slow"), Ok(1000)),
            (0, Some("slow"), Err(1000)),
            (100, None, Ok(0)),
            (100, Some("a"), Err(100)),
        ] {
            let expected = expected.map(MS).map_err(MS);
            assert_eq!(admission.take(principal, MS(at)), expected, "{principal:?} at {at} ms");
        }
        let unlimited = Admission::new(None);
        assert_eq!(unlimited.take(Some("slow"), MS(0)), Ok(MS(0)));
    }
}
