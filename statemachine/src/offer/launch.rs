//! LAUNCH: each task is checked against the state, then started or refused. The agent can take it: one that
//! cannot has no offers, and what it could take is decided at once (semantics 83).

use std::sync::Arc;

use super::accept::Hand;
use crate::draft::Draft;
use crate::id::{ExecutorKey, TaskKey};
use crate::resources::Resources;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::{ExecutorSpec, Fault, NewExecutor, TaskLaunched, TaskRefused, TaskSpec};

/// LAUNCH: each task on its own (semantics 92).
pub(super) fn launch(draft: &mut Draft<'_>, hand: &mut Hand, tasks: &[TaskSpec]) {
    for task in tasks {
        match check(draft.state(), hand, task) {
            Ok(needed) => start(draft, hand, task, &needed),
            Err(fault) => refuse(draft, hand, task, (Reason::TASK_INVALID, &fault)),
        }
    }
}

/// Checks one task, and says what it needs in all: its own resources and, for the first task of an
/// executor, that one's.
fn check(state: &State, hand: &Hand, task: &TaskSpec) -> Result<Resources, String> {
    check_alone(state, hand, task)?;
    let executor = task.executor.as_ref();
    check_unmixed("Task", [&task.resources].into_iter().chain(executor.map(|it| &it.resources)))?;
    let mut needed = task.resources.clone();
    if let Some(executor) = new_executor(state, hand, executor)? {
        needed.add_all(&executor.resources);
    }
    if hand.holds(&needed) {
        Ok(needed)
    } else {
        Err(format!(
            "Total resources {needed} required by task and its executor is more than available {}",
            hand.stock.rest
        ))
    }
}

/// Nothing may be in part revocable, whether or not the executor runs already (semantics 129).
pub(super) fn check_unmixed<'a>(
    what: &str,
    users: impl Iterator<Item = &'a Resources>,
) -> Result<(), String> {
    let all: Resources = users.flatten().cloned().collect();
    let mixed = all.mixed().map(|name| {
        format!("{what} and its executor mix revocable and non-revocable resources: {name}")
    });
    mixed.map_or(Ok(()), Err)
}

/// What is wrong with a task whatever it needs and others are, in the order of semantics 140.
pub(super) fn check_alone(state: &State, hand: &Hand, task: &TaskSpec) -> Result<(), String> {
    if let Some(Fault::Id(fault)) = &task.fault {
        return Err(fault.to_string());
    }
    let key = TaskKey { framework: hand.framework, task: task.id.clone() };
    match state.tasks.get(&key) {
        Some(held) if held.state == TaskState::Unreachable => {
            return Err(format!("Task reuses the ID of an unreachable task: {}", task.id));
        }
        Some(_) => return Err(format!("Task has duplicate ID: {}", task.id)),
        None => {}
    }
    if task.agent != Some(hand.stock.agent) {
        let named = match &task.fault {
            Some(Fault::Agent(name)) => name.to_string(),
            _ => task.agent.map(|agent| state.agent_text(agent)).unwrap_or_default(),
        };
        return Err(format!(
            "Task uses invalid agent {named} while agent {} is expected",
            state.agent_text(hand.stock.agent)
        ));
    }
    match &task.fault {
        Some(Fault::Shape(fault)) => Err(fault.to_string()),
        _ => Ok(()),
    }
}

/// The executor that starts with this task; none for command tasks and for executors that run
/// already, which must be the same (semantics 95, 149).
pub(super) fn new_executor(
    state: &State,
    hand: &Hand,
    wanted: Option<&ExecutorSpec>,
) -> Result<Option<NewExecutor>, String> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let key = ExecutorKey {
        agent: hand.stock.agent,
        framework: hand.framework,
        executor: wanted.id.clone(),
    };
    match state.executors.get(&key) {
        None => Ok(Some(NewExecutor {
            resources: wanted.resources.clone(),
            payload: wanted.payload.clone(),
        })),
        Some(held) if held.payload == wanted.payload && held.resources == wanted.resources => {
            Ok(None)
        }
        Some(held) => Err(format!(
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID. \
             '{}' runs with {} and is asked for with {}; all else must be the same as well",
            wanted.id, held.resources, wanted.resources
        )),
    }
}

fn start(draft: &mut Draft<'_>, hand: &mut Hand, task: &TaskSpec, needed: &Resources) {
    hand.spend(needed);
    let new_executor = new_executor(draft.state(), hand, task.executor.as_ref()).ok().flatten();
    draft.record(TaskLaunched {
        key: TaskKey { framework: hand.framework, task: task.id.clone() },
        agent: hand.stock.agent,
        role: hand.role.clone(),
        resources: task.resources.clone(),
        executor: task.executor.as_ref().map(|executor| executor.id.clone()),
        new_executor,
        payload: task.payload.clone(),
    });
}

pub(super) fn refuse(
    draft: &mut Draft<'_>,
    hand: &Hand,
    task: &TaskSpec,
    (reason, fault): (Reason, &str),
) {
    let status = Status::by_master(TaskState::Error, reason, fault, draft.context().now);
    draft.record(TaskRefused {
        framework: hand.framework,
        task: task.id.clone(),
        agent: Some(hand.stock.agent),
        status: Arc::new(status),
    });
}
