//! A new agent takes the place of one that was at the same address.

use std::sync::Arc;

use super::depart::{Farewell, end_tasks};
use super::unregister::{AgentUnregistered, LEFT};
use crate::deadline::Deadline;
use crate::draft::Draft;
use crate::id::AgentId;

/// What frameworks are told of the tasks of an agent whose place another takes.
const REPLACED: Farewell =
    Farewell { message: "A new agent has registered from the address of this one", ..LEFT };

/// Ends agents that are away and were reached at `address`, where a new agent is now: an agent that
/// comes back brings its id, so what was there has lost its work directory. One that is unreachable
/// may have moved, and is waited for.
pub(super) fn replace(draft: &mut Draft<'_>, address: &Arc<str>) {
    let state = draft.state();
    let away = state.deadlines.iter().filter_map(|(_, deadline)| match deadline {
        Deadline::AgentReregister(id) => Some(*id),
        _ => None,
    });
    let is_there = |id: &AgentId| {
        state.agents.get(id).is_some_and(|agent| {
            agent.unreachable_since.is_none() && agent.description.address == *address
        })
    };
    let replaced: Vec<_> = away.filter(is_there).collect();
    for id in replaced {
        end_tasks(draft, id, &REPLACED);
        draft.record(AgentUnregistered { id, replaced: true });
    }
}

#[cfg(test)]
mod tests {
    use crate::effect::{Effect, OperatorMessage};
    use crate::status::{Reason, TaskState};
    use crate::testing::{World, told_states};

    const HAS: &str = "cpus:4;mem:4096";

    /// An agent with a task, away for so long, and a new one at its address, or another.
    fn check(away_ms: Option<u64>, is_same: bool, replaced: bool) {
        let mut world = World::new();
        let old = world.agent(HAS);
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        if let Some(away_ms) = away_ms {
            world.disconnect(old);
            world.pass_ms(away_ms);
        }
        world.sent();
        let mut hello = world.hello(None, HAS);
        let address = world.state.agents[&old].description.address.clone();
        if is_same {
            hello.description.address = address;
        }
        world.must(hello);
        assert_eq!(world.state.agents.contains_key(&old), !replaced, "{away_ms:?} {is_same}");
        let sent = world.effects.clone();
        let removed = Effect::Operators(OperatorMessage::AgentRemoved(old));
        assert_eq!(sent.contains(&removed), replaced);
        assert_eq!(world.state.agent_counts.replaced, u64::from(replaced));
        let told = told_states(&world.told(framework));
        let lost = replaced.then_some((TaskState::Lost, Reason::AGENT_REMOVED));
        assert_eq!(told, lost.into_iter().collect::<Vec<_>>());
    }

    /// surface 12; semantics 230: what frameworks and operators hear of it
    #[test]
    fn an_agent_without_its_work_directory_is_replaced() {
        check(Some(1000), true, true);
        check(Some(1000), false, false);
    }

    #[test]
    fn an_agent_that_is_there_or_may_be_elsewhere_is_not() {
        check(None, true, false);
        check(Some(600_000), true, false);
    }

    #[test]
    fn an_agent_that_a_new_leader_waits_for_is_replaced() {
        let mut world = World::new();
        let old = world.agent(HAS);
        world.lead(2);
        let mut hello = world.hello(None, HAS);
        hello.description.address = world.state.agents[&old].description.address.clone();
        world.must(hello);
        assert!(!world.state.agents.contains_key(&old));
    }
}
