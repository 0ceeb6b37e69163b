//! An agent confirms that it has done as it was told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::{AgentId, EventNumber, OperationKey, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// All directives up to this one are done, and will be after a crash.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    /// Who.
    pub agent: AgentId,
    /// The stream it said so on.
    pub session: Session,
    /// Up to which.
    pub directive: EventNumber,
}

/// An agent has done its part of these operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationsFinished {
    /// Who.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// Which.
    #[serde(rename = "k")]
    pub keys: Vec<OperationKey>,
}

impl Decide for Confirm {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let agent = state.agents.get(&self.agent).filter(|it| it.session() == Some(self.session));
        let Some(agent) = agent else {
            return Err(Rejection::AgentNotConnected(state.agent_text(self.agent).into()));
        };
        let is_done = |key: &&OperationKey| {
            state.operations.get(*key).is_some_and(|it| it.directive <= self.directive)
        };
        let keys: Vec<_> = agent.operations.iter().filter(is_done).cloned().collect();
        if !keys.is_empty() {
            draft.record(OperationsFinished { agent: self.agent, keys });
        }
        Ok(Reply::Done)
    }
}

impl Fold for OperationsFinished {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        for key in &self.keys {
            if let Some(agent) = state.agent_mut(self.agent) {
                agent.operations.remove(key);
            }
            state.note_emptied(self.agent);
            let Some(followed) = state.operations.get_mut(key) else { continue };
            Arc::make_mut(followed).finished_at = Some(at);
            let status = followed.status();
            state.tell(key.framework, FrameworkMessage::OperationUpdated(status), effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROLE, confirm, world};
    use super::super::{Acknowledge, OperationState, Request};
    use super::*;
    use crate::id::FrameworkId;
    use crate::offer::Operation;
    use crate::status::UpdateId;
    use crate::testing::{World, reserved, resources};

    /// An agent, a framework, and `cpus:1` that it reserves under the id `o`.
    fn reserving() -> (World, FrameworkId) {
        let (mut world, framework) = world();
        world.operate(framework, vec![reserve("o", "cpus:1")]);
        (world, framework)
    }

    fn reserve(id: &str, text: &str) -> Operation {
        Operation::Convert(Request::Reserve(Ok(reserved(&resources(text), ROLE))), Some(id.into()))
    }

    /// What the framework was told of its operations: state, and whether it is to be acknowledged.
    fn told(world: &mut World, framework: FrameworkId) -> Vec<(OperationState, bool)> {
        let told = world.told(framework).into_iter();
        told.filter_map(|message| match message {
            FrameworkMessage::OperationUpdated(it) => Some((it.state, it.update.is_some())),
            _ => None,
        })
        .collect()
    }

    fn acknowledge(world: &mut World, framework: FrameworkId, update: UpdateId) {
        world.must(Acknowledge { framework, operation: "o".into(), update });
    }

    #[test]
    fn an_operation_is_finished_once_the_agent_has_confirmed_it() {
        let (mut world, framework) = reserving();
        assert_eq!(told(&mut world, framework), []);
        let number = world.state.operations_of(framework).next().expect("followed").directive.0;
        confirm(&mut world, number - 1);
        assert_eq!(told(&mut world, framework), []);
        confirm(&mut world, number);
        confirm(&mut world, number + 1);
        assert_eq!(told(&mut world, framework), [(OperationState::Finished, true)]);
    }

    #[test]
    fn its_end_is_told_until_it_is_acknowledged() {
        let (mut world, framework) = reserving();
        confirm(&mut world, u64::MAX);
        for term in 2..4 {
            world.lead(term);
            world.sent();
            let again = world.subscription(Some("c-0000"), &[ROLE]);
            world.subscribe(again);
            assert_eq!(told(&mut world, framework), [(OperationState::Finished, true)]);
        }
        let update = world.state.operations_of(framework).next().expect("followed").update;
        acknowledge(&mut world, framework, UpdateId([9; 16]));
        assert_eq!(world.state.operations.len(), 1, "another update was acknowledged");
        acknowledge(&mut world, framework, update);
        assert!(world.state.operations.is_empty());
        world.operate(framework, vec![reserve("o", "cpus:1")]);
        assert_eq!(world.state.operations.len(), 1, "the id may be used again");
    }

    /// semantics 91
    #[test]
    fn what_cannot_be_done_is_told_at_once_and_not_followed() {
        let (mut world, framework) = reserving();
        world.sent();
        world.operate(framework, vec![reserve("o", "cpus:1"), reserve("p", "cpus:99")]);
        let error = (OperationState::Error, false);
        assert_eq!(told(&mut world, framework), [error, error]);
        assert_eq!(world.state.operations.len(), 1);
    }

    #[test]
    fn an_agent_that_is_away_finishes_it_when_it_returns() {
        let (mut world, framework) = reserving();
        let agent = AgentId(0);
        world.disconnect(agent);
        world.sent();
        world.pass_ms(world.settings.agent_reregister_timeout_ms);
        assert_eq!(told(&mut world, framework), [(OperationState::Unreachable, false)]);
        let hello = world.hello(Some(agent), super::super::testing::AGENT_HAS);
        world.must(hello);
        confirm(&mut world, u64::MAX);
        assert_eq!(told(&mut world, framework), [(OperationState::Finished, true)]);
    }
}
