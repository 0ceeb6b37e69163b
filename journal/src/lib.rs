//! A replicated, durable, hash-chained, ordered list of byte batches with snapshots, on openraft and
//! redb. It knows nothing of what the bytes mean.
//!
//! A [`Journal`] takes proposals from the leader, replicates them to the other members through a
//! [`Transport`], and hands them, once committed, to the [`Machine`] on every member, in the same
//! order. What is committed stays readable until the [`Retention`] policy lets it go. How it lies on
//! disk is in `docs/JOURNAL_FORMAT.md`.

mod config;
mod identity;
mod journal;
mod leadership;
mod lease;
mod machine;
mod member;
mod membership;
mod propose;
mod status;
mod transport;

mod reader;

mod chain;
mod entry;
mod error;
mod format;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

mod damage;
mod fault;
mod folded;
mod gate;
mod heard;
mod history;
mod mend;
mod network;
mod part;
mod raft;
mod replica;
mod run;
mod snapshot;
mod store;
mod supervise;
mod upkeep;

pub use chain::Hash;
pub use config::{Config, Retention};
pub use entry::{Entry, EntryError, Kind};
pub use error::{OpenError, ReadError};
pub use format::FORMAT;
pub use heard::Heard;
pub use identity::Identity;
pub use journal::Journal;
pub use leadership::Leadership;
pub use lease::Lease;
pub use machine::{ApplyError, Committed, Machine, SnapshotSource};
pub use member::Member;
pub use membership::ChangeError;
pub use network::{Invitation, MAX_FRAME_BYTES, invitation};
pub use propose::{MAX_PROPOSAL_BYTES, MAX_PROPOSALS_WAITING, Outcome};
pub use reader::{Bounds, Entries, Reader, Snapshot, Verified};
pub use snapshot::SnapshotReader;
pub use status::{MemberStatus, Status};
pub use store::{Disk, RealDisk};
pub use transport::{BoxFuture, Frames, Peer, Transport, TransportError};
