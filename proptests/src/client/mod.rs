//! Those that talk to the masters: agents with their containers, schedulers with their habits, and an
//! operator.

mod agent;
mod connection;
mod container;
mod operator;
mod scheduler;

pub use agent::Agent;
pub use connection::Connection;
pub use container::{Container, Containers, Fate};
pub use operator::Operator;
pub use scheduler::{Habit, Scheduler};
