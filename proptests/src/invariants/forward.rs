//! Task states only move forward (semantics 193, 195, 221, 224): what is over stays over, and what
//! runs does not start again. Out of reach is a place beside that road, entered and left at any point.

use statemachine::{Event, TaskState};

use super::{Fact, Violation, demand};

pub(super) fn event(fact: &Fact<'_>) -> Result<(), Violation> {
    let Event::TaskUpdated(updated) = fact.event else { return Ok(()) };
    let Some(task) = fact.before.tasks.get(&updated.key) else {
        return Ok(());
    };
    demand(may_become(task.state, updated.latest), "task states only move forward", || {
        format!("{:?} went from {:?} to {:?}", updated.key, task.state, updated.latest)
    })
}

fn may_become(from: TaskState, to: TaskState) -> bool {
    if from.is_terminal() {
        return from == to;
    }
    match (stage(from), stage(to)) {
        (Some(from), Some(to)) => from <= to,
        (None, _) | (_, None) => true,
    }
}

fn stage(state: TaskState) -> Option<u8> {
    match state {
        TaskState::Staging => Some(0),
        TaskState::Starting => Some(1),
        TaskState::Running => Some(2),
        TaskState::Killing => Some(3),
        TaskState::Unreachable | TaskState::Unknown => None,
        TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Lost
        | TaskState::Error
        | TaskState::Dropped
        | TaskState::Gone
        | TaskState::GoneByOperator => Some(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_road_has_one_direction() {
        assert!(may_become(TaskState::Staging, TaskState::Running));
        assert!(may_become(TaskState::Running, TaskState::Unreachable));
        assert!(may_become(TaskState::Unreachable, TaskState::Running));
        assert!(!may_become(TaskState::Running, TaskState::Starting));
        assert!(!may_become(TaskState::Finished, TaskState::Failed));
        assert!(!may_become(TaskState::Finished, TaskState::Unreachable));
    }
}
