//! Resources on the wire: how they are made, checked, written in flags, and brought from one format
//! to another.
//!
//! Their algebra (sums, differences, containment) is the core's, on its own types.

#![expect(deprecated, reason = "the old format of reservations lives in deprecated fields")]

mod format;
mod generated;
mod text;
mod validate;

pub use format::{HoldsResources, downgrade, downgrade_all, for_endpoint, upgrade};
pub use text::{TextError, parse};
pub use validate::{MAX_SCALAR, Problem, ResourceError, validate, validate_all};

use crate::v1::Resource;
use crate::v1::value::{Range, Ranges, Scalar, Set, Type};

impl Resource {
    /// An unreserved scalar.
    pub fn scalar(name: &str, value: f64) -> Self {
        let scalar = Some(Scalar { value });
        Self { scalar, ..Self::named(name, Type::Scalar) }
    }

    /// Unreserved ranges; `(1, 5)` has both its ends.
    pub fn ranges(name: &str, ranges: &[(u64, u64)]) -> Self {
        let range = ranges.iter().map(|&(begin, end)| Range { begin, end }).collect();
        Self { ranges: Some(Ranges { range }), ..Self::named(name, Type::Ranges) }
    }

    /// An unreserved set.
    pub fn set(name: &str, items: &[&str]) -> Self {
        let item = items.iter().map(|&item| item.to_owned()).collect();
        Self { set: Some(Set { item }), ..Self::named(name, Type::Set) }
    }

    fn named(name: &str, r#type: Type) -> Self {
        Self { name: name.to_owned(), r#type: r#type as i32, ..Self::default() }
    }
}
