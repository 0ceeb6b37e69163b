//! `--rate-limits`: how many calls the schedulers of each principal may make.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use protocol::json;
use protocol::v1::{RateLimit, RateLimits as Wire};

/// How many calls may come in how much time, and how many of more may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// From one call to the next.
    pub(crate) interval: Duration,
    /// Calls that may wait; the longest line there is, if it is not said.
    pub(crate) capacity: Option<u64>,
}

/// Rates by principal.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimits {
    /// Principals that have a rate of their own; none for as fast as they like.
    pub(crate) named: BTreeMap<String, Option<Rate>>,
    /// What all others have together.
    pub(crate) others: Option<Rate>,
    text: String,
}

/// A text that says no rates.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RateLimitsError {
    /// It is no `RateLimits` in JSON.
    #[error("the rate limits are not readable: {0}")]
    Json(String),
    /// One principal has several limits.
    #[error("the rate limits name principal '{0}' twice")]
    Twice(String),
    /// So many calls in a second are none, or nothing that can be measured.
    #[error("{0} calls in a second are no rate: it is above 0, and a call in 10 years at least")]
    Rate(f64),
    /// A line for calls that do not wait.
    #[error("a capacity without the rate that it belongs to: {0}")]
    Capacity(String),
}

/// The slowest rate.
const INTERVAL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl FromStr for RateLimits {
    type Err = RateLimitsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wire: Wire = json::from_slice(text.as_bytes())
            .map_err(|error| RateLimitsError::Json(error.to_string()))?;
        let mut named = BTreeMap::new();
        for RateLimit { principal, qps, capacity } in &wire.limits {
            let rate = rate(*qps, *capacity, principal)?;
            if named.insert(principal.clone(), rate).is_some() {
                return Err(RateLimitsError::Twice(principal.clone()));
            }
        }
        let (qps, capacity) = (wire.aggregate_default_qps, wire.aggregate_default_capacity);
        let others = rate(qps, capacity, "aggregate_default_capacity")?;
        let text = String::from_utf8_lossy(&json::to_vec(&wire)).into_owned();
        Ok(Self { named, others, text })
    }
}

impl fmt::Display for RateLimits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn rate(
    qps: Option<f64>,
    capacity: Option<u64>,
    of: &str,
) -> Result<Option<Rate>, RateLimitsError> {
    let Some(qps) = qps else {
        return match capacity {
            Some(_) => Err(RateLimitsError::Capacity(of.to_owned())),
            None => Ok(None),
        };
    };
    let interval = Duration::try_from_secs_f64(1.0 / qps).ok();
    let interval = interval.filter(|interval| qps > 0.0 && *interval <= INTERVAL_MAX);
    let interval = interval.ok_or(RateLimitsError::Rate(qps))?.max(Duration::from_nanos(1));
    Ok(Some(Rate { interval, capacity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_mesos_writes_them() {
        let text = r#"{"limits":[{"principal":"foo","qps":50.0,"capacity":10},
            {"principal":"bar","qps":0.5},{"principal":"free"}],
            "aggregate_default_qps":100,"aggregate_default_capacity":1000}"#;
        let limits: RateLimits = text.parse().expect("limits");
        let rate = |ms, capacity| Some(Rate { interval: Duration::from_millis(ms), capacity });
        let named = [("bar", rate(2000, None)), ("foo", rate(20, Some(10))), ("free", None)];
        assert_eq!(limits.named, named.map(|(name, rate)| (name.to_owned(), rate)).into());
        assert_eq!(limits.others, rate(10, Some(1000)));
        assert_eq!(limits.to_string().parse::<RateLimits>(), Ok(limits));
    }

    fn check(text: &str, fault: &str) {
        let error = text.parse::<RateLimits>().expect_err(text).to_string();
        assert!(error.contains(fault), "{text}: {error}");
    }

    #[test]
    fn what_says_no_rates_is_refused() {
        check("", "not readable");
        check("[]", "not readable");
        check(r#"{"limits":[{"qps":1}]}"#, "principal");
        check(r#"{"limits":[{"principal":"a"},{"principal":"a","qps":1}]}"#, "'a' twice");
        for qps in ["0", "-1", "1e-300"] {
            check(&format!(r#"{{"aggregate_default_qps":{qps}}}"#), "no rate");
        }
        check(r#"{"limits":[{"principal":"a","capacity":1}]}"#, "rate that it belongs to: a");
    }
}
