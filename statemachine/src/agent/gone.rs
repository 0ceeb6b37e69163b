//! An operator declares an agent lost for good.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::depart::{Farewell, end_tasks};
use super::forget::trim_gone;
use crate::command::Decide;
use crate::deadline::Deadline;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect};
use crate::event::Fold;
use crate::id::AgentId;
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Reason, TaskState};
use crate::time::Time;

/// `MARK_AGENT_GONE`: whatever the agent runs will never be heard of again, and it may not come back.
/// Nothing happens to one that is gone already (semantics 228).
#[derive(Clone, Debug, PartialEq)]
pub struct MarkGone {
    /// Which.
    pub agent: AgentId,
}

/// An agent is gone, with its reservations and volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentGone {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// When it is forgotten.
    #[serde(rename = "u")]
    pub until: Time,
}

/// An agent that was marked gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneAgent {
    /// When it was marked.
    #[serde(rename = "a")]
    pub at: Time,
    /// When it is forgotten.
    #[serde(rename = "u")]
    pub until: Time,
    /// Name that frameworks knew it by.
    #[serde(rename = "h")]
    pub hostname: Arc<str>,
}

/// What frameworks are told (semantics 229).
const GONE: Farewell = Farewell {
    aware: (TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR),
    unaware: (TaskState::Lost, Reason::AGENT_REMOVED),
    message: "Agent has been marked gone",
};

impl Decide for MarkGone {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        if state.gone_agents.contains_key(&self.agent) {
            return Ok(Reply::Done);
        }
        if !state.agents.contains_key(&self.agent) {
            return Err(Rejection::AgentUnknown(state.agent_text(self.agent).into()));
        }
        declare_gone(draft, self.agent);
        Ok(Reply::Done)
    }
}

/// Ends what the agent runs and keeps it out from now on.
pub(crate) fn declare_gone(draft: &mut Draft<'_>, id: AgentId) {
    end_tasks(draft, id, &GONE);
    let until = draft.context().now.after_ms(draft.context().settings.agent_memory_ms);
    draft.record(AgentGone { id, until });
    trim_gone(draft);
}

impl Fold for AgentGone {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let hostname = state.agents.get(&self.id).map(|agent| agent.description.hostname.clone());
        let reason = format!("agent {} was marked gone", state.agent_text(self.id)).into();
        state.direct(self.id, Directive::Leave { reason }, effects);
        state.agent_counts.gone += 1;
        state.dismiss(self.id, effects);
        let gone = GoneAgent { at, until: self.until, hostname: hostname.unwrap_or_default() };
        state.gone_agents.insert(self.id, gone);
        state.deadlines.insert((self.until, Deadline::AgentForgotten(self.id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{FrameworkMessage, OperatorMessage};
    use crate::id::FrameworkId;
    use crate::task::{Question, Reconcile};
    use crate::testing::{World, told_states};

    /// A world with a task `t` of a framework on its only agent, which is then marked gone.
    fn gone(aware: bool, unreachable: bool) -> (World, FrameworkId, AgentId) {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let subscribe = world.subscription_of(aware);
        let framework = world.subscribe(subscribe);
        world.launch(framework, "t", "cpus:1;mem:64");
        if unreachable {
            world.disconnect(agent);
            world.pass_ms(600_000);
        }
        world.sent();
        world.must(MarkGone { agent });
        (world, framework, agent)
    }

    fn check(aware: bool, unreachable: bool, told: (TaskState, Reason)) {
        let (mut world, framework, agent) = gone(aware, unreachable);
        let sent = world.effects.clone();
        assert_eq!(told_states(&world.told(framework)), [told]);
        assert!(world.state.agents.is_empty() && world.state.tasks.is_empty());
        let operators = sent.iter().filter_map(|effect| match effect {
            Effect::Operators(message) => Some(message),
            Effect::Framework { .. } | Effect::Agent { .. } => None,
        });
        let removed = OperatorMessage::AgentRemoved(agent);
        assert!(operators.into_iter().all(|it| *it != removed), "semantics 231");
        let failed = sent.iter().any(|effect| {
            let failed = FrameworkMessage::Failed { agent, executor: None };
            matches!(effect, Effect::Framework { message, .. } if *message == failed)
        });
        assert!(failed, "frameworks hear FAILURE, semantics 209");
        let leaves = sent.iter().any(|effect| {
            matches!(effect, Effect::Agent { directive: Directive::Leave { .. }, .. })
        });
        assert_eq!(leaves, !unreachable, "semantics 228");
    }

    /// semantics 229
    #[test]
    fn frameworks_are_told_that_their_tasks_are_gone() {
        let aware = (TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR);
        let unaware = (TaskState::Lost, Reason::AGENT_REMOVED);
        for unreachable in [false, true] {
            check(true, unreachable, aware);
            check(false, unreachable, unaware);
        }
    }

    /// semantics 229 is bettered by gaps 6: tasks of an agent that has not come back to a new leader are
    /// known, and told of.
    #[test]
    fn tasks_of_an_awaited_agent_are_told_too() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        world.lead(2);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        world.sent();
        world.must(MarkGone { agent });
        let told = told_states(&world.told(framework));
        assert_eq!(told, [(TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR)]);
    }

    /// semantics 228
    #[test]
    fn an_agent_that_is_gone_is_dismissed_at_every_attempt() {
        let (mut world, _, agent) = gone(true, false);
        world.lead(2);
        for _ in 0..2 {
            let back = world.hello(Some(agent), "cpus:4;mem:4096");
            let refused = world.ask(back).expect_err("gone");
            assert!(matches!(refused, Rejection::AgentDismissed(_)), "{refused}");
        }
        let events = world.events.len();
        world.must(MarkGone { agent });
        assert_eq!(world.events.len(), events, "nothing is left to do");
        let never = AgentId(9);
        let refused = world.ask(MarkGone { agent: never }).expect_err("unknown");
        assert!(matches!(refused, Rejection::AgentUnknown(_)), "{refused}");
    }

    fn asked(world: &mut World, framework: FrameworkId, agent: AgentId) -> Vec<TaskState> {
        world.sent();
        let tasks = vec![Question { task: "t".into(), agent: Some(agent.into()) }];
        world.must(Reconcile { framework, tasks });
        told_states(&world.told(framework)).into_iter().map(|(state, _)| state).collect()
    }

    /// semantics 215, 217, 233
    #[test]
    fn reconciliation_knows_what_is_gone_until_it_is_forgotten() {
        for (aware, told, later) in [
            (true, TaskState::GoneByOperator, TaskState::Unknown),
            (false, TaskState::Lost, TaskState::Lost),
        ] {
            let (mut world, framework, agent) = gone(aware, false);
            let memory_ms = world.settings.agent_memory_ms;
            assert_eq!(asked(&mut world, framework, agent), [told]);
            world.pass_ms(memory_ms - 1);
            assert_eq!(asked(&mut world, framework, agent), [told], "not early");
            world.pass_ms(1);
            assert_eq!(asked(&mut world, framework, agent), [later]);
            assert!(world.state.gone_agents.is_empty());
        }
    }
}
