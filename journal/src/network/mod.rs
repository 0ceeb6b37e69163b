//! How replicas speak: every message encoded here, sent and received through the
//! [`Transport`](crate::Transport) as opaque bytes.

mod client;
mod message;
mod receive;
mod server;

pub(crate) use client::{Connection, Network, Silent};
pub(crate) use message::{Answer, Ask, SnapshotAnswer};
pub use message::{Invitation, MAX_FRAME_BYTES, invitation};
#[cfg(test)]
pub(crate) use message::{SnapshotStart, decode, encode, seal, seal_append};
pub(crate) use server::{Server, Split, opened, to_bytes};
