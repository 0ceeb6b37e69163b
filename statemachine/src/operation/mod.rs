//! Operations that convert resources: reservations made and undone, persistent volumes created and
//! destroyed (semantics I).

mod convert;

pub use convert::{Conversion, ResourcesConverted};
pub(crate) use convert::{create, destroy, reserve, unreserve};
