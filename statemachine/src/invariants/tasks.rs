//! A task has one framework and one agent, and what is said of it agrees with what it is.

use std::collections::BTreeMap;

use super::{Violation, demand};
use crate::id::EventNumber;
use crate::state::State;
use crate::task::Task;

const NAME: &str = "tasks";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (key, task) in &state.tasks {
        let name = || format!("task {} of framework {}", key.task, key.framework);
        demand(&mut violations, NAME, *key == task.key, || {
            format!("{} is filed under another key", name())
        });
        demand(&mut violations, NAME, state.frameworks.contains_key(&key.framework), || {
            format!("{} has no framework", name())
        });
        agrees(state, task, &name, &mut violations);
    }
    together(state, &mut violations);
    for agent in state.agents.values() {
        for key in &agent.tasks {
            let filed = state.tasks.get(key).is_some_and(|task| task.agent == agent.id);
            demand(&mut violations, NAME, filed, || {
                format!("agent {} lists task {} which is not there", agent.id, key.task)
            });
        }
    }
    for (key, executor) in &state.executors {
        let known = state.agents.contains_key(&key.agent)
            && state.frameworks.contains_key(&key.framework)
            && executor.key == *key;
        demand(&mut violations, NAME, known, || {
            format!("executor {} has no agent {} or framework", key.executor, key.agent)
        });
    }
    violations
}

/// What was launched by one event is one group, or one task (semantics 93).
fn together(state: &State, violations: &mut Vec<Violation>) {
    let mut launches: BTreeMap<EventNumber, &Task> = BTreeMap::new();
    for task in state.tasks.values() {
        let first = launches.entry(task.launched).or_insert(task);
        let same = first.key == task.key
            || (first.grouped
                && task.grouped
                && (first.agent, &first.executor) == (task.agent, &task.executor)
                && first.key.framework == task.key.framework);
        demand(violations, NAME, same, || {
            format!("tasks {} and {} share their launch", first.key.task, task.key.task)
        });
    }
}

fn agrees(state: &State, task: &Task, name: &dyn Fn() -> String, violations: &mut Vec<Violation>) {
    let agent = state.agents.get(&task.agent);
    // an agent may have left; then only ends that are not acknowledged are kept
    let placed = match agent {
        Some(agent) => agent.tasks.contains(&task.key),
        None => task.state.is_terminal(),
    };
    demand(violations, NAME, placed, || format!("{} is not on its agent {}", name(), task.agent));
    // its end may be known before it is told: earlier updates are acknowledged first
    let over = task.state.is_terminal() && task.is_end_told();
    demand(violations, NAME, !over || task.pending.is_some(), || {
        format!("{} is over and nothing is left to acknowledge", name())
    });
    let pending = task.pending.as_ref();
    demand(violations, NAME, pending.is_none_or(|pending| pending.update.is_some()), || {
        format!("{} waits for an acknowledgement that cannot come", name())
    });
    let acknowledged = pending.is_some_and(|it| it.update == task.acknowledged);
    demand(violations, NAME, !acknowledged, || {
        format!("{} waits for what is acknowledged", name())
    });
}
