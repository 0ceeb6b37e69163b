//! No task is launched twice or on two agents (agents.proto, Launch; issue 2): counted where it
//! matters, at the containers that agents really start.

use std::collections::BTreeMap;

use super::{Violation, demand};
use crate::happening::TaskName;

/// Every container ever started. Simulated schedulers never use a task id again.
#[derive(Debug, Default)]
pub struct Launches {
    started: BTreeMap<TaskName, u8>,
}

impl Launches {
    /// An agent starts a task's container.
    pub fn started(&mut self, agent: u8, task: &TaskName) -> Result<(), Violation> {
        let before = self.started.insert(task.clone(), agent);
        demand(before.is_none(), "no task is launched twice", || {
            format!("{task:?} on agent {agent}, before on agent {before:?}")
        })
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.started.len()
    }
}
