//! Times, and how they are printed.

use std::fmt;
use std::time::{Duration, Instant};

/// Milliseconds, sorted.
#[derive(Debug)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn new(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        Self(milliseconds)
    }

    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            format!("{:.2} ({:.2} - {:.2})", self.median(), self.0[0], self.0[self.0.len() - 1]);
        f.pad(&text)
    }
}

/// Each case in each round, one after another, so that what else the machine does bears on all alike.
/// A case is given the round's number.
pub(crate) fn in_turn<C>(rounds: u64, cases: &[C], measure: impl Fn(&C, u64) -> f64) -> Vec<Times> {
    let mut times: Vec<Vec<f64>> = cases.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for (case, times) in cases.iter().zip(&mut times) {
            let time = measure(case, round);
            if round > 0 {
                times.push(time); // the first one warms the caches
            }
        }
    }
    times.into_iter().map(Times::new).collect()
}

/// One line: the first of some variants, and how the others compare with it.
pub(crate) fn compare(what: &str, names: &[&str], times: &[Times]) {
    let first = times[0].median();
    println!("  {what:34} {:26} {}", names[0], times[0]);
    for (name, times) in names.iter().zip(times).skip(1) {
        println!("  {:34} {name:26} {times:28} x {:.2}", "", times.median() / first);
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// What something gives, and how long it takes.
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = Instant::now();
    let result = work();
    (result, milliseconds(start.elapsed()))
}
