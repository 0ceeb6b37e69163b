//! What the agent must remember: an event log in a redb file of its own, folded into a state by a
//! pure function.
//!
//! ```text
//!  decision ──▶ Event ──▶ apply(&mut State, &Event)          at once, in memory
//!                └─────▶ writer thread ──▶ one redb transaction for all that wait ──▶ effects go out
//! ```
//!
//! Nothing that the agent tells its master, a shim or an executor leaves before the events behind
//! it are on disk.

pub(crate) mod apply;
pub(crate) mod event;
pub(crate) mod log;
pub(crate) mod state;
pub(crate) mod wire;
