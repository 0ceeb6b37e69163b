//! An executor subscribes, for the first time or again.

use protocol::v1;
use protocol::v1::executor::{self, event};
use tokio::sync::mpsc;

use super::live::Stream;
use super::{Answer, Turn};
use crate::checkpoint::state::{ExecutorKey, TaskKey};

/// Events that an executor may leave unread before its stream is closed.
const STREAM_LIMIT: usize = 65_536;

impl Turn<'_> {
    /// The older of two streams is closed (semantics 254). What the executor says it has not seen
    /// acknowledged is taken up; tasks that it never got are delivered (semantics 255).
    pub(super) fn subscribe(
        &mut self,
        key: &ExecutorKey,
        subscribe: executor::call::Subscribe,
    ) -> Answer {
        let Some(subscribed) = self.subscribed(key) else {
            return Answer::Invalid("Executor cannot be found");
        };
        let (sender, events) = mpsc::channel(STREAM_LIMIT);
        let number = self.live.next_stream();
        let stream = Stream { number, sender };
        let live = self.live.executors.entry(key.clone()).or_default();
        live.stream = Some(stream.clone());
        live.has_subscribed = true;
        for task in subscribe.unacknowledged_tasks {
            live.gave(&task.task_id.value);
        }
        let kills = std::mem::take(&mut live.kills);
        self.tell(key, &stream, subscribed);
        for update in subscribe.unacknowledged_updates {
            self.executor_update(key, update.status);
        }
        self.deliver_all(key);
        for (task_id, policy) in kills {
            self.tell(key, &stream, kill_event(&task_id, policy));
        }
        if self.state.executors.get(key).is_some_and(|executor| executor.is_shut_down) {
            self.end(key);
        } else {
            self.shut_down_if_idle(key);
        }
        Answer::Subscribed { number, events }
    }

    fn subscribed(&self, key: &ExecutorKey) -> Option<executor::Event> {
        let executor = self.state.executors.get(key)?;
        let framework = self.state.frameworks.get(&key.framework_id)?;
        let mut agent_info = self.state.info.clone()?.0;
        agent_info.id = Some(self.state.agent_id().into());
        let mut executor_info = executor.info.0.clone();
        executor_info.framework_id = Some(key.framework_id.as_str().into());
        let subscribed = event::Subscribed {
            executor_info,
            framework_info: framework.0.clone(),
            agent_info,
            container_id: Some(executor.container_id.as_str().into()),
        };
        Some(executor::Event {
            r#type: Some(event::Type::Subscribed.into()),
            subscribed: Some(subscribed),
            ..Default::default()
        })
    }

    fn deliver_all(&mut self, key: &ExecutorKey) {
        let live = self.live.executors.get(key);
        let is_new = |task_id: &str| live.is_some_and(|live| !live.delivered.contains(task_id));
        let waiting: Vec<(String, Option<u64>)> = self
            .tasks_of(key)
            .into_iter()
            .filter(|(task, known)| known.statuses.is_empty() && is_new(&task.task_id))
            .map(|(task, known)| (task.task_id, known.group))
            .collect();
        // what was launched together has its places in the order of launches one after another
        for together in waiting.chunk_by(|(_, one), (_, next)| one.is_some() && one == next) {
            let task_ids: Vec<String> =
                together.iter().map(|(task_id, _)| task_id.clone()).collect();
            self.deliver(key, &task_ids);
        }
    }

    /// Gives a task, or a group of them, to its executor if that listens; else they wait for the
    /// subscription.
    pub(super) fn deliver(&mut self, key: &ExecutorKey, task_ids: &[String]) {
        let framework_id = &key.framework_id;
        let known = task_ids.iter().filter_map(|task_id| {
            let (framework_id, task_id) = (framework_id.clone(), task_id.clone());
            self.state.tasks.get(&TaskKey { framework_id, task_id })
        });
        let is_group = known.clone().any(|task| task.group.is_some());
        let infos =
            known.filter_map(|task| task.info.as_ref()).map(|info| info.0.clone()).collect();
        let Some(executor) = self.state.executors.get(key).map(|known| known.info.0.clone()) else {
            return;
        };
        let Some(live) = self.live.executors.get_mut(key) else { return };
        let Some(stream) = live.stream.clone() else { return };
        for task_id in task_ids {
            live.gave(task_id);
        }
        for event in launch_events(is_group, infos, &executor) {
            self.tell(key, &stream, event);
        }
    }
}

/// One event for a group, or one for each task. Tasks of a group name their executor (semantics 97).
fn launch_events(
    is_group: bool,
    tasks: Vec<v1::TaskInfo>,
    executor: &v1::ExecutorInfo,
) -> Vec<executor::Event> {
    let of = |r#type: event::Type| executor::Event {
        r#type: Some(r#type.into()),
        ..executor::Event::default()
    };
    if is_group {
        let named = |task| v1::TaskInfo { executor: Some(executor.clone()), ..task };
        let task_group = v1::TaskGroupInfo { tasks: tasks.into_iter().map(named).collect() };
        let launch_group = Some(event::LaunchGroup { task_group });
        return vec![executor::Event { launch_group, ..of(event::Type::LaunchGroup) }];
    }
    let launch =
        |task| executor::Event { launch: Some(event::Launch { task }), ..of(event::Type::Launch) };
    tasks.into_iter().map(launch).collect()
}

pub(super) fn kill_event(task_id: &str, kill_policy: Option<v1::KillPolicy>) -> executor::Event {
    executor::Event {
        r#type: Some(event::Type::Kill.into()),
        kill: Some(event::Kill { task_id: task_id.into(), kill_policy }),
        ..Default::default()
    }
}
