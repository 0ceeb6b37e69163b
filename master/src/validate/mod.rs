//! What can be said about a message without the state: whether it has the shape it must have.

mod call;
mod command;
mod framework;
mod task;

pub(crate) use call::scheduler_call;
pub(crate) use framework::framework;
pub(crate) use task::{complete, task};
