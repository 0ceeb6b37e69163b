//! How long something took: the last time, and how it was spread lately.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::name::Metrics;

/// How many of the latest times are looked at.
const SAMPLES_MAX: usize = 1000;

/// Parts of all samples, by the name that says how many lie below.
const PERCENTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

/// Times of one kind.
#[derive(Debug, Default)]
pub(crate) struct Timer(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    count: u64,
    /// In milliseconds, the newest last.
    latest: VecDeque<f64>,
}

impl Timer {
    /// It took so long once more.
    pub(crate) fn record(&self, took: Duration) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.count += 1;
        if samples.latest.len() >= SAMPLES_MAX {
            samples.latest.pop_front();
        }
        samples.latest.push_back(took.as_secs_f64() * 1000.0);
    }

    /// Adds the last time and how the latest were spread, once there is one.
    pub(super) fn add_to(&self, metrics: &mut Metrics, name: &str) {
        let samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<f64> = samples.latest.iter().copied().collect();
        let (last, count) = (sorted.last().copied(), samples.count);
        drop(samples);
        sorted.sort_by(f64::total_cmp);
        let (Some(last), Some(min), Some(max)) = (last, sorted.first(), sorted.last()) else {
            return;
        };
        metrics.gauge(name, last);
        metrics.counter(format!("{name}/count"), count as f64);
        metrics.gauge(format!("{name}/min"), *min);
        metrics.gauge(format!("{name}/max"), *max);
        for (percentile, part) in PERCENTILES {
            metrics.gauge(format!("{name}/{percentile}"), at(&sorted, part));
        }
    }
}

/// The value that this part of the samples, which are sorted, lies below; between two samples in
/// proportion.
fn at(sorted: &[f64], part: f64) -> f64 {
    let position = part * sorted.len().saturating_sub(1) as f64;
    let below = sorted.get(position as usize).copied().unwrap_or_default();
    let above = sorted.get(position.ceil() as usize).copied().unwrap_or(below);
    below + (above - below) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(milliseconds: impl IntoIterator<Item = u64>, expected: &[(&str, f64)]) {
        let timer = Timer::default();
        for took in milliseconds {
            timer.record(Duration::from_millis(took));
        }
        let mut metrics = Metrics::default();
        timer.add_to(&mut metrics, "t");
        let found: std::collections::BTreeMap<_, _> = metrics.values().collect();
        for (name, value) in expected {
            let near = (found[name] - value).abs() < 1e-6;
            assert!(near, "{name} is {} and not {value}", found[name]);
        }
        assert_eq!(found.len(), if expected.is_empty() { 0 } else { 10 });
    }

    #[test]
    fn times_are_spread_over_percentiles() {
        check([], &[]);
        let one = [("t", 7.0), ("t/count", 1.0), ("t/min", 7.0), ("t/max", 7.0), ("t/p99", 7.0)];
        check([7], &one);
        let many = [("t", 0.0), ("t/count", 101.0), ("t/max", 100.0), ("t/p50", 50.0)];
        check((0..=100).rev(), &many);
        check((0..=100).rev(), &[("t/p999", 99.9), ("t/p95", 95.0), ("t/min", 0.0)]);
        check(0..2000, &[("t/min", 1000.0), ("t/count", 2000.0), ("t/p50", 1499.5)]);
    }
}
