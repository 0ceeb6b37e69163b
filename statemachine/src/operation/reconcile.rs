//! A framework asks what has become of operations. It is answered at once: what the journal does not
//! know never happened.

use super::{OperationState, OperationUpdate};
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::FrameworkMessage;
use crate::id::{AgentId, FrameworkId, OperationId, OperationKey};
use crate::rejection::Rejection;
use crate::state::State;

/// `RECONCILE_OPERATIONS` (semantics 218).
#[derive(Clone, Debug, PartialEq)]
pub struct Reconcile {
    /// Who.
    pub framework: FrameworkId,
    /// What it asks; empty for all that is known.
    pub operations: Vec<Question>,
}

/// One operation that a framework asks about.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its id.
    pub operation: OperationId,
    /// Where the framework believes it was; none if that is no agent of this cluster.
    pub agent: Option<AgentId>,
}

impl Decide for Reconcile {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        if !state.frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let answers: Vec<OperationUpdate> = if self.operations.is_empty() {
            state.operations_of(self.framework).map(|it| state.operation_status(it)).collect()
        } else {
            self.operations.iter().map(|question| answer(state, self.framework, question)).collect()
        };
        for answer in answers {
            // who asked must not acknowledge the answer
            let answer = OperationUpdate { update: None, ..answer };
            draft.tell(self.framework, FrameworkMessage::OperationUpdated(answer));
        }
        Ok(Reply::Done)
    }
}

fn answer(state: &State, framework: FrameworkId, question: &Question) -> OperationUpdate {
    let key = OperationKey { framework, operation: question.operation.clone() };
    if let Some(followed) = state.operations.get(&key) {
        return state.operation_status(followed);
    }
    let agent = question.agent;
    let is_gone = agent.is_some_and(|agent| state.gone_agents.contains_key(&agent));
    let known = agent.and_then(|agent| state.agents.get(&agent));
    let is_away = known.is_some_and(|agent| agent.unreachable_since.is_some());
    let state = match (is_gone, is_away) {
        (true, _) => OperationState::GoneByOperator,
        (_, true) => OperationState::Unreachable,
        _ => OperationState::Unknown,
    };
    let message = match (state, agent) {
        (OperationState::Unknown, None) => Some(
            "Reconciliation: Operation is unknown, and no agent of this cluster is named".into(),
        ),
        (OperationState::Unknown, Some(_)) => Some("Reconciliation: Operation is unknown".into()),
        _ => None,
    };
    OperationUpdate { message, agent, ..OperationUpdate::plain(question.operation.clone(), state) }
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::super::testing::{ROLE, world};
    use super::*;
    use crate::offer::Operation;
    use crate::testing::{reserved, resources};

    /// semantics 218
    #[test]
    fn every_question_is_answered() {
        let (mut world, framework) = world();
        let reserve = Request::Reserve(Ok(reserved(&resources("cpus:1"), ROLE)));
        world.operate(framework, vec![Operation::Convert(reserve, Some("o".into()))]);
        let mut check = |asked: &[&str], expected: &[(&str, OperationState)]| {
            world.sent();
            let question = |id: &&str| Question { operation: (*id).into(), agent: None };
            let operations = asked.iter().map(question).collect();
            world.must(Reconcile { framework, operations });
            let told = world.told(framework).into_iter().map(|message| match message {
                FrameworkMessage::OperationUpdated(it) => {
                    assert_eq!(it.update, None);
                    (it.operation, it.state)
                }
                other => panic!("not about an operation: {other:?}"),
            });
            let expected = expected.iter().map(|(id, state)| (OperationId::from(*id), *state));
            assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        };
        let pending = ("o", OperationState::Pending);
        check(&[], &[pending]);
        check(&["o", "never"], &[pending, ("never", OperationState::Unknown)]);
    }

    /// semantics 218
    #[test]
    fn an_operation_that_waits_for_an_agent_out_of_reach_is_unreachable() {
        let (mut world, framework) = world();
        let reserve = Request::Reserve(Ok(reserved(&resources("cpus:1"), ROLE)));
        world.operate(framework, vec![Operation::Convert(reserve, Some("o".into()))]);
        world.disconnect(AgentId(0));
        world.pass_ms(600_000);
        world.sent();
        let question = Question { operation: "o".into(), agent: Some(AgentId(0)) };
        for operations in [Vec::new(), vec![question]] {
            world.must(Reconcile { framework, operations });
            match &world.told(framework)[..] {
                [FrameworkMessage::OperationUpdated(it)] => {
                    assert_eq!((it.state, it.update), (OperationState::Unreachable, None));
                }
                told => panic!("not one answer: {told:?}"),
            }
        }
    }

    /// semantics 218: what is not known depends on the agent that is named.
    #[test]
    fn an_unknown_operation_depends_on_its_agent() {
        let (mut world, framework) = world();
        let agent = AgentId(0);
        let check = |world: &mut crate::testing::World, expected: OperationState| {
            world.sent();
            let question = Question { operation: "never".into(), agent: Some(agent) };
            world.must(Reconcile { framework, operations: vec![question] });
            match &world.told(framework)[..] {
                [FrameworkMessage::OperationUpdated(it)] => assert_eq!(it.state, expected),
                told => panic!("not one answer: {told:?}"),
            }
        };
        check(&mut world, OperationState::Unknown);
        world.disconnect(agent);
        world.pass_ms(600_000);
        check(&mut world, OperationState::Unreachable);
        world.must(crate::agent::MarkGone { agent });
        check(&mut world, OperationState::GoneByOperator);
    }
}
