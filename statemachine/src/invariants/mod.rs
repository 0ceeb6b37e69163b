//! What must hold in every state that was ever folded. Checked after every event in tests and
//! simulations, and by `replay verify` on any journal.

mod deadlines;
mod drains;
mod lingering;
mod maintenance;
mod offers;
mod operations;
mod resources;
mod tasks;

use std::fmt;

use crate::state::State;

/// A broken invariant: a fault of this crate or a journal that was tampered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// What breaks it, with the ids concerned.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

/// Everything that is broken in `state`; empty when all is well.
pub fn check(state: &State) -> Vec<Violation> {
    [
        deadlines::check(state),
        drains::check(state),
        lingering::check(state),
        maintenance::check(state),
        offers::check(state),
        operations::check(state),
        resources::check(state),
        tasks::check(state),
    ]
    .concat()
}

/// A violation when `holds` is false.
fn demand(
    violations: &mut Vec<Violation>,
    invariant: &'static str,
    holds: bool,
    text: impl FnOnce() -> String,
) {
    if !holds {
        violations.push(Violation { invariant, text: text() });
    }
}
