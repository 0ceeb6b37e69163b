//! What can be said about a message without the state: whether it has the shape it must have.

mod call;
mod command;
mod executor;
mod framework;
mod group;
mod task;

pub(crate) use call::scheduler_call;
pub(crate) use framework::framework;
pub(crate) use group::{group, grouped_task};
pub(crate) use task::{complete, task};
