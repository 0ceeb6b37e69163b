//! What happened, at any index, and why: reads the journal of a master, stopped or live, and never
//! writes to it.
//!
//! [`log`] shows every event as one line; [`verify`] folds them all again and checks what can be
//! checked; [`Journal::past`] is the state at any moment. They start from where [`Journal`] says that the
//! history begins. What else is to be told of the past belongs beside them, as functions of the same three
//! things: a journal, a range, and the one fold.

mod base;
mod facts;
mod hex;
mod journal;
mod line;
mod log;
mod moment;
mod names;
mod past;
mod teller;
mod verify;

pub use facts::{Fact, Facts};
pub use journal::{Journal, JournalError};
pub use line::Line;
pub use log::{Log, log};
pub use past::{Extent, Moment, Past, PastError};
pub use teller::{Place, Teller};
pub use verify::{Found, Sound, VerifyError, verify};

#[cfg(test)]
mod testing;
