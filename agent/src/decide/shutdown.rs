//! Executors and frameworks are told to end.

use std::time::Duration;

use protocol::agents::{FrameworkStopped, ShutdownExecutor, ShutdownFramework, from_agent};
use protocol::v1::executor::{Event as ExecutorEvent, event::Type};

use super::live::Timer;
use super::{Effect, Turn};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{Executor, ExecutorKey, TaskKey};

impl Turn<'_> {
    pub(super) fn shutdown_executor(&mut self, shutdown: &ShutdownExecutor) {
        let executor = ExecutorKey {
            framework_id: shutdown.framework_id.clone(),
            executor_id: shutdown.executor_id.clone(),
        };
        // its index may lie below that of a directive which was taken meanwhile
        if self.state.executors.get(&executor).is_some_and(|known| !known.is_shut_down) {
            let directive_index = shutdown.index;
            self.record(Event::ExecutorShutDown { executor: executor.clone(), directive_index });
            self.end(&executor);
        }
        self.confirm(shutdown.index);
    }

    pub(super) fn shutdown_framework(&mut self, shutdown: &ShutdownFramework) {
        let framework_id = &shutdown.framework_id;
        let is_over = |executor: &Executor| executor.has_ended || executor.is_shut_down;
        let is_told = self.state.tasks_of(framework_id).next().is_none()
            && self.state.executors_of(framework_id).all(|(_, executor)| is_over(executor));
        self.live.stopping.insert(framework_id.clone());
        if !is_told {
            self.end_framework(framework_id, shutdown.index);
        }
        self.tell_stopped(framework_id);
        self.confirm(shutdown.index);
    }

    /// Says that nothing of a framework runs, if that is so and the leader waits to hear it.
    pub(super) fn tell_stopped(&mut self, framework_id: &str) {
        let is_over = self.state.executors_of(framework_id).all(|(_, executor)| executor.has_ended);
        if is_over && self.live.stopping.remove(framework_id) {
            let framework_id = framework_id.to_owned();
            self.send(from_agent::Message::FrameworkStopped(FrameworkStopped { framework_id }));
        }
    }

    pub(super) fn end_framework(&mut self, framework_id: &str, directive_index: u64) {
        let executors: Vec<ExecutorKey> =
            self.state.executors_of(framework_id).map(|(key, _)| key.clone()).collect();
        let tasks: Vec<_> = self.state.tasks_of(framework_id).map(|(key, _)| key.clone()).collect();
        for task in tasks {
            self.live.retries.remove(&task);
        }
        let framework_id = framework_id.to_owned();
        self.record(Event::FrameworkShutDown { framework_id, directive_index });
        for executor in executors {
            self.end(&executor);
        }
    }

    /// Has an executor end: by itself if it listens, by force after its grace (semantics 257).
    pub(super) fn end(&mut self, key: &ExecutorKey) {
        let Some(executor) = self.state.executors.get(key) else { return };
        if executor.has_ended {
            return;
        }
        let container_id = executor.container_id.clone();
        let grace = self.shutdown_grace(executor);
        if !executor.is_custom() {
            for container_id in executor.running_containers() {
                let live = self.live.containers.entry(container_id.clone()).or_default();
                if live.process.is_none() {
                    live.kill_at_start = Some(grace);
                }
                self.effect(Effect::Kill { container_id, grace });
            }
            self.end_if_idle(key);
            return;
        }
        let live = self.live.executors.entry(key.clone()).or_default();
        match live.stream.clone() {
            Some(stream) => {
                let event =
                    ExecutorEvent { r#type: Some(Type::Shutdown.into()), ..Default::default() };
                self.tell(key, &stream, event);
                let timer = Timer::Shutdown { executor: key.clone(), container_id };
                self.live.timers.set(self.now + grace, timer);
            }
            // It would not hear of it; one that is being launched is not started.
            None => self.effect(Effect::Kill { container_id, grace: Duration::ZERO }),
        }
    }

    /// An executor whose tasks were all killed before it got any is not needed (semantics 256).
    pub(super) fn shut_down_if_idle(&mut self, key: &ExecutorKey) {
        let live = self.live.executors.get(key);
        let never_had_any = live.is_some_and(|live| !live.was_given_any);
        if never_had_any && !self.has_work(key) {
            let executor = key.clone();
            self.record(Event::ExecutorShutDown { executor, directive_index: 0 });
            self.end(key);
        }
    }

    fn has_work(&self, key: &ExecutorKey) -> bool {
        let executor = self.state.executors.get(key);
        executor.into_iter().flat_map(|executor| &executor.tasks).any(|task_id| {
            let (framework_id, task_id) = (key.framework_id.clone(), task_id.clone());
            let task = self.state.tasks.get(&TaskKey { framework_id, task_id });
            task.is_some_and(|task| !task.is_terminal())
        })
    }
}
