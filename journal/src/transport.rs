//! How journals reach one another. The master crate implements this with gRPC; tests do it in
//! memory. All bodies are encoded and checked by the journal itself.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;

/// A boxed future, so that the traits stay object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Frames in order.
pub type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Connects to peers.
pub trait Transport: Send + Sync + 'static {
    /// A handle on the peer at `address` (host:port); connecting may be lazy. Called once for each
    /// kind of traffic (appends, heartbeats and votes, snapshots), so that none waits behind another.
    fn peer(&self, node: u64, address: &str) -> Box<dyn Peer>;
}

/// One peer.
pub trait Peer: Send + Sync + 'static {
    /// One request, one answer.
    fn ask(&self, request: Bytes) -> BoxFuture<'_, Result<Bytes, TransportError>>;
    /// Requests and answers in the same order, pipelined.
    fn append(&self, requests: Frames) -> BoxFuture<'_, Result<Frames, TransportError>>;
    /// A stream of chunks, one answer at the end.
    fn snapshot(&self, chunks: Frames) -> BoxFuture<'_, Result<Bytes, TransportError>>;
}

/// The peer could not be reached, or hung up.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);
