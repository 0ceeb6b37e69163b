//! The Mesos v1 messages as JSON and protobuf, RecordIO, and our own agent and master RPC.
//!
//! Everything here is mechanical: no decision about a cluster is taken in this crate.

#[allow(
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    missing_debug_implementations,
    rustdoc::all
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

/// The types that every v1 API shares (`mesos.v1`); the APIs themselves are modules below it.
pub use generated::mesos::v1;

/// What an agent and the leading master say to one another.
pub use generated::mesolith::agents;

/// What the masters say to one another.
pub use generated::mesolith::quorum;
