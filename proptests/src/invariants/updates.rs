//! Every update with an id reaches its framework until it is acknowledged (semantics 190, 191, 202):
//! an agent is told that one is acknowledged only if its framework has said so, or is over.

use std::collections::BTreeSet;

use statemachine::{State, UpdateId};

use super::{Violation, demand};

/// What frameworks have acknowledged.
#[derive(Debug, Default)]
pub struct Updates {
    confirmed: BTreeSet<UpdateId>,
}

impl Updates {
    /// A scheduler sends an acknowledgement.
    pub fn confirmed(&mut self, update: UpdateId) {
        self.confirmed.insert(update);
    }

    /// An agent hears of one.
    pub fn heard(
        &self,
        framework: &str,
        update: UpdateId,
        committed: &State,
    ) -> Result<(), Violation> {
        let over = committed.framework_by_wire_id(framework).is_none();
        let held = over || self.confirmed.contains(&update);
        demand(held, "no update is acknowledged but by its framework", || {
            format!("{update:?} of framework {framework}")
        })
    }
}
