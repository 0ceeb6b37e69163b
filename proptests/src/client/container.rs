//! The containers of one machine: processes under shims of their own, which outlive the agent and
//! keep their exit status for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use statemachine::resources::Scalar;
use statemachine::{ExecutorId, TaskState};

use crate::happening::{Happening, TaskName};
use crate::nature::Nature;

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was started and is not up yet.
    Starting,
    /// It runs.
    Running,
    /// It has ended like this.
    Ended(TaskState),
}

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Which start of a container on this machine.
    pub run: u64,
    /// The custom executor that it belongs to.
    pub executor: Option<ExecutorId>,
    /// How many CPUs its task has.
    pub cpus: Scalar,
    /// How it stands.
    pub fate: Fate,
}

/// All containers of a machine.
#[derive(Debug, Default)]
pub struct Containers {
    /// By task.
    pub all: BTreeMap<TaskName, Container>,
    runs: u64,
}

impl Containers {
    /// Starts one.
    pub fn start(
        &mut self,
        agent: u8,
        task: &TaskName,
        (executor, cpus): (Option<ExecutorId>, Scalar),
        nature: &mut Nature,
    ) {
        self.runs += 1;
        let run = self.runs;
        self.all.insert(task.clone(), Container { run, executor, cpus, fate: Fate::Starting });
        let up_ms = nature.dice.between(2, 50);
        let ends_ms = up_ms + nature.dice.between(50, 8_000);
        let end = if nature.dice.chance(850) { TaskState::Finished } else { TaskState::Failed };
        nature.after(up_ms, Happening::Running(agent, task.clone(), run));
        nature.after(ends_ms, Happening::Exit(agent, task.clone(), run, end));
    }

    /// How many CPUs the tasks have whose processes have not ended.
    pub fn cpus(&self) -> Scalar {
        let live = self.all.values().filter(|it| !matches!(it.fate, Fate::Ended(_)));
        Scalar(live.map(|container| container.cpus.0).sum())
    }

    /// A process is up or ends; whether that is news.
    pub fn moves(&mut self, task: &TaskName, run: u64, fate: Fate) -> bool {
        let Some(container) = self.all.get_mut(task).filter(|it| it.run == run) else {
            return false;
        };
        let over = matches!(container.fate, Fate::Ended(_));
        if !over {
            container.fate = fate;
        }
        !over
    }

    /// A task is to be killed: its process ends soon.
    pub fn kill(&self, agent: u8, task: &TaskName, nature: &mut Nature) {
        if let Some(container) = self.all.get(task) {
            let grace_ms = nature.dice.between(1, 500);
            let exit = Happening::Exit(agent, task.clone(), container.run, TaskState::Killed);
            nature.after(grace_ms, exit);
        }
    }

    /// All of a framework is to end: each process soon, and what has ended is forgotten.
    pub fn end_framework(&mut self, agent: u8, framework: &str, nature: &mut Nature) {
        let is_over = |container: &Container| matches!(container.fate, Fate::Ended(_));
        self.all.retain(|task, container| &*task.0 != framework || !is_over(container));
        for task in self.all.keys().filter(|task| &*task.0 == framework) {
            self.kill(agent, task, nature);
        }
    }

    /// The frameworks of those that have not ended.
    pub fn frameworks(&self) -> impl Iterator<Item = Arc<str>> {
        let live = self.all.iter().filter(|(_, it)| !matches!(it.fate, Fate::Ended(_)));
        live.map(|(task, _)| task.0.clone())
    }

    /// The tasks of an executor that have not ended.
    pub fn of_executor(&self, framework: &str, executor: &ExecutorId) -> Vec<TaskName> {
        let of = self.all.iter().filter(|(task, container)| {
            &*task.0 == framework
                && container.executor.as_ref() == Some(executor)
                && !matches!(container.fate, Fate::Ended(_))
        });
        of.map(|(task, _)| task.clone()).collect()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.all.values().filter(|it| !matches!(it.fate, Fate::Ended(_))).count()
    }
}
