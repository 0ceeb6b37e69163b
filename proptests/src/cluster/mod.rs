//! The masters: a simulated quorum under the real state machine.

mod leader;
mod master;
mod member;
mod quorum;
mod replica;

pub use leader::{Leader, Output};
pub use master::{CLUSTER, EPOCH_MS, Master};
pub use member::{Appended, Entry, Member, Message, Node, Progress, Role};
pub use quorum::Quorum;
pub use replica::Replica;
pub(crate) use replica::forget_deadlines;
