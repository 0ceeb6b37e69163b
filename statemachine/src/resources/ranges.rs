//! Sets of whole numbers kept as ranges.

use serde::{Deserialize, Serialize};

/// Inclusive ranges: ascending, disjoint, not adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(pub(crate) Vec<(u64, u64)>);
