//! What tests of journals are made of: a network in memory, a machine that counts, a disk that
//! fails, and whole quorums of them.

mod counter;
mod disk;
mod network;
mod quorum;

pub use counter::{Counter, Counts};
pub use disk::FailingDisk;
pub use network::MemoryNetwork;
pub use quorum::{Node, Quorum, answered, eventually, propose};
