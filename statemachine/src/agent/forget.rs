//! Agents that are unreachable or gone are remembered for a while, and as many as the operator wants.

use serde::{Deserialize, Serialize};

use crate::deadline::Deadline;
use crate::draft::Draft;
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::AgentId;
use crate::state::State;
use crate::time::Time;

/// An agent that was unreachable or gone is not remembered any more. Its id is never given again, so
/// it is refused all the same when it comes back; questions about its tasks are answered
/// `TASK_UNKNOWN` (semantics 233).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentForgotten {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
}

/// Forgets an agent whose time is over.
pub(crate) fn forget(draft: &mut Draft<'_>, id: AgentId) {
    draft.record(AgentForgotten { id });
}

/// Forgets those that have been unreachable longest, if they are too many.
pub(crate) fn trim_unreachable(draft: &mut Draft<'_>) {
    let agents = draft.state().agents.values();
    let unreachable = agents.filter_map(|agent| Some((agent.unreachable_since?, agent.id)));
    trim(draft, unreachable.collect());
}

/// Forgets those that were marked gone first, if they are too many.
pub(super) fn trim_gone(draft: &mut Draft<'_>) {
    let gone = &draft.state().gone_agents;
    if gone.len() > draft.context().settings.agents_remembered as usize {
        let gone = gone.iter().map(|(id, gone)| (gone.at, *id)).collect();
        trim(draft, gone);
    }
}

fn trim(draft: &mut Draft<'_>, mut known: Vec<(Time, AgentId)>) {
    let keep = draft.context().settings.agents_remembered as usize;
    known.sort_unstable();
    let excess = known.len().saturating_sub(keep);
    for (_, id) in known.into_iter().take(excess) {
        forget(draft, id);
    }
}

impl Fold for AgentForgotten {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        if let Some(gone) = state.gone_agents.remove(&self.id) {
            state.deadlines.remove(&(gone.until, Deadline::AgentForgotten(self.id)));
            return;
        }
        let tasks = state.agents.get(&self.id).map(|agent| agent.tasks.clone());
        for key in tasks.into_iter().flatten() {
            let over = state.tasks.get(&key).is_none_or(|task| task.state.is_terminal());
            // an end that is told stays until it is acknowledged; what is out of reach is history
            if !over {
                state.complete_task(&key);
            }
        }
        let executors: Vec<_> = state.executors_on(self.id).map(|it| it.key.clone()).collect();
        for key in executors {
            state.end_executor(&key);
        }
        state.drop_lingering(self.id);
        // its offers, filters and connection were over when it became unreachable
        state.forget_agent(self.id);
    }
}

#[cfg(test)]
mod tests {
    use crate::TaskState;
    use crate::agent::MarkGone;
    use crate::task::{Question, Reconcile};
    use crate::testing::{World, told_states};

    /// semantics 233; gaps 48
    #[test]
    fn an_unreachable_agent_is_forgotten_with_its_tasks_and_may_not_come_back() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        world.disconnect(agent);
        world.pass_ms(600_000);
        world.pass_ms(world.settings.agent_memory_ms - 1);
        assert!(world.state.agents.contains_key(&agent), "not early");
        world.pass_ms(1);
        assert!(world.state.agents.is_empty() && world.state.tasks.is_empty());
        world.sent();
        let tasks = vec![Question { task: "t".into(), agent: Some(agent.into()) }];
        world.must(Reconcile { framework, tasks });
        assert_eq!(told_states(&world.told(framework))[0].0, TaskState::Unknown);
        let back = world.hello(Some(agent), "cpus:4;mem:4096");
        world.ask(back).expect_err("its tasks are not in the books any more");
    }

    /// semantics 233
    #[test]
    fn of_too_many_those_that_are_away_longest_are_forgotten() {
        let mut world = World::new();
        world.settings.agents_remembered = 1;
        let agents = [world.agent("cpus:1"), world.agent("cpus:1"), world.agent("cpus:1")];
        for agent in [agents[1], agents[0]] {
            world.disconnect(agent);
            world.pass_ms(600_000);
        }
        assert_eq!(world.state.agents.keys().copied().collect::<Vec<_>>(), [agents[0], agents[2]]);
        for agent in [agents[2], agents[0]] {
            world.must(MarkGone { agent });
            world.pass_ms(1);
        }
        assert_eq!(world.state.gone_agents.keys().copied().collect::<Vec<_>>(), [agents[0]]);
    }
}
