//! An agent has been away for too long: what runs there is out of reach.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::depart::tell_end;
use crate::connection::Connection;
use crate::draft::Draft;
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::AgentId;
use crate::operation::OperationState;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::TaskUpdated;
use crate::time::Time;

/// An agent is unreachable. What becomes of its tasks follows as events of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUnreachable {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// When it is forgotten; never if it is not said.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// How many times at which agents were given up, this one included, are to be remembered: as many as
    /// a limit allows in a while, if there is one.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u32>,
}

/// Gives an agent up until it returns. Frameworks that can tell hear `TASK_UNREACHABLE`, others `TASK_LOST`; both
/// may hear of the task again when the agent returns (semantics 221).
pub(super) fn lose(draft: &mut Draft<'_>, id: AgentId) {
    let Some(agent) = draft.state().agents.get(&id).cloned() else {
        return;
    };
    let now = draft.context().now;
    let settings = &draft.context().settings;
    let until = Some(now.after_ms(settings.agent_memory_ms));
    let counted = settings.removal_limit.map(|limit| limit.count);
    draft.record(AgentUnreachable { id, until, counted });
    for key in &agent.tasks {
        let Some(task) = draft.state().tasks.get(key) else {
            continue;
        };
        if task.state.is_terminal() {
            tell_end(draft, key);
            continue;
        }
        let aware = draft.state().is_partition_aware(key.framework);
        let told = if aware { TaskState::Unreachable } else { TaskState::Lost };
        let mut status =
            Status::by_master(told, Reason::AGENT_REMOVED, "Agent is unreachable", now);
        status.unreachable_at = Some(now);
        draft.record(TaskUpdated {
            key: key.clone(),
            status: Arc::new(status),
            latest: TaskState::Unreachable,
        });
    }
}

impl Fold for AgentUnreachable {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let until = self.until.unwrap_or(Time(u64::MAX));
        state.count_loss(self.id);
        if let Some(counted) = self.counted {
            state.note_removal(at, counted);
        }
        state.rescind_agent(self.id, effects);
        state.withdraw_inverse(self.id, effects);
        state.connect_agent(self.id, Connection::Disconnected { until });
        state.suspend_executors(self.id);
        state.suspend_lingering(self.id);
        state.alter_agent(self.id, |agent| agent.unreachable_since = Some(at));
        state.book.filters.clear_agent(self.id);
        state.tell_operations(self.id, OperationState::Unreachable, effects);
        state.tell_all(&FrameworkMessage::Failed { agent: self.id, executor: None }, effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Cause, Disconnect, Unregister};
    use crate::effect::Directive;
    use crate::id::{FrameworkId, Session};
    use crate::offer::Operation;
    use crate::status::UpdateId;
    use crate::task::{ExecutorSpec, Question, Reconcile, Update};
    use crate::testing::{World, command_task, resources};
    use bytes::Bytes;

    /// A task whose agent says that it runs and, by the way, that it has ended meanwhile; only the
    /// first is acknowledged before the agent is gone.
    fn check(lose: impl Fn(&mut World, AgentId, Session)) {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        let session = world.state.agents[&agent].session().expect("connected");
        let status = Status {
            update: Some(UpdateId([1; 16])),
            ..Status::by_master(TaskState::Running, Reason(0), "reported", world.now)
        };
        world.must(Update {
            agent,
            session,
            framework: "c-0000".into(),
            task: "t".into(),
            executor: None,
            status: Arc::new(status),
            latest: TaskState::Finished,
        });
        world.acknowledge(framework, "t", 1);
        world.sent();
        lose(&mut world, agent, session);
        assert_eq!(told(&mut world, framework), [TaskState::Finished]);
        assert!(world.state.tasks.is_empty(), "nothing is left to wait for");
    }

    fn told(world: &mut World, framework: FrameworkId) -> Vec<TaskState> {
        let messages = world.told(framework).into_iter();
        messages
            .filter_map(|message| match message {
                FrameworkMessage::Updated(update) => Some(update.status.state),
                FrameworkMessage::Offers(_)
                | FrameworkMessage::Rescinded(_)
                | FrameworkMessage::InverseOffers(_)
                | FrameworkMessage::InverseRescinded(_)
                | FrameworkMessage::OperationUpdated(_)
                | FrameworkMessage::Failed { .. }
                | FrameworkMessage::Message { .. }
                | FrameworkMessage::Failure(_)
                | FrameworkMessage::Closed => None,
            })
            .collect()
    }

    #[test]
    fn an_end_that_is_known_is_told_when_the_agent_is_lost() {
        check(|world, agent, session| {
            world.must(Disconnect { agent, session, cause: Cause::Closed });
            world.pass_ms(600_000);
        });
    }

    #[test]
    fn an_end_that_is_known_is_told_when_the_agent_leaves() {
        check(|world, agent, session| {
            world.must(Unregister { agent, session });
        });
    }

    /// An agent is lost before it hears of a launch, and comes back.
    fn check_untold(aware: bool, states: [TaskState; 2]) {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let subscribe = world.subscription_of(aware);
        let framework = world.subscribe(subscribe);
        world.launch(framework, "t", "cpus:1;mem:64");
        world.disconnect(agent);
        world.pass_ms(600_000);
        world.sent();
        // it has heard of nothing
        let hello = world.hello(Some(agent), "cpus:4;mem:4096");
        world.must(hello);
        let sent = world.effects.clone();
        let launches = |effect: &Effect| {
            matches!(effect, Effect::Agent { directive: Directive::Launch(..), .. })
        };
        assert!(!sent.iter().any(launches), "its resources are free for others: {sent:?}");
        assert_eq!(told(&mut world, framework), states[1..]);
        assert!(world.state.tasks.is_empty());
        world.allocate();
        assert_eq!(world.state.agents[&agent].offered, world.state.agents[&agent].total);
        let question = Question { task: "t".into(), agent: Some(agent.into()) };
        world.sent();
        world.must(Reconcile { framework, tasks: vec![question] });
        assert_eq!(told(&mut world, framework), states[..1]);
    }

    /// semantics 83, 213
    #[test]
    fn a_launch_that_was_never_heard_of_is_dropped() {
        check_untold(true, [TaskState::Gone, TaskState::Dropped]);
        check_untold(false, [TaskState::Lost, TaskState::Lost]);
    }

    #[test]
    fn an_executor_that_was_never_heard_of_is_over() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.allocate();
        let offer = world.offers(framework)[0];
        let mut task = command_task("t", agent, "cpus:1;mem:64");
        let (id, needs) = ("e".into(), resources("cpus:1;mem:32"));
        task.executor = Some(ExecutorSpec { id, resources: needs, payload: Bytes::new() });
        world.accept(framework, &[offer], vec![Operation::Launch(vec![task])]);
        assert_eq!(world.state.executors.len(), 1);
        world.disconnect(agent);
        world.pass_ms(600_000);
        let hello = world.hello(Some(agent), "cpus:4;mem:4096");
        world.must(hello);
        assert!(world.state.executors.is_empty());
        assert!(world.state.agents[&agent].used.is_empty());
    }
}
