//! What happens to tasks and executors in the books, whichever event brings it about.

use std::sync::Arc;

use bytes::Bytes;

use super::{Executor, Task};
use crate::id::{AgentId, ExecutorId, ExecutorKey, FrameworkId, TaskId, TaskKey};
use crate::state::State;
use crate::status::{Status, TaskState};

impl Task {
    /// Whether it uses its resources: not once it is over, nor while its agent is unreachable.
    pub fn holds(&self) -> bool {
        holds(self.state)
    }

    /// Whether its framework has been sent its end. It may be known earlier: agents say how far they
    /// are while earlier updates wait.
    pub(crate) fn is_end_told(&self) -> bool {
        self.statuses.last().is_some_and(|status| status.state.is_terminal())
    }
}

fn holds(state: TaskState) -> bool {
    !state.is_terminal() && state != TaskState::Unreachable
}

/// The status as history keeps it: without `data`.
fn stripped(status: &Arc<Status>) -> Arc<Status> {
    if status.data.is_empty() {
        return status.clone();
    }
    Arc::new(Status { data: Bytes::new(), ..Status::clone(status) })
}

impl State {
    /// A framework's tasks that are in the books.
    pub fn tasks_of(&self, framework: FrameworkId) -> impl Iterator<Item = &Arc<Task>> {
        let first = TaskKey { framework, task: TaskId::from("") };
        self.tasks
            .range(first..)
            .take_while(move |(key, _)| key.framework == framework)
            .map(|(_, task)| task)
    }

    /// The custom executors of one agent.
    pub fn executors_on(&self, agent: AgentId) -> impl Iterator<Item = &Arc<Executor>> {
        let first =
            ExecutorKey { agent, framework: FrameworkId(0), executor: ExecutorId::from("") };
        self.executors
            .range(first..)
            .take_while(move |(key, _)| key.agent == agent)
            .map(|(_, executor)| executor)
    }

    /// Whether a task can use what it uses. One that was unreachable, and that its agent did not bring
    /// back at once, cannot when others have been given it since.
    pub(crate) fn may_return(&self, task: &Task) -> bool {
        let agent = self.agents.get(&task.agent);
        task.holds() || agent.is_some_and(|agent| agent.has_free(&task.resources))
    }

    /// A task reaches `latest`, and `status` is what is said of it. Its resources follow.
    pub(crate) fn advance(&mut self, key: &TaskKey, status: &Arc<Status>, latest: TaskState) {
        let Some(task) = self.tasks.get_mut(key).map(Arc::make_mut) else {
            return;
        };
        let held = holds(task.state);
        let was_terminal = task.state.is_terminal();
        task.state = latest;
        match task.statuses.last_mut() {
            Some(last) if last.state == status.state => *last = stripped(status),
            _ => task.statuses.push(stripped(status)),
        }
        if status.update.is_some() {
            task.pending = Some(status.clone());
        }
        let (agent, role, resources) = (task.agent, task.role.clone(), task.resources.clone());
        match (held, holds(latest)) {
            (true, false) => self.vacate(agent, key.framework, &role, &resources),
            (false, true) => self.occupy(agent, key.framework, &role, &resources),
            (true, true) | (false, false) => {}
        }
        if latest.is_terminal() && !was_terminal {
            *self.ended.entry((latest, status.source, status.reason)).or_default() += 1;
            self.count_end(key.framework, latest);
        }
    }

    /// A task leaves the books for its framework's history.
    pub(crate) fn complete_task(&mut self, key: &TaskKey) {
        let Some(mut task) = self.tasks.remove(key) else {
            return;
        };
        if let Some(agent) = self.agent_mut(task.agent) {
            agent.tasks.remove(key);
        }
        self.note_emptied(task.agent);
        let (now, retention) = (self.cluster.now, self.cluster.retention);
        let changed = Arc::make_mut(&mut task);
        changed.pending = None;
        changed.completed_at = Some(now);
        self.note_history(now, retention.completed_task_age_ms);
        let keep = retention.completed_tasks_per_framework as usize;
        if let Some(framework) = self.framework_mut(key.framework) {
            framework.completed.push_back(task);
            while framework.completed.len() > keep {
                framework.completed.pop_front();
            }
        }
    }

    /// An executor is over: its resources are free.
    pub(crate) fn end_executor(&mut self, key: &ExecutorKey) -> Option<Arc<Executor>> {
        let executor = self.executors.remove(key)?;
        if executor.holds {
            self.vacate(key.agent, key.framework, &executor.role, &executor.resources);
        }
        Some(executor)
    }

    /// An agent's executors hold nothing while it is unreachable.
    pub(crate) fn suspend_executors(&mut self, agent: AgentId) {
        self.hold_executors(agent, false);
    }

    /// An agent's executors count again.
    pub(crate) fn restore_executors(&mut self, agent: AgentId) {
        self.hold_executors(agent, true);
    }

    fn hold_executors(&mut self, agent: AgentId, hold: bool) {
        let executors: Vec<_> = self.executors_on(agent).cloned().collect();
        for executor in executors.into_iter().filter(|executor| executor.holds != hold) {
            let key = &executor.key;
            if hold {
                self.occupy(agent, key.framework, &executor.role, &executor.resources);
            } else {
                self.vacate(agent, key.framework, &executor.role, &executor.resources);
            }
            if let Some(executor) = self.executors.get_mut(key) {
                Arc::make_mut(executor).holds = hold;
            }
        }
    }
}
