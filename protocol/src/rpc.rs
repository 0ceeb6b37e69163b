//! What both ends of our own RPC must agree on: its version, its limits, and how a connection is
//! made.
//!
//! The services themselves are in [`crate::agents`] (agent to leader) and [`crate::quorum`] (master
//! to master). Make clients and servers here, so that no side keeps tonic's own limits, which are
//! too small for a large agent.

use crate::agents::agents_client::AgentsClient;
use crate::agents::agents_server::{Agents, AgentsServer};
use crate::quorum::quorum_client::QuorumClient;
use crate::quorum::quorum_server::{Quorum, QuorumServer};
use crate::tls::{Tls, Trust};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// Version of the agent RPC. It rises when a side may no longer ignore what the other sends.
pub const VERSION: u32 = 1;

/// Largest message between agent and master. A `Hello` with 100,000 tasks has 10 MiB.
pub const MAX_AGENT_MESSAGE_BYTES: usize = 64 << 20;

/// Largest frame between masters; snapshots come in chunks that are smaller.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// How long a connection may take to come up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often an idle connection is tried, and how long the other side may take to answer.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Why an address cannot be connected to.
#[derive(Debug, thiserror::Error)]
#[error("'{address}' is not an address of the form host:port")]
pub struct AddressError {
    /// What was given.
    pub address: String,
    source: tonic::transport::Error,
}

/// Where to connect to: with TLS, if somebody is trusted.
pub fn endpoint(address: &str, trust: Option<&Trust>) -> Result<Endpoint, AddressError> {
    let endpoint = match trust {
        None => Endpoint::from_shared(format!("http://{address}")),
        Some(trust) => Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(trust.channels.clone())),
    };
    endpoint.map_err(|source| AddressError { address: address.to_owned(), source })
}

/// A connection to `address` (`host:port`) that is made when it is first used, and made anew when
/// it is lost; with TLS, if there is any. To be called on a tokio runtime.
pub fn channel(address: &str, tls: Option<&Tls>) -> Result<Channel, AddressError> {
    Ok(endpoint(address, tls.map(|tls| &tls.trust))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_INTERVAL)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy())
}

/// The agent's side of a session.
pub fn agents_client(channel: Channel) -> AgentsClient<Channel> {
    AgentsClient::new(channel)
        .max_decoding_message_size(MAX_AGENT_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_AGENT_MESSAGE_BYTES)
}

/// The master's side of agent sessions.
pub fn agents_server<S: Agents>(service: S) -> AgentsServer<S> {
    AgentsServer::new(service)
        .max_decoding_message_size(MAX_AGENT_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_AGENT_MESSAGE_BYTES)
}

/// A master's way to another one.
pub fn quorum_client(channel: Channel) -> QuorumClient<Channel> {
    QuorumClient::new(channel)
        .max_decoding_message_size(MAX_FRAME_BYTES)
        .max_encoding_message_size(MAX_FRAME_BYTES)
}

/// What a master offers to the others.
pub fn quorum_server<S: Quorum>(service: S) -> QuorumServer<S> {
    QuorumServer::new(service)
        .max_decoding_message_size(MAX_FRAME_BYTES)
        .max_encoding_message_size(MAX_FRAME_BYTES)
}
