//! Streams to masters come and go.

use protocol::agents::{ExecutorReport, FromAgent, Hello, TaskReport, Welcome};
use protocol::{rpc, v1};
use tokio::sync::{mpsc, oneshot};

use super::live::UPDATE_RETRY_FIRST;
use super::{Effect, Turn};
use crate::checkpoint::event::Event;
use crate::checkpoint::state::{ExecutorKey, Identity, TaskKey};

pub(crate) use v1::agent_info::capability::Type as Capability;

/// What every agent of ours can do, as Mesos names it.
const CAPABILITIES: [Capability; 6] = [
    Capability::MultiRole,
    Capability::HierarchicalRole,
    Capability::ReservationRefinement,
    Capability::ResizeVolume,
    Capability::AgentOperationFeedback,
    // the master kills the tasks one by one, with what it leaves them of their grace periods
    Capability::AgentDraining,
];

/// What this agent can do: one that holds containers to limits can let them go beyond what they asked
/// for.
pub(crate) fn capabilities(holds_limits: bool) -> Vec<Capability> {
    let limits = holds_limits.then_some(Capability::TaskResourceLimits);
    CAPABILITIES.into_iter().chain(limits).collect()
}

impl Turn<'_> {
    pub(super) fn greet(&mut self, reply: oneshot::Sender<Box<Hello>>) {
        let hello = Box::new(self.hello());
        self.live.told_estimate.clone_from(&self.live.estimate);
        self.effect(Effect::Greet(reply, hello));
    }

    fn hello(&self) -> Hello {
        let identity = self.state.identity.clone();
        let (cluster_id, agent_id) = identity
            .map_or_else(Default::default, |identity| (identity.cluster_id, identity.agent_id));
        let capability =
            |kind: &Capability| v1::agent_info::Capability { r#type: Some((*kind).into()) };
        Hello {
            version: rpc::VERSION,
            cluster_id,
            agent_id,
            info: self.state.info.as_ref().map(|info| info.0.clone()),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: self.settings.capabilities.iter().map(capability).collect(),
            tasks: self.task_reports(),
            executors: self.executor_reports(),
            last_launch_index: self.state.last_launch_index,
            session_id: self.settings.session_id.clone(),
            last_directive_index: self.state.last_directive_index,
            ip: self.settings.ip.clone(),
            oversubscribed: self.live.estimate.clone(),
            tells_stops: true,
            running_frameworks: self.running_frameworks(),
        }
    }

    fn task_reports(&self) -> Vec<TaskReport> {
        let report = |(key, task): (&TaskKey, &crate::checkpoint::state::Task)| TaskReport {
            framework_id: key.framework_id.clone(),
            task_id: key.task_id.clone(),
            executor_id: task.executor_id.clone().filter(|_| !task.is_command).unwrap_or_default(),
            state: task.state().into(),
        };
        self.state.tasks.iter().map(report).collect()
    }

    fn executor_reports(&self) -> Vec<ExecutorReport> {
        let running = self.state.executors.iter();
        let running = running.filter(|(_, executor)| !executor.has_ended && !executor.is_command);
        let report =
            |(key, executor): (&ExecutorKey, &crate::checkpoint::state::Executor)| ExecutorReport {
                framework_id: key.framework_id.clone(),
                executor_id: key.executor_id.clone(),
                container_id: executor.container_id.clone(),
            };
        running.map(report).collect()
    }

    /// Those of which a container has not ended, or is being made: one that is shut down goes on to be
    /// named here while its tasks and its command executors no longer are.
    fn running_frameworks(&self) -> Vec<String> {
        let executors = self.state.executors.iter();
        let running = executors.filter(|(_, executor)| !executor.has_ended);
        let mut running: Vec<_> = running.map(|(key, _)| key.framework_id.clone()).collect();
        running.dedup();
        running
    }

    /// A leader takes the agent in. One of an older term, or of another cluster, is not listened
    /// to.
    pub(super) fn welcome(
        &mut self,
        welcome: Welcome,
        outbound: mpsc::Sender<FromAgent>,
        reply: oneshot::Sender<bool>,
    ) {
        let known = self.state.identity.as_ref();
        let is_ours = known.is_none_or(|known| known.cluster_id == welcome.cluster_id);
        if !is_ours || welcome.term < self.state.term {
            self.effect(Effect::ConfirmWelcome(reply, false));
            return;
        }
        let Welcome { cluster_id, agent_id, term, hostname, .. } = welcome;
        let identity = Identity { cluster_id: cluster_id.clone(), agent_id: agent_id.clone() };
        if self.state.identity.as_ref() != Some(&identity) || self.state.term != term {
            self.record(Event::Welcomed { cluster_id, agent_id, term });
        }
        self.live.is_connected = true;
        self.live.master_hostname = Some(hostname).filter(|hostname| !hostname.is_empty());
        self.effect(Effect::Attach(outbound));
        self.effect(Effect::ConfirmWelcome(reply, true));
        self.say_farewell();
        self.tell_estimate();
        let owed: Vec<TaskKey> = self.state.tasks.keys().cloned().collect();
        for task in owed {
            self.live.retries.insert(task.clone(), UPDATE_RETRY_FIRST);
            self.send_oldest(&task);
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.live.is_connected = false;
        self.live.master_hostname = None;
        self.effect(Effect::Detach);
    }
}
