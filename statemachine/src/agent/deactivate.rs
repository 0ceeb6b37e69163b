//! An operator stops the offers of an agent, and lets them go on.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::AgentId;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// `DEACTIVATE_AGENT`: what runs there runs on; nothing more is offered, not even when the agent or the
/// leader has been away (semantics 240).
#[derive(Clone, Debug, PartialEq)]
pub struct Deactivate {
    /// Which.
    pub agent: AgentId,
}

/// `REACTIVATE_AGENT`: the agent is offered again. Ends a drain too, finished or not (gaps 50): kills
/// that the agent has already cannot be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Reactivate {
    /// Which.
    pub agent: AgentId,
}

/// Nothing of an agent is offered any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDeactivated {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
}

/// An agent is offered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReactivated {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
}

impl Decide for Deactivate {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(agent) = state.agents.get(&self.agent) else {
            return Err(Rejection::AgentUnknown(state.agent_text(self.agent).into()));
        };
        if !agent.deactivated {
            draft.record(AgentDeactivated { id: self.agent });
        }
        Ok(Reply::Done)
    }
}

impl Decide for Reactivate {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(agent) = state.agents.get(&self.agent) else {
            return Err(Rejection::AgentUnknown(state.agent_text(self.agent).into()));
        };
        if !agent.deactivated {
            return Err(Rejection::Invalid("Agent is not deactivated".into()));
        }
        draft.record(AgentReactivated { id: self.agent });
        Ok(Reply::Done)
    }
}

impl Fold for AgentDeactivated {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        state.rescind_agent(self.id, effects);
        if let Some(agent) = state.agent_mut(self.id) {
            agent.deactivated = true;
        }
    }
}

impl Fold for AgentReactivated {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        state.emptied.remove(&self.id);
        if let Some(agent) = state.agent_mut(self.id) {
            agent.deactivated = false;
            agent.drain = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskState;
    use crate::effect::FrameworkMessage;
    use crate::testing::World;

    fn is_offered(world: &mut World, agent: AgentId) -> bool {
        world.allocate();
        world.state.offers.values().any(|offer| offer.agent == agent)
    }

    /// semantics 240
    #[test]
    fn a_deactivated_agent_keeps_its_tasks_and_is_not_offered() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        assert!(is_offered(&mut world, agent));
        world.sent();
        world.must(Deactivate { agent });
        let told = world.told(framework);
        assert!(matches!(told[..], [FrameworkMessage::Rescinded(_)]), "{told:?}");
        assert!(!is_offered(&mut world, agent));
        world.update(framework, "t", TaskState::Running, 1).expect("its tasks run on");
        world.must(Reactivate { agent });
        assert!(is_offered(&mut world, agent));
    }

    /// semantics 240, 241
    #[test]
    fn deactivation_outlives_leaders_restarts_and_absences() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        world.framework(&["*"]);
        world.must(Deactivate { agent });
        world.must(Deactivate { agent });
        world.lead(2);
        world.framework(&["*"]);
        for away_ms in [0, 600_000] {
            let back = world.hello(Some(agent), "cpus:8;mem:4096");
            world.must(back);
            assert!(!is_offered(&mut world, agent), "away for {away_ms} ms");
            world.disconnect(agent);
            world.pass_ms(600_000);
        }
        let back = world.hello(Some(agent), "cpus:8;mem:4096");
        world.must(back);
        world.must(Reactivate { agent });
        assert!(is_offered(&mut world, agent));
    }

    /// semantics 240
    #[test]
    fn only_what_is_deactivated_is_reactivated() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let refused = world.ask(Reactivate { agent }).expect_err("active");
        assert_eq!(refused.to_string(), "Agent is not deactivated");
        let never = AgentId(9);
        for refused in
            [world.ask(Reactivate { agent: never }), world.ask(Deactivate { agent: never })]
        {
            assert!(matches!(refused, Err(Rejection::AgentUnknown(_))), "{refused:?}");
        }
    }
}
