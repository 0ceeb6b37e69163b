//! Commands are decided into events, events are folded into state.
//!
//! This is the whole of Mesolith's judgement, and nothing else: no I/O, no clock, no random source,
//! no wire format. The leader calls [`decide`]; every replica, restart, replay and test calls
//! [`apply`]. What the leader then has to do comes back as [`Effect`]s, and what it still owes the
//! world after a crash is derived from the [`State`] again (`outstanding`).
//!
//! ```text
//!             Command                      Events                       Effects
//!  shell ──────────────▶ decide ─────────────────────▶ journal ──────────────────▶ shell
//!                          │  apply, at once                apply, on every replica
//!                          ▼                                  ▼
//!                    working State                      committed State
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(any(test, feature = "testing")), deny(clippy::wildcard_enum_match_arm))]

mod capability;
mod codec;
mod command;
mod connection;
mod context;
mod deadline;
mod draft;
mod effect;
mod event;
#[cfg(test)]
mod histories;
mod id;
mod ledger;
mod outstanding;
mod rejection;
mod settings;
mod state;
mod status;
mod time;

pub mod agent;
pub mod allocator;
pub mod cluster;
pub mod framework;
pub mod invariants;
pub mod maintenance;
pub mod offer;
pub mod operation;
pub mod quota;
pub mod resources;
pub mod task;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use capability::{Capabilities, agent as agent_capability, framework as framework_capability};
pub use codec::{Batch, DecodeError, Record};
pub use command::{Command, decide};
pub use connection::Connection;
pub use context::Context;
pub use deadline::Deadline;
pub use draft::{Decision, Draft, Reply};
pub use effect::{Directive, Effect, FrameworkMessage, OperatorMessage, TaskUpdate};
pub use event::{Event, apply};
pub use id::{
    AgentId, EventNumber, ExecutorId, ExecutorKey, FrameworkId, NamedAgent, OfferId, OperationId,
    OperationKey, Principal, Role, Session, TaskId, TaskKey,
};
pub use rejection::Rejection;
pub use settings::{RemovalLimit, Retention, Settings};
pub use state::State;
pub use status::{Reason, Source, Status, TaskState, UpdateId};
pub use time::Time;
