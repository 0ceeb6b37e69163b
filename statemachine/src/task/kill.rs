//! A framework wants a task dead.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::reconcile::{Question, answer};
use super::{KillIntent, Task};
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect};
use crate::event::Fold;
use crate::id::{FrameworkId, NamedAgent, TaskId, TaskKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// KILL.
#[derive(Clone, Debug, PartialEq)]
pub struct Kill {
    /// Who.
    pub framework: FrameworkId,
    /// The task.
    pub task: TaskId,
    /// The agent that it names, if it names one.
    pub agent: Option<NamedAgent>,
    /// An encoded v1 `KillPolicy`; empty for the task's own.
    pub policy: Bytes,
}

/// A task is to be killed; the wish outlives every crash (gaps 49).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskKillRequested {
    /// The task.
    #[serde(rename = "k")]
    pub key: TaskKey,
    /// An encoded v1 `KillPolicy`; empty for the task's own.
    #[serde(rename = "p", default, skip_serializing_if = "Bytes::is_empty")]
    pub policy: Bytes,
}

impl Decide for Kill {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        if !state.frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let key = TaskKey { framework: self.framework, task: self.task.clone() };
        let Some(task) = state.tasks.get(&key) else {
            let question = Question { task: self.task.clone(), agent: self.agent.clone() };
            let message = answer(state, self.framework, &question, draft.context().now);
            draft.tell(self.framework, message);
            return Ok(Reply::Done);
        };
        // semantics 204
        let elsewhere = self.agent.as_ref().is_some_and(|named| *named != task.agent.into());
        if !elsewhere && !task.state.is_terminal() {
            draft.record(TaskKillRequested { key, policy: self.policy.clone() });
        }
        Ok(Reply::Done)
    }
}

impl State {
    /// The directive that ends a task whose framework wants it dead, or whose agent is to be emptied;
    /// none if neither is so.
    pub(crate) fn kill_directive(&self, task: &Task) -> Option<Directive> {
        let agent = self.agents.get(&task.agent);
        let drain = agent.and_then(|agent| agent.drain.as_ref()).filter(|drain| drain.runs());
        if task.kill.is_none() && drain.is_none() {
            return None;
        }
        let given = task.kill.as_ref().map(|kill| kill.policy.clone());
        Some(Directive::Kill {
            framework: task.key.framework,
            task: task.key.task.clone(),
            policy: given.unwrap_or_default(),
            max_grace_ns: drain.and_then(|drain| drain.max_grace_ns),
        })
    }
}

impl Fold for TaskKillRequested {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let Some(task) = state.tasks.get_mut(&self.key).map(Arc::make_mut) else {
            return;
        };
        let first = task.kill.as_ref().map_or(at, |kill| kill.at);
        task.kill = Some(KillIntent { at: first, policy: self.policy.clone() });
        let task = task.clone();
        if let Some(directive) = state.kill_directive(&task) {
            state.direct(task.agent, directive, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskState;
    use crate::effect::FrameworkMessage;
    use crate::id::AgentId;
    use crate::testing::World;

    fn kill(world: &mut World, framework: FrameworkId, task: &str, agent: Option<NamedAgent>) {
        world.sent();
        world.must(Kill { framework, task: task.into(), agent, policy: Bytes::new() });
    }

    fn kills(world: &mut World) -> usize {
        let sent = world.sent().into_iter();
        sent.filter(|effect| {
            matches!(effect, Effect::Agent { directive: Directive::Kill { .. }, .. })
        })
        .count()
    }

    fn launched() -> (World, FrameworkId) {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        (world, framework)
    }

    #[test]
    fn each_kill_is_forwarded() {
        let (mut world, framework) = launched();
        for _ in 0..2 {
            kill(&mut world, framework, "t", None);
            assert_eq!(kills(&mut world), 1, "semantics 205");
        }
    }

    #[test]
    fn a_kill_for_another_agent_means_nothing() {
        let (mut world, framework) = launched();
        kill(&mut world, framework, "t", Some(NamedAgent::Stranger("elsewhere".into())));
        assert_eq!(kills(&mut world), 0, "semantics 204");
        kill(&mut world, framework, "t", Some(AgentId(7).into()));
        assert_eq!(world.sent(), [], "semantics 204");
    }

    /// semantics 205
    #[test]
    fn the_wish_outlives_leaders_and_absences() {
        let (mut world, framework) = launched();
        world.lead(2);
        kill(&mut world, framework, "t", None);
        assert_eq!(kills(&mut world), 0, "the agent is not there");
        let back = world.hello(Some(AgentId(0)), "cpus:4;mem:4096");
        world.must(back);
        assert_eq!(kills(&mut world), 1, "gaps 49");
    }

    #[test]
    fn a_kill_of_an_unknown_task_is_answered_by_reconciliation() {
        let (mut world, framework) = launched();
        kill(&mut world, framework, "never launched", None);
        let [FrameworkMessage::Updated(update)] = &world.told(framework)[..] else {
            panic!("no answer, semantics 203");
        };
        assert_eq!(update.status.state, TaskState::Unknown);
    }
}
