//! The leader: decides commands one after the other on a working state that runs ahead of the
//! journal, and lets nothing out before it is committed.
//!
//! [`Core`] is all of that without a clock, a thread or a socket; `shell` gives it those.

mod allocation;
mod core;
mod inbox;
mod notices;
mod shell;

pub use core::{Core, Decided, Input, Proposal, Release, WINDOW_BATCHES};
pub(crate) use inbox::{Inbox, SubmitError, Ticket, inbox};
pub(crate) use shell::{Outgoing, Shell, lead};
