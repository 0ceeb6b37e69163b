//! Runs one command as a task: a small v1 framework that ends with its task.

mod exit_status;
mod framework;
mod offers;
mod runner;
mod work;

pub(crate) use runner::run;
pub(crate) use work::Work;
