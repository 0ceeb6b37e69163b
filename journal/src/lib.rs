//! A replicated, durable, hash-chained, ordered list of byte batches with snapshots, on openraft and
//! redb. It knows nothing of what the bytes mean.

mod machine;
mod transport;

pub use machine::{ApplyError, Committed, Machine, SnapshotSource};
pub use transport::{BoxFuture, Frames, Peer, Transport, TransportError};
