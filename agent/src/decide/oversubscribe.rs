//! What the agent would lend out changes, or containers have to go for what was lent out.

use std::time::Duration;

use protocol::agents::{Oversubscribed, from_agent};
use protocol::v1;
use protocol::v1::task_status::Reason;

use super::live::Verdict;
use super::{Effect, Turn};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::ExecutorKey;
use crate::oversubscribe::Correction;
use crate::shim::spec::{Exit, Killed};

impl Turn<'_> {
    /// The estimator has spoken. The leader is told what is news to it; the next one hears of it in the
    /// Hello.
    pub(crate) fn estimated(&mut self, estimate: Vec<v1::Resource>) {
        self.live.estimate = estimate;
        if self.live.is_connected {
            self.tell_estimate();
        }
    }

    /// Tells the leader the estimate, unless it was told the same before.
    pub(super) fn tell_estimate(&mut self) {
        if self.live.told_estimate != self.live.estimate {
            let resources = self.live.estimate.clone();
            self.live.told_estimate.clone_from(&resources);
            self.send(from_agent::Message::Oversubscribed(Oversubscribed { resources }));
        }
    }

    pub(super) fn corrected(&mut self, corrections: &[Correction]) {
        for Correction { executor, container_id } in corrections {
            self.preempt(executor, container_id);
        }
    }

    /// Kills a container at once. That this was the agent's own wish is on disk before, so that the end
    /// is told as such by whichever run of the agent sees it.
    fn preempt(&mut self, key: &ExecutorKey, container_id: &str) {
        let Some(executor) = self.current(key, container_id) else { return };
        if executor.preempted.contains(container_id) {
            return;
        }
        if executor.preempted.is_empty() {
            self.live.counts.executors_preempted += 1;
        }
        tracing::warn!(
            executor_id = key.executor_id,
            container_id,
            "a container with revocable resources has to go"
        );
        let (executor, container_id) = (key.clone(), container_id.to_owned());
        self.record(Event::ContainerPreempted { executor, container_id: container_id.clone() });
        let live = self.live.containers.entry(container_id.clone()).or_default();
        if live.process.is_none() {
            live.kill_at_start = Some(Duration::ZERO);
        }
        self.effect(Effect::Kill { container_id, grace: Duration::ZERO });
    }

    /// What the end of a container means if the agent wanted it gone, and it did not end by itself
    /// before.
    pub(super) fn preemption(
        &self,
        key: &ExecutorKey,
        container_id: &str,
        exit: &Exit,
    ) -> Option<Verdict> {
        let is_ours = match exit.killed {
            Some(Killed::Ordered) => true,
            Some(Killed::MaxCompletionTime | Killed::Reboot) => false,
            None => exit.status.is_none(),
        };
        let executor = self.state.executors.get(key)?;
        (is_ours && executor.preempted.contains(container_id)).then(|| Verdict {
            state: self.gone_state(&key.framework_id),
            reason: Reason::ContainerPreempted,
            message: "Its revocable resources were taken back: the agent has too much to do"
                .to_owned(),
            limitation: None,
        })
    }
}

#[cfg(test)]
mod tests;
