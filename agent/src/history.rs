//! Tasks, executors and frameworks that are over: for views only, in memory only, bounded.

use std::collections::{BTreeMap, VecDeque};

use protocol::v1;

use crate::checkpoint::apply::Forgotten;
use crate::checkpoint::state::{Executor, ExecutorKey, Task, TaskKey};

/// Executors that are kept after their end.
const EXECUTORS: usize = 1_000;
/// Ended tasks that are kept for each executor.
const TASKS: usize = 200;
/// Frameworks that are kept after their last executor ended.
const FRAMEWORKS: usize = 50;

/// What is over.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Ended tasks of executors that still run.
    tasks: BTreeMap<ExecutorKey, VecDeque<(TaskKey, Task)>>,
    pub(crate) executors: VecDeque<EndedExecutor>,
    pub(crate) frameworks: VecDeque<v1::FrameworkInfo>,
}

/// An executor that is over, with its last tasks.
#[derive(Debug)]
pub(crate) struct EndedExecutor {
    pub(crate) key: ExecutorKey,
    pub(crate) executor: Executor,
    pub(crate) tasks: VecDeque<(TaskKey, Task)>,
}

impl History {
    /// Takes what the state forgot.
    pub(crate) fn keep(&mut self, forgotten: Forgotten) {
        for (key, task) in forgotten.tasks {
            let Some(executor_id) = task.executor_id.clone() else { continue };
            let executor = ExecutorKey { framework_id: key.framework_id.clone(), executor_id };
            let tasks = self.tasks.entry(executor).or_default();
            push(tasks, (key, task), TASKS);
        }
        for (key, executor) in forgotten.executors {
            let tasks = self.tasks.remove(&key).unwrap_or_default();
            push(&mut self.executors, EndedExecutor { key, executor, tasks }, EXECUTORS);
        }
        for framework in forgotten.frameworks {
            self.frameworks.retain(|known| known.id != framework.id);
            // Tasks without an executor of ours went with their framework.
            let id = framework.id.as_ref().map_or("", |id| &id.value);
            self.tasks.retain(|key, _| key.framework_id != id);
            push(&mut self.frameworks, framework, FRAMEWORKS);
        }
    }

    /// Ended tasks of an executor that still runs, oldest first.
    pub(crate) fn tasks_of(
        &self,
        executor: &ExecutorKey,
    ) -> impl Iterator<Item = &(TaskKey, Task)> {
        self.tasks.get(executor).into_iter().flatten()
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, limit: usize) {
    if queue.len() == limit {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(number: usize) -> Forgotten {
        let task = Task { executor_id: Some("e".to_owned()), ..Task::default() };
        let key = TaskKey { framework_id: "f".to_owned(), task_id: number.to_string() };
        Forgotten { tasks: vec![(key, task)], ..Forgotten::default() }
    }

    #[test]
    fn only_the_last_tasks_are_kept() {
        let mut history = History::default();
        for number in 0..TASKS + 10 {
            history.keep(ended(number));
        }
        let executor = ExecutorKey { framework_id: "f".to_owned(), executor_id: "e".to_owned() };
        assert_eq!(history.tasks_of(&executor).count(), TASKS);
        let first = history.tasks_of(&executor).next().expect("kept");
        assert_eq!(first.0.task_id, "10");
    }
}
