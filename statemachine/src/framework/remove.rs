//! A framework ends: torn down, or away for too long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CompletedFramework;
use crate::agent::Lingering;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, Effect, FrameworkMessage, OperatorMessage};
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, Role};
use crate::rejection::Rejection;
use crate::resources::Resources;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::time::Time;

/// TEARDOWN, by the scheduler or by an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Teardown {
    /// What ends.
    pub framework: FrameworkId,
}

/// A framework ended: its tasks are killed, and it may not come back (semantics 77). That they have stopped, each
/// agent says in its own time ([`super::FrameworkStopped`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkRemoved {
    /// Its number.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// Agents on which something of it may run, and that will say when nothing does: until then what it had there
    /// is in use (gaps 51).
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub lingers: Vec<AgentId>,
}

impl Decide for Teardown {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        if !draft.state().frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        remove(draft, self.framework);
        Ok(Reply::Done)
    }
}

/// Ends a framework.
pub(crate) fn remove(draft: &mut Draft<'_>, id: FrameworkId) {
    let state = draft.state();
    let will_tell = |agent: &AgentId| {
        state.agents.get(agent).is_some_and(|agent| agent.description.tells_stops)
    };
    let lingers = held_by(state, id).into_keys().filter(will_tell).collect();
    draft.record(FrameworkRemoved { id, lingers });
}

/// What a framework's tasks and executors have, each in its role, on the agents on which any of them may run. What is
/// on an unreachable agent counts if it did before.
fn held_by(state: &State, id: FrameworkId) -> BTreeMap<AgentId, Vec<(Role, Resources)>> {
    let is_lost = |agent: &AgentId| state.agents.get(agent).is_none_or(|agent| !agent.counts());
    let tasks = state
        .tasks_of(id)
        .filter(|task| !task.state.is_terminal())
        .map(|task| (task.agent, task.holds(), &task.role, &task.resources));
    let executors = state.executors.values().filter(|executor| executor.key.framework == id);
    let executors = executors
        .map(|executor| (executor.key.agent, executor.holds, &executor.role, &executor.resources));
    let mut held: BTreeMap<AgentId, Vec<_>> = BTreeMap::new();
    for (agent, holds, role, resources) in tasks.chain(executors) {
        let held = held.entry(agent).or_default();
        if holds || is_lost(&agent) {
            held.push((role.clone(), resources.clone()));
        }
    }
    held
}

impl Fold for FrameworkRemoved {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        let Some(framework) = state.frameworks.get(&self.id).cloned() else {
            return;
        };
        state.tell(self.id, FrameworkMessage::Closed, effects);
        for offer in &framework.offers {
            state.lift(*offer);
        }
        let mut held = held_by(state, self.id);
        let agents = end_all(state, self.id, at, effects);
        for agent in &self.lingers {
            let (wire_id, holds) =
                (framework.wire_id.clone(), held.remove(agent).unwrap_or_default());
            state.linger(*agent, self.id, Lingering { wire_id, holds });
        }
        for agent in agents {
            let directive = Directive::ShutdownFramework {
                framework: framework.wire_id.clone(),
                number: state.cluster.events,
            };
            state.direct(agent, directive, effects);
        }
        let operations: Vec<_> = state.operations_of(self.id).map(|it| it.key.clone()).collect();
        for key in operations {
            state.unfollow(&key);
        }
        state.book.filters.clear_framework(self.id, None);
        state.drop_inverse(self.id, true);
        state.book.retain_roles(self.id, &[]);
        state.forget_deadline(self.id);
        complete(state, self.id, at, effects);
    }
}

/// Ends every task and executor of a framework in the books, and says on which agents there were any. Operators hear of
/// it; no update is sent, for nobody listens.
fn end_all(
    state: &mut State,
    framework: FrameworkId,
    at: Time,
    effects: &mut Vec<Effect>,
) -> BTreeSet<AgentId> {
    let mut agents = BTreeSet::new();
    let tasks: Vec<_> = state.tasks_of(framework).cloned().collect();
    for task in tasks {
        agents.insert(task.agent);
        let status = Arc::new(Status::by_master(
            TaskState::Killed,
            Reason::FRAMEWORK_REMOVED,
            "Framework has been removed",
            at,
        ));
        if !task.state.is_terminal() {
            state.advance(&task.key, &status, TaskState::Killed);
            let killed = state.tasks.get(&task.key).cloned();
            let message = killed.map(|killed| OperatorMessage::TaskUpdated(killed, status));
            effects.extend(message.map(Effect::Operators));
        }
        state.complete_task(&task.key);
    }
    let executors: Vec<_> =
        state.executors.keys().filter(|key| key.framework == framework).cloned().collect();
    for key in executors {
        agents.insert(key.agent);
        state.end_executor(&key);
    }
    agents
}

fn complete(state: &mut State, id: FrameworkId, at: Time, effects: &mut Vec<Effect>) {
    let Some(framework) = state.take_framework(id) else {
        return;
    };
    effects.push(Effect::Operators(OperatorMessage::FrameworkRemoved(framework.clone())));
    state.note_history(at, state.cluster.retention.completed_framework_age_ms);
    state.completed_frameworks.push_back(Arc::new(CompletedFramework { framework, ended_at: at }));
    while state.completed_frameworks.len() > state.cluster.retention.completed_frameworks as usize {
        state.completed_frameworks.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    /// semantics 77
    #[test]
    fn tasks_are_killed_in_the_books_and_agents_are_told() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let id = world.framework(&["*"]);
        let agent = world.launch(id, "t", "cpus:1");
        world.allocate();
        world.sent();
        world.must(Teardown { framework: id });
        let sent = world.sent();
        let shut_down = |effect: &Effect| {
            matches!(effect, Effect::Agent { to, directive: Directive::ShutdownFramework { framework, .. }, .. }
                if *to == agent && **framework == *"c-0000")
        };
        assert_eq!(sent.iter().filter(|effect| shut_down(effect)).count(), 1, "{sent:?}");
        let to_it = sent.iter().filter_map(|effect| match effect {
            Effect::Framework { message, .. } => Some(message),
            _ => None,
        });
        assert!(to_it.eq([&FrameworkMessage::Closed]), "no update reaches it: {sent:?}");
        let removed = |effect: &Effect| matches!(effect, Effect::Operators(OperatorMessage::FrameworkRemoved(it)) if it.id == id);
        let removed = sent.iter().position(removed).expect("operators hear of it");
        let killed = |effect: &Effect| match effect {
            Effect::Operators(OperatorMessage::TaskUpdated(task, _)) => {
                task.state == TaskState::Killed
            }
            _ => false,
        };
        let killed = sent.iter().position(killed).expect("and of its tasks");
        assert!(killed < removed, "{sent:?}");

        let over = world.state.completed_frameworks.back().expect("it is remembered");
        let task = over.framework.completed.back().expect("its task, too");
        let last = task.statuses.last().expect("a status");
        let found = (task.state, last.state, last.reason);
        let expected = (TaskState::Killed, TaskState::Killed, Some(Reason::FRAMEWORK_REMOVED));
        assert_eq!(found, expected);
        assert!(world.state.tasks.is_empty() && world.state.offers.is_empty());
    }
}
