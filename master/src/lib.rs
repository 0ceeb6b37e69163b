//! The master: requests become commands, committed events become effects.
//!
//! Nothing here decides about offers or tasks; the core does (`statemachine`). What lives here is
//! the leader's loop around the core, the journal's machine, the HTTP and gRPC APIs, and the views
//! that operators read.
//!
//! ```text
//!  HTTP, gRPC ──▶ api, agents ──Command──▶ leader ──Batch──▶ journal ──▶ replica (committed State)
//!      ▲                                     │                              │
//!      └────────── effects ◀──released after commit             views ◀─────┘
//! ```

pub mod config;
pub mod leader;
pub mod replica;

mod run;

mod admission;
mod agents;
mod api;
mod clock;
mod confirmed;
mod convert;
mod desk;
mod effects;
mod form;
mod master;
mod metrics;
mod outbox;
mod quorum;
mod server;
mod standing;
mod streams;
mod transport;
mod validate;
mod views;

pub use config::Config;
pub use run::{RunError, run, run_on};
