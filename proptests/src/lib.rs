//! Whole clusters under one seed, in one thread and in virtual time: masters, agents with their
//! containers and schedulers with their habits, which crash, pause, lose one another and come back,
//! around the real state machine. What must hold is checked after every event; then everything heals,
//! and everything must come to its end.
//!
//! A run is its [`Plan`] and nothing else: the same plan gives the same trace, byte for byte.

pub mod act;
pub mod agenda;
pub mod bug;
pub mod client;
pub mod cluster;
pub mod dice;
pub mod happening;
pub mod invariants;
pub mod nature;
pub mod network;
pub mod plan;
pub mod run;
pub mod shrink;
pub mod trace;
pub mod world;

pub use bug::Bug;
pub use dice::Dice;
pub use invariants::Violation;
pub use plan::{Action, Plan, PlanError, STEPS_MAX, Shape, Step};
pub use run::{Outcome, run};
