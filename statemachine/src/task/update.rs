//! An agent reports what has become of a task.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage, TaskUpdate};
use crate::event::Fold;
use crate::id::{AgentId, ExecutorId, FrameworkId, Session, TaskId, TaskKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Status, TaskState};
use crate::task::Task;
use crate::time::Time;

/// One report. Agents repeat it until it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Who reports.
    pub agent: AgentId,
    /// Over which stream.
    pub session: Session,
    /// The framework's wire id.
    pub framework: Arc<str>,
    /// The task.
    pub task: TaskId,
    /// The executor, as the agent says.
    pub executor: Option<ExecutorId>,
    /// What it says; carries an update id.
    pub status: Arc<Status>,
    /// The newest state that the agent knows; ahead of `status` while earlier updates wait.
    pub latest: TaskState,
}

/// A task's state was reported by its agent or found out by the master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskUpdated {
    /// The task.
    #[serde(rename = "k")]
    pub key: TaskKey,
    /// What its framework is told.
    #[serde(rename = "s")]
    pub status: Arc<Status>,
    /// Its state from now on.
    #[serde(rename = "l")]
    pub latest: TaskState,
}

impl Decide for Update {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let connected = state.agents.get(&self.agent).is_some_and(|agent| {
            agent.session() == Some(self.session) && agent.unreachable_since.is_none()
        });
        if !connected {
            return Err(Rejection::AgentNotConnected(state.agent_text(self.agent).into()));
        }
        let Some(framework) = state.framework_by_wire_id(&self.framework) else {
            // nobody is left to acknowledge it
            self.acknowledge(draft);
            return Ok(Reply::Done);
        };
        let key = TaskKey { framework: framework.id, task: self.task.clone() };
        match state.tasks.get(&key).filter(|task| task.agent == self.agent).cloned() {
            Some(task) => self.update(&task, draft),
            None => self.update_unknown(&key, draft),
        }
        Ok(Reply::Done)
    }
}

impl Update {
    fn update(&self, task: &Arc<Task>, draft: &mut Draft<'_>) {
        if task.acknowledged.is_some() && task.acknowledged == self.status.update {
            self.acknowledge(draft);
            return;
        }
        let pending = task.pending.as_ref();
        let is_pending = pending.is_some_and(|pending| pending.update == self.status.update);
        let is_told_over = pending.is_some_and(|pending| pending.state.is_terminal());
        if is_told_over && !is_pending {
            // nothing comes after the end (semantics 193)
            self.acknowledge(draft);
            return;
        }
        // what is over stays over, whatever an earlier update still says
        let stays = task.state.is_terminal()
            || (!self.latest.is_terminal() && !draft.state().may_return(task));
        let state = draft.state();
        let latest = if stays { task.state } else { state.state_by_drain(task, self.latest) };
        // a repetition is told in the words of the first time, whether or not the agent still drains
        let status = match pending.filter(|_| is_pending) {
            Some(pending) => pending.clone(),
            None => state.status_by_drain(task, &self.status),
        };
        if is_pending && latest == task.state {
            self.forward(task.key.framework, status, draft);
        } else {
            draft.record(TaskUpdated { key: task.key.clone(), status, latest });
        }
    }

    /// A task that is no longer in the books: acknowledged already, or never known here. Its framework
    /// hears of it all the same (semantics 202).
    fn update_unknown(&self, key: &TaskKey, draft: &mut Draft<'_>) {
        let framework = draft.state().frameworks.get(&key.framework);
        let acknowledged = framework.is_some_and(|framework| {
            framework.completed.iter().rev().any(|task| {
                task.key == *key
                    && task.acknowledged.is_some()
                    && task.acknowledged == self.status.update
            })
        });
        if acknowledged {
            self.acknowledge(draft);
        } else {
            self.forward(key.framework, self.status.clone(), draft);
        }
    }

    fn acknowledge(&self, draft: &mut Draft<'_>) {
        let Some(update) = self.status.update else {
            return;
        };
        let directive = Directive::Acknowledge {
            framework: self.framework.clone(),
            task: self.task.clone(),
            update,
        };
        draft.direct(self.agent, directive);
    }

    fn forward(&self, framework: FrameworkId, status: Arc<Status>, draft: &mut Draft<'_>) {
        let message = FrameworkMessage::Updated(TaskUpdate {
            task: self.task.clone(),
            agent: Some(self.agent.into()),
            executor: self.executor.clone(),
            status,
        });
        draft.tell(framework, message);
    }
}

impl Task {
    /// The message that tells its framework `status`.
    pub(crate) fn message(&self, status: &Arc<Status>) -> FrameworkMessage {
        FrameworkMessage::Updated(TaskUpdate {
            task: self.key.task.clone(),
            agent: Some(self.agent.into()),
            executor: self.executor.clone(),
            status: status.clone(),
        })
    }
}

impl Fold for TaskUpdated {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let Some(before) = state.tasks.get(&self.key).cloned() else {
            return;
        };
        state.advance(&self.key, &self.status, self.latest);
        let Some(task) = state.tasks.get(&self.key).cloned() else {
            return;
        };
        state.tell(self.key.framework, task.message(&self.status), effects);
        // a check says more than a state, so each of its updates is news (semantics 198)
        let said_before = before.statuses.last().map(|status| (status.state, status.healthy));
        let is_said = said_before == Some((self.status.state, self.status.healthy));
        if !is_said || self.status.is_of_check() {
            let message = OperatorMessage::TaskUpdated(task, self.status.clone());
            effects.push(Effect::Operators(message));
        }
        // nothing is left to acknowledge when the master itself says that it is over
        if self.latest.is_terminal() && self.status.update.is_none() {
            state.complete_task(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UpdateId;
    use crate::testing::World;

    /// A world with one task `t` that is launched on the only agent.
    fn launched() -> (World, FrameworkId) {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        world.sent();
        (world, framework)
    }

    fn key(framework: FrameworkId) -> TaskKey {
        TaskKey { framework, task: "t".into() }
    }

    fn states(messages: &[FrameworkMessage]) -> Vec<TaskState> {
        let updates = messages.iter().filter_map(|message| match message {
            FrameworkMessage::Updated(update) => Some(update.status.state),
            _ => None,
        });
        updates.collect()
    }

    #[test]
    fn an_update_is_forwarded_each_time_it_comes_until_it_is_acknowledged() {
        let (mut world, framework) = launched();
        for _ in 0..2 {
            world.update(framework, "t", TaskState::Running, 1).expect("taken");
            assert_eq!(states(&world.told(framework)), [TaskState::Running], "semantics 190");
        }
        let events = world.events.len();
        world.acknowledge(framework, "t", 1);
        world.update(framework, "t", TaskState::Running, 1).expect("taken");
        assert_eq!(world.events.len(), events + 1, "only the acknowledgement is news");
        assert_eq!(states(&world.told(framework)), []);
    }

    #[test]
    fn an_acknowledged_end_takes_the_task_out_of_the_books() {
        let (mut world, framework) = launched();
        world.update(framework, "t", TaskState::Finished, 2).expect("taken");
        let agent = &world.state.agents[&AgentId(0)];
        assert!(agent.used.is_empty(), "its resources are free at once, semantics 195");
        assert_eq!(world.state.tasks[&key(framework)].state, TaskState::Finished);
        world.acknowledge(framework, "t", 2);
        assert!(world.state.tasks.is_empty(), "semantics 195");
        assert_eq!(world.state.frameworks[&framework].completed.len(), 1);
        assert!(world.state.agents[&AgentId(0)].tasks.is_empty());
    }

    #[test]
    fn nothing_comes_after_the_end() {
        let (mut world, framework) = launched();
        world.update(framework, "t", TaskState::Failed, 2).expect("taken");
        world.sent();
        world.update(framework, "t", TaskState::Running, 3).expect("taken");
        let [Effect::Agent { directive: Directive::Acknowledge { update, .. }, .. }] =
            &world.sent()[..]
        else {
            panic!("not just an acknowledgement to the agent, semantics 193");
        };
        assert_eq!(*update, UpdateId([3; 16]));
        assert_eq!(world.state.tasks[&key(framework)].state, TaskState::Failed);
    }

    #[test]
    fn a_late_repetition_of_an_acknowledged_end_is_not_told_again() {
        let (mut world, framework) = launched();
        world.update(framework, "t", TaskState::Finished, 2).expect("taken");
        world.acknowledge(framework, "t", 2);
        world.sent();
        world.update(framework, "t", TaskState::Finished, 2).expect("taken");
        assert!(matches!(
            &world.sent()[..],
            [Effect::Agent { directive: Directive::Acknowledge { .. }, .. }]
        ));
    }

    #[test]
    fn an_update_of_an_unknown_task_is_forwarded() {
        let (mut world, framework) = launched();
        world.update(framework, "never launched", TaskState::Running, 9).expect("taken");
        assert_eq!(states(&world.told(framework)), [TaskState::Running], "semantics 202");
    }

    #[test]
    fn a_new_stream_and_a_new_leader_repeat_what_is_not_acknowledged() {
        let (mut world, framework) = launched();
        world.update(framework, "t", TaskState::Running, 1).expect("taken");
        world.lead(2);
        world.sent();
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        assert_eq!(states(&world.told(framework)), [TaskState::Running]);
        world.acknowledge(framework, "t", 1);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        assert_eq!(states(&world.told(framework)), []);
    }

    #[test]
    fn an_agent_that_is_not_connected_is_not_listened_to() {
        let (mut world, framework) = launched();
        world.lead(2);
        let refused = world.update(framework, "t", TaskState::Running, 1);
        refused.expect_err("semantics 201");
    }

    #[test]
    fn tasks_of_an_unreachable_agent_are_told_and_come_back_with_it() {
        let (mut world, framework) = launched();
        world.update(framework, "t", TaskState::Running, 1).expect("taken");
        world.acknowledge(framework, "t", 1);
        world.sent();
        let session = world.state.agents[&AgentId(0)].session().expect("connected");
        world.must(crate::agent::Disconnect {
            agent: AgentId(0),
            session,
            cause: crate::agent::Cause::Closed,
        });
        world.pass_ms(600_000);
        assert_eq!(states(&world.told(framework)), [TaskState::Unreachable], "semantics 221");
        assert!(world.state.agents[&AgentId(0)].used.is_empty());

        let mut back = world.hello(Some(AgentId(0)), "cpus:4;mem:4096");
        back.last_launch = world.state.tasks[&key(framework)].launched;
        back.tasks = vec![crate::agent::TaskReport {
            framework: "c-0000".into(),
            task: "t".into(),
            state: TaskState::Running,
        }];
        world.must(back);
        assert_eq!(states(&world.told(framework)), [TaskState::Running], "semantics 224");
        assert!(!world.state.agents[&AgentId(0)].used.is_empty());
    }

    #[test]
    fn a_task_that_the_agent_lost_is_asked_for() {
        let (mut world, framework) = launched();
        let launched = world.state.tasks[&key(framework)].launched;
        world.sent();
        let mut back = world.hello(Some(AgentId(0)), "cpus:4;mem:4096");
        back.last_launch = launched;
        world.must(back);
        let asked = world.sent().into_iter().any(|effect| {
            matches!(effect, Effect::Agent { directive: Directive::Reconcile { .. }, .. })
        });
        assert!(asked, "semantics 226");
    }

    #[test]
    fn a_launch_that_the_agent_never_took_is_sent_again() {
        let (mut world, framework) = launched();
        let back = world.hello(Some(AgentId(0)), "cpus:4;mem:4096");
        world.must(back);
        let launches: Vec<_> = world
            .sent()
            .into_iter()
            .filter(|effect| {
                matches!(effect, Effect::Agent { directive: Directive::Launch(..), .. })
            })
            .collect();
        assert_eq!(launches.len(), 1, "gaps 14");
        assert_eq!(world.state.tasks[&key(framework)].state, TaskState::Staging);
    }
}
