//! Runs containers and tells the truth about them.
//!
//! ```text
//!   leader ◀──── session ────▶ ┌───────────────┐ ◀──── http ◀──── executors, operators
//!                              │  turns: the   │
//!   disk ◀── checkpoint ◀───── │  one loop     │ ────▶ effects ────▶ containerizer ──▶ shims
//!                              └───────────────┘
//! ```
//!
//! What comes in is decided into events, which are folded into the agent's state and written to its
//! checkpoint, and effects, which are carried out once the events are on disk. Each container runs
//! under a shim, a process of its own that outlives the agent: an agent can be killed at any
//! moment, and the next one with the same work directory takes up where it was.

mod cgroups;
mod checkpoint;
mod checks;
mod collect;
mod config;
mod containerizer;
mod decide;
mod effects;
mod fetcher;
mod history;
mod http;
mod info;
mod kernel;
mod oversubscribe;
mod run;
mod session;
mod shim;
mod turns;
mod work_dir;

pub use checkpoint::log::CheckpointError;
pub use config::isolation::{IsolationFlags, Isolators, LauncherKind};
pub use config::{Config, Masters, ReconfigurationPolicy, accept_underscores};
pub use containerizer::isolation::IsolationError;
pub use info::InfoError;
pub use oversubscribe::{
    ControllerKind, EstimatorKind, OversubscriptionError, OversubscriptionFlags,
};
pub use run::{RunError, run};
pub use shim::shim_main;
