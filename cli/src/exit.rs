//! What exit codes mean. Wrong usage is 2, by clap.

/// It did not work; stderr says why.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage, where it is not clap that finds it.
pub(crate) const USAGE: u8 = 2;
/// `execute`: the task was not run to its end (no offer, refused, lost, killed by others).
pub(crate) const NOT_RUN: u8 = 125;
/// Added to the number of the signal that ended a task or us, as shells do.
pub(crate) const SIGNALLED: u8 = 128;

/// `replay`: the journal is damaged.
pub(crate) const DAMAGED: u8 = 1;
/// `replay`: the directory cannot be read as a journal.
pub(crate) const UNREADABLE: u8 = 2;
