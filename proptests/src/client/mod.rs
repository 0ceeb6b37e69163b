//! Those that talk to the masters: agents with their containers, and schedulers with their habits.

mod agent;
mod connection;
mod container;
mod scheduler;

pub use agent::Agent;
pub use connection::Connection;
pub use container::{Container, Containers, Fate};
pub use scheduler::{Habit, Scheduler};
