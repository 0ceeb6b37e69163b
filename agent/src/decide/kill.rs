//! The master wants a task to end.

use protocol::agents::Kill;
use protocol::v1;
use protocol::v1::framework_info::capability::Type;
use protocol::v1::task_status::Reason;

use super::container::{duration, kill_grace};
use super::status::News;
use super::subscribe::kill_event;
use super::{Effect, Turn};
use crate::checkpoint::state::{Executor, ExecutorKey, TaskKey};

impl Turn<'_> {
    pub(super) fn kill(&mut self, kill: Kill) {
        let Kill { framework_id, task_id, kill_policy } = kill;
        let key = TaskKey { framework_id, task_id };
        let Some(task) = self.state.tasks.get(&key) else {
            let state = self.lost_state(&key.framework_id);
            let news = News::of_agent(state, Reason::ExecutorTerminated, "Cannot find executor");
            self.report(&key, None, news);
            return;
        };
        let (Some(executor_id), false) = (task.executor_id.clone(), task.is_terminal()) else {
            return;
        };
        let executor = ExecutorKey { framework_id: key.framework_id.clone(), executor_id };
        if self.state.executors.get(&executor).is_some_and(Executor::is_custom) {
            self.kill_in_executor(&key, &executor, kill_policy);
        } else {
            self.kill_own(&key, &executor, kill_policy.as_ref());
        }
    }

    /// Kills a task that the agent runs itself.
    pub(super) fn kill_own(
        &mut self,
        key: &TaskKey,
        executor: &ExecutorKey,
        policy: Option<&v1::KillPolicy>,
    ) {
        let Some(task) = self.state.tasks.get(key) else { return };
        let own = task.info.as_ref().map(|info| kill_grace(info));
        let given = policy.and_then(|policy| policy.grace_period).map(duration);
        let grace = given.or(own).unwrap_or(super::container::DEFAULT_KILL_GRACE);
        let is_running = task.state() == v1::TaskState::TaskRunning;
        let known = self.state.executors.get(executor);
        let container_id = known.and_then(|known| known.container_of(&key.task_id));
        let Some(container_id) = container_id.map(str::to_owned) else { return };
        let live = self.live.containers.entry(container_id.clone()).or_default();
        if live.process.is_none() {
            // Should the container run before the order reaches it, it is killed as soon as it
            // does.
            live.kill_at_start = Some(live.kill_at_start.map_or(grace, |first| first.min(grace)));
        } else if is_running && self.state.has_capability(&key.framework_id, Type::TaskKillingState)
        {
            let news = News::of_command(v1::TaskState::TaskKilling);
            self.report(key, Some(&executor.executor_id), news);
        }
        self.effect(Effect::Kill { container_id, grace });
    }

    fn kill_in_executor(
        &mut self,
        key: &TaskKey,
        executor: &ExecutorKey,
        policy: Option<v1::KillPolicy>,
    ) {
        // What it has spoken of it has, though an earlier run of the agent gave it.
        let known = self.state.tasks.get(key);
        let was_told_of = known.is_some_and(|task| !task.statuses.is_empty());
        let Some(live) = self.live.executors.get_mut(executor) else { return };
        let is_delivered = was_told_of || live.delivered.contains(&key.task_id);
        if let (true, Some(stream)) = (is_delivered, live.stream.clone()) {
            self.tell(executor, &stream, kill_event(&key.task_id, policy));
        } else if is_delivered {
            // The executor has the task, and will hear of the kill when it is back.
            live.kills.insert(key.task_id.clone(), policy);
        } else {
            self.kill_undelivered(key, executor);
        }
    }

    /// The executor never heard of the task, and now never will (semantics 206, 256); nor of those that
    /// were to reach it with this one.
    fn kill_undelivered(&mut self, key: &TaskKey, executor: &ExecutorKey) {
        let mut together = self.unfinished_of_group(executor, key);
        together.push(key.clone());
        for task in together {
            let news = News::of_agent(
                v1::TaskState::TaskKilled,
                Reason::TaskKilledDuringLaunch,
                "Task killed before it reached its executor",
            );
            self.report(&task, Some(&executor.executor_id), news);
        }
        self.shut_down_if_idle(executor);
    }
}
