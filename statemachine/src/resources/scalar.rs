//! Quantities with three decimals, exact (semantics 116).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Thousandths. `Scalar(1500)` is 1.5.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Scalar(pub i64);

impl Scalar {
    /// The most that a client can name: 1 EB in MB (semantics 186), so that thousands of such still
    /// add up exactly.
    pub const MAX: Self = Self(1_099_511_627_776_000);

    /// The nearest quantity, halves away from zero. What lies beyond ±[`Scalar::MAX`] is taken as
    /// that; what is no number is 0.
    pub fn from_f64(value: f64) -> Self {
        Self(((value * 1000.0).round() as i64).clamp(-Self::MAX.0, Self::MAX.0))
    }

    /// As the wire has it.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64, thousandths: i64) {
        assert_eq!(Scalar::from_f64(value), Scalar(thousandths), "{value}");
    }

    /// semantics 116
    #[test]
    fn the_nearest_thousandth_counts() {
        check(0.1 + 0.2, 300);
        check(1.0004, 1000);
        check(0.0005, 1);
        check(0.00049, 0);
        check(-0.0005, -1);
    }

    #[test]
    fn absurd_values_are_harmless() {
        check(f64::NAN, 0);
        check(f64::INFINITY, Scalar::MAX.0);
        check(f64::NEG_INFINITY, -Scalar::MAX.0);
        check(1e300, Scalar::MAX.0);
    }
}
