//! The agent starts, with containers of an earlier run.

use std::time::Duration;

use protocol::v1;
use uuid::Uuid;

use super::live::{LiveExecutor, Timer};
use super::{Effect, Turn};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::ExecutorKey;
use crate::checkpoint::wire::Wire;
use crate::containerizer::recover::Recovered;

impl Turn<'_> {
    /// The agent process starts, on this boot of the machine, offering this.
    pub(crate) fn start(&mut self, boot_id: &str, info: &v1::AgentInfo) {
        let is_new = self.state.boot_id != boot_id || self.state.info.as_deref() != Some(info);
        if is_new {
            let info = Wire(info.clone());
            self.record(Event::Started { boot_id: boot_id.to_owned(), info });
        }
        let make = self.volumes().into_iter().collect();
        self.effect(Effect::Volumes { remove: Vec::new(), make });
    }

    /// Takes up one executor, after its container was looked at.
    pub(crate) fn take_up(&mut self, key: &ExecutorKey, found: Recovered) {
        let Some(executor) = self.state.executors.get(key) else { return };
        let container_id = executor.container_id.clone();
        let (is_command, is_shut_down) = (executor.is_command, executor.is_shut_down);
        self.live.executors.insert(key.clone(), LiveExecutor::default());
        match found {
            Recovered::Gone(exit) => self.container_exited(key, &container_id, &exit),
            Recovered::NeverRan => self.launch_again(key, container_id),
            Recovered::Adopted { process } => {
                if let Some(live) = self.live.executors.get_mut(key) {
                    live.process = process;
                    // It may be idle between its tasks; one that never got any was shut down.
                    live.was_given_any = true;
                }
                let resources = self.resources_of(key);
                self.effect(Effect::Update { container_id: container_id.clone(), resources });
                if is_command && process.is_some() {
                    self.begin_checks(key);
                    self.report_running(key);
                }
                self.effect(Effect::Await(key.clone(), container_id.clone()));
                if is_shut_down {
                    self.kill_container(key, Duration::ZERO);
                } else if !is_command {
                    let executor = key.clone();
                    let timer = Timer::Registration { executor, container_id, is_again: true };
                    self.live.timers.set(self.now + self.settings.reregistration_timeout, timer);
                }
            }
        }
    }

    /// The container was given up before anything of it ran; its tasks run in another one.
    fn launch_again(&mut self, key: &ExecutorKey, old: String) {
        let container_id = Uuid::new_v4().to_string();
        self.record(Event::ContainerReplaced { executor: key.clone(), container_id });
        self.effect(Effect::Remove { container_id: old });
        let is_shut_down =
            self.state.executors.get(key).is_some_and(|executor| executor.is_shut_down);
        if is_shut_down {
            let exit = crate::shim::spec::Exit::default();
            let new = self.state.executors.get(key).map(|executor| executor.container_id.clone());
            self.container_exited(key, &new.unwrap_or_default(), &exit);
        } else {
            self.launch_container(key);
        }
    }
}
