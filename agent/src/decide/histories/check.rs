//! What holds after each step.

use std::collections::{BTreeMap, BTreeSet};

use protocol::v1;

use super::FRAMEWORK;
use super::world::World;
use crate::checkpoint::state::{ExecutorKey, Task, TaskKey};

impl World {
    /// Tasks of a default executor's group do not outlive one that failed or was killed.
    fn check_groups(&self) {
        let mut groups: BTreeMap<u64, Vec<(&TaskKey, &Task)>> = BTreeMap::new();
        for (key, task) in &self.state.tasks {
            if let Some(group) = task.group {
                groups.entry(group).or_default().push((key, task));
            }
        }
        for together in groups.values() {
            let is_lost =
                |task: &Task| task.is_terminal() && task.state() != v1::TaskState::TaskFinished;
            let is_any_lost = together.iter().any(|(_, task)| is_lost(task));
            for (key, task) in together.iter().filter(|(_, task)| !task.is_terminal()) {
                let executor_id = task.executor_id.clone().unwrap_or_default();
                let executor = ExecutorKey { framework_id: FRAMEWORK.to_owned(), executor_id };
                let executor = self.state.executors.get(&executor).expect("an executor");
                let Some(container_id) = executor.container_of(&key.task_id) else { continue };
                assert!(!is_any_lost || task.is_doomed, "{key:?} goes with its group");
                assert!(!task.is_doomed || self.killed.contains(container_id), "{key:?} is killed");
            }
        }
    }

    pub(super) fn check(&self) {
        for (key, executor) in
            self.state.executors.iter().filter(|(_, executor)| !executor.has_ended)
        {
            let containers = executor.running_containers();
            let lingers = executor.is_default() && !executor.tasks.is_empty();
            assert!(lingers || !containers.is_empty(), "{key:?} has a container");
            for container_id in containers {
                assert!(self.containers.contains_key(&container_id), "{key:?} has its containers");
                let goes = executor.preempted.contains(&container_id);
                assert!(!goes || self.killed.contains(&container_id), "{container_id} is killed");
            }
        }
        self.check_groups();
        for key in self.running() {
            assert!(self.ledger.contains(key), "the master knows of {key:?}");
        }
        let ended: BTreeSet<_> = self.ended.iter().collect();
        for key in &self.ledger {
            let is_known = self.running().any(|running| running == key) || ended.contains(key);
            assert!(is_known, "the master hears that {key:?} does not run");
        }
        for (key, task) in &self.state.tasks {
            let executor_id = task.executor_id.clone().unwrap_or_default();
            let executor = ExecutorKey { framework_id: key.framework_id.clone(), executor_id };
            let runs = self.state.executors.get(&executor).is_some_and(|known| !known.has_ended);
            assert!(task.is_terminal() || runs, "{key:?} is over or has an executor");
            let executor = self.state.executors.get(&executor).filter(|known| known.is_default());
            let has_container = executor.is_some_and(|it| it.containers.contains_key(&key.task_id));
            assert!(
                executor.is_none() || task.is_terminal() != has_container,
                "{key:?} is contained"
            );
            assert!(self.state.frameworks.contains_key(FRAMEWORK) || task.info.is_none());
        }
    }
}
