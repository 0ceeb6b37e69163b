//! Why a framework is offered what it is, as it goes out.

use protocol::explanation::{AgentExplanation, Explanation, RoleExplanation};
use statemachine::allocator::{Question, RoleAnswer, Verdict};
use statemachine::{AgentId, State, Time};

/// The answer to one question.
pub(crate) fn write(
    state: &State,
    question: &Question,
    answers: &[RoleAnswer],
    now: Time,
) -> Explanation {
    let framework = state.frameworks.get(&question.framework);
    let role = |answer: &RoleAnswer| RoleExplanation {
        role: answer.role.to_string(),
        obstacle: answer.standing.words().map(Into::into),
        share: answer.share,
        weight: state.weights.get(&answer.role).copied().unwrap_or(1000) as f64 / 1000.0,
        agents: answer.agents.iter().map(|(id, it)| agent(state, *id, it, now)).collect(),
    };
    Explanation {
        framework_id: framework.map(|it| it.wire_id.to_string()).unwrap_or_default(),
        roles: answers.iter().map(role).collect(),
    }
}

fn agent(state: &State, id: AgentId, verdict: &Verdict, now: Time) -> AgentExplanation {
    let known = state.agents.get(&id);
    AgentExplanation {
        agent_id: state.agent_text(id),
        hostname: known.map(|it| it.description.hostname.to_string()).unwrap_or_default(),
        verdict: verdict.name().into(),
        message: verdict.words(state, now),
    }
}
