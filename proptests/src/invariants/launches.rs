//! No task is launched twice or on two agents (agents.proto, Launch; issue 2): counted where it
//! matters, at the containers that agents really start. No agent runs more than it has, either.

use std::collections::BTreeMap;

use statemachine::resources::Scalar;

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

/// An agent's tasks have so many CPUs in all once one more is started, those included whose framework is over and that
/// have not ended (gaps 51), and the agent has so many: of what the master counts as free, nothing runs.
pub fn fits(agent: u8, runs: Scalar, has: Scalar) -> Result<(), Violation> {
    demand(runs <= has, "no agent runs more than it has", || {
        format!("tasks with cpus:{runs} on agent {agent}, which has cpus:{has}")
    })
}
