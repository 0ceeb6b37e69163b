//! What the leader still owes the world, derived from the state alone. Nothing owed is remembered
//! anywhere else, so no crash can forget it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::effect::{Directive, Effect, FrameworkMessage};
use crate::id::{AgentId, EventNumber, ExecutorKey, FrameworkId, TaskKey};
use crate::state::State;
use crate::status::TaskState;
use crate::task::Task;

/// What a framework that has just (re)subscribed is owed: the offers it holds, and the updates of
/// operations and tasks that it has not acknowledged.
pub(crate) fn for_framework(state: &State, framework: FrameworkId, effects: &mut Vec<Effect>) {
    let Some(subscribed) = state.frameworks.get(&framework) else {
        return;
    };
    let offers: Vec<_> =
        subscribed.offers.iter().filter_map(|offer| state.offers.get(offer)).cloned().collect();
    if !offers.is_empty() {
        state.tell(framework, FrameworkMessage::Offers(offers), effects);
    }
    let inverse = state.inverse_offers(framework);
    if !inverse.is_empty() {
        state.tell(framework, FrameworkMessage::InverseOffers(inverse), effects);
    }
    for followed in state.operations_of(framework).filter(|it| it.finished_at.is_some()) {
        let update = FrameworkMessage::OperationUpdated(followed.status());
        state.tell(framework, update, effects);
    }
    for task in state.tasks_of(framework) {
        if let Some(pending) = &task.pending {
            state.tell(framework, task.message(pending), effects);
        }
    }
}

/// What an agent that has just (re)registered is owed, in the order of its numbers: its resources,
/// launches that it has not taken, kills and shutdowns that are not done.
pub(crate) fn for_agent(
    state: &State,
    id: AgentId,
    last_launch: EventNumber,
    effects: &mut Vec<Effect>,
) {
    let Some(agent) = state.agents.get(&id) else {
        return;
    };
    let number = state.cluster.events;
    state.direct(id, Directive::Resources { total: agent.total.clone(), number }, effects);
    let mut tasks: Vec<_> = agent.tasks.iter().filter_map(|key| state.tasks.get(key)).collect();
    tasks.sort_by_key(|task| task.launched);
    let owed: Vec<_> = tasks
        .iter()
        .filter(|task| task.launched > last_launch && !task.state.is_terminal())
        .map(|task| Arc::clone(task))
        .collect();
    for together in owed.chunk_by(|one, next| one.launched == next.launched) {
        if let Some(directive) = launch_directive(state, together) {
            state.direct(id, directive, effects);
        }
    }
    for task in tasks.iter().filter(|task| !task.state.is_terminal()) {
        if let Some(directive) = state.kill_directive(task) {
            state.direct(id, directive, effects);
        }
    }
    for executor in state.executors_on(id) {
        if let Some(number) = executor.shutdown {
            let (framework, executor) = (executor.key.framework, executor.key.executor.clone());
            let directive = Directive::ShutdownExecutor { framework, executor, number };
            state.direct(id, directive, effects);
        }
    }
}

/// What starts tasks that were launched by one event.
fn launch_directive(state: &State, together: &[Arc<Task>]) -> Option<Directive> {
    let first = together.first()?;
    let executor = first.executor.clone().and_then(|executor| {
        let key = ExecutorKey { agent: first.agent, framework: first.key.framework, executor };
        state.executors.get(&key).cloned()
    });
    Some(if first.grouped {
        Directive::LaunchGroup(together.to_vec(), executor)
    } else {
        Directive::Launch(Arc::clone(first), executor)
    })
}

/// What to ask an agent about: tasks that it took the launch of but did not name among `reported`
/// (semantics 226).
pub(crate) fn missing(
    state: &State,
    id: AgentId,
    reported: &BTreeSet<TaskKey>,
    last_launch: EventNumber,
) -> Vec<Directive> {
    let Some(agent) = state.agents.get(&id) else {
        return Vec::new();
    };
    let mut missing: BTreeMap<FrameworkId, Vec<_>> = BTreeMap::new();
    for key in agent.tasks.iter().filter(|key| !reported.contains(*key)) {
        let Some(task) = state.tasks.get(key) else {
            continue;
        };
        if task.launched <= last_launch && !task.state.is_terminal() {
            // an unreachable task ran when it was last heard of
            let lost = task.state == TaskState::Unreachable;
            let state = if lost { TaskState::Running } else { task.state };
            missing.entry(key.framework).or_default().push((key.task.clone(), state));
        }
    }
    missing
        .into_iter()
        .map(|(framework, tasks)| Directive::Reconcile { framework, tasks })
        .collect()
}
