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
    /// The nearest quantity, halves away from zero; saturates at ±9.2e15.
    pub fn from_f64(value: f64) -> Self {
        Self((value * 1000.0).round() as i64)
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
