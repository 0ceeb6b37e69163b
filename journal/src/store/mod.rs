//! The log as openraft sees it: the newest entries in memory, an ordered queue to one writer, and
//! older entries wherever they lie.

mod cache;
mod check;
mod follow;
mod log;
mod queue;
mod read;
mod state;
mod tail;
mod writer;

pub(crate) use follow::{Follow, WeakLog};
pub(crate) use log::LogStore;
pub use tail::{Disk, RealDisk};
pub(crate) use tail::{READERS, TAIL, Tail, TailState, check_format, read_entries};
