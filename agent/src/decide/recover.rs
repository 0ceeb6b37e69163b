//! The agent starts, with containers of an earlier run.

use std::time::Duration;

use protocol::v1;

use super::live::{LiveContainer, Timer};
use super::{Effect, Turn};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{ExecutorKey, TaskKey};
use crate::checkpoint::wire::Wire;
use crate::containerizer::recover::Recovered;
use crate::containerizer::{LaunchError, container_id};
use crate::shim::process::Process;
use crate::shim::spec::Exit;

impl Turn<'_> {
    /// The agent process starts, on this boot of the machine, offering this.
    pub(crate) fn start(&mut self, boot_id: &str, info: &v1::AgentInfo) {
        let is_new = self.state.boot_id != boot_id || self.state.info.as_deref() != Some(info);
        if is_new {
            let info = Wire(info.clone());
            self.record(Event::Started { boot_id: boot_id.to_owned(), info });
        }
        // what they waited for is owed all the same
        let executors: Vec<ExecutorKey> = self.state.executors.keys().cloned().collect();
        for executor in executors {
            self.end_if_idle(&executor);
        }
        let make = self.volumes().into_iter().collect();
        self.effect(Effect::Volumes { remove: Vec::new(), make });
    }

    /// Takes up one container of an executor, after it was looked at.
    pub(crate) fn take_up(&mut self, key: &ExecutorKey, container_id: &str, found: Recovered) {
        if !self.state.executors.contains_key(key) {
            return;
        }
        self.live.executors.entry(key.clone()).or_default();
        match found {
            Recovered::Gone(exit) => self.container_exited(key, container_id, &exit),
            Recovered::NeverRan => self.launch_again(key, container_id),
            Recovered::Adopted { process } => self.adopt(key, container_id, process),
        }
    }

    fn adopt(&mut self, key: &ExecutorKey, container_id: &str, process: Option<Process>) {
        let Some(executor) = self.state.executors.get(key) else { return };
        let is_custom = executor.is_custom();
        let is_to_end = executor.is_shut_down || executor.preempted.contains(container_id);
        // It may be idle between its tasks; one that never got any was shut down.
        self.live.executors.entry(key.clone()).or_default().was_given_any = true;
        let live = LiveContainer { process, ..LiveContainer::default() };
        self.live.containers.insert(container_id.to_owned(), live);
        let share = self.state.share_in(key, container_id);
        self.effect(Effect::Update { container_id: container_id.to_owned(), share });
        self.live.resized.insert(key.clone());
        let task = self.state.task_in(key, container_id);
        if let Some(task) = task.as_ref().filter(|_| process.is_some()) {
            self.begin_checks(key, task, container_id);
            self.report_running(task);
        }
        self.effect(Effect::Await(key.clone(), container_id.to_owned()));
        if is_to_end {
            let container_id = container_id.to_owned();
            self.effect(Effect::Kill { container_id, grace: Duration::ZERO });
        } else if let Some(task) = task.filter(|task| self.is_doomed(task)) {
            self.kill_own(&task, key, None);
        } else if is_custom {
            let (executor, container_id) = (key.clone(), container_id.to_owned());
            let timer = Timer::Registration { executor, container_id, is_again: true };
            self.live.timers.set(self.now + self.settings.reregistration_timeout, timer);
        }
    }

    /// The container was given up before anything of it ran; its tasks run in another one.
    fn launch_again(&mut self, key: &ExecutorKey, old: &str) {
        let Some(executor) = self.state.executors.get(key) else { return };
        if executor.preempted.contains(old) {
            return self.container_not_launched(key, old, &LaunchError::Cancelled);
        }
        let (is_shut_down, is_default) = (executor.is_shut_down, executor.is_default());
        let container_id = if is_default {
            container_id::within(&executor.container_id)
        } else {
            container_id::new()
        };
        let task = self.state.task_in(key, old);
        let is_doomed = task.as_ref().is_some_and(|task| self.is_doomed(task));
        let task_id = task.filter(|_| is_default).map(|task| task.task_id);
        let (executor, new) = (key.clone(), container_id.clone());
        self.record(Event::ContainerReplaced { executor, container_id: new, task_id });
        self.live.containers.remove(old);
        self.effect(Effect::Remove { container_id: old.to_owned() });
        if is_doomed {
            self.container_not_launched(key, &container_id, &LaunchError::Cancelled);
        } else if is_shut_down {
            self.container_exited(key, &container_id, &Exit::default());
        } else {
            if is_default {
                self.share(key);
            }
            self.launch_container(key, &container_id);
        }
    }

    fn is_doomed(&self, task: &TaskKey) -> bool {
        self.state.tasks.get(task).is_some_and(|task| task.is_doomed)
    }
}
