//! The Mesos v1 messages as JSON and protobuf, RecordIO, and our own agent and master RPC.
//!
//! Everything here is mechanical: no decision about a cluster is taken in this crate. It does no
//! I/O either, save what TLS needs (its files, and the first bytes of a connection) and files that are shown.

pub mod json;
pub mod jsonp;
pub mod media;
pub mod pb;
pub mod recordio;
pub mod rpc;

pub mod attribute;
pub mod build_info;
pub mod domain;
pub mod duration_text;
pub mod explanation;
pub mod files;
pub mod held;
pub mod id;
pub mod resource;
pub mod role;
pub mod tls;
pub mod value_text;

mod report;
mod task_state;

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

/// The messages of `google.protobuf` that v1 uses.
pub use generated::google::protobuf as google;

/// What an agent and the leading master say to one another.
pub use generated::mesolith::agents;

/// What the masters say to one another.
pub use generated::mesolith::quorum;

/// The Mesos version whose API both daemons speak, and say they do: clients compare it, and expect
/// agents and masters to agree.
pub const API_VERSION: &str = "1.11.0";
