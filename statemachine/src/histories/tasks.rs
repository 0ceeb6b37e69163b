//! What happens to tasks and executors.

use bytes::Bytes;
use proptest::prelude::*;

use super::pick;
use crate::TaskState;
use crate::task::{Acknowledge, ExecutorExited, Kill, Question, Reconcile, ShutdownExecutor};
use crate::testing::World;

#[derive(Clone, Copy, Debug)]
pub(super) enum OnTask {
    /// The agent reports the state with this number.
    Update(u8),
    Acknowledge,
    Kill,
    ShutdownExecutor,
    ExecutorExited,
    Reconcile,
}

pub(super) fn strategy() -> impl Strategy<Value = OnTask> {
    prop_oneof![
        12 => (0u8..10).prop_map(OnTask::Update),
        8 => Just(OnTask::Acknowledge),
        2 => Just(OnTask::Kill),
        1 => Just(OnTask::ShutdownExecutor),
        1 => Just(OnTask::ExecutorExited),
        1 => Just(OnTask::Reconcile),
    ]
}

pub(super) fn act(world: &mut World, action: OnTask, number: u8) -> Option<()> {
    match action {
        OnTask::Update(_) | OnTask::Acknowledge | OnTask::Kill => on_task(world, action, number),
        OnTask::ShutdownExecutor | OnTask::ExecutorExited => on_executor(world, action, number),
        OnTask::Reconcile => {
            let framework = pick(world.state.frameworks.keys().copied(), number)?;
            let named = Question { task: format!("t{}", number % 24).into(), agent: None };
            let tasks = if number.is_multiple_of(2) { vec![named] } else { Vec::new() };
            world.must(Reconcile { framework, tasks });
            Some(())
        }
    }
}

fn on_task(world: &mut World, action: OnTask, number: u8) -> Option<()> {
    let key = pick(world.state.tasks.keys().cloned(), number)?;
    let agent = Some(world.state.tasks[&key].agent);
    match action {
        OnTask::Update(state) => {
            let state = TaskState::from_number(i32::from(state))?;
            // refused while the agent is away
            let _ = world.update(key.framework, &key.task, state, state as u8);
        }
        OnTask::Acknowledge => {
            let update = world.state.tasks[&key].pending.as_ref()?.update?;
            world.must(Acknowledge { framework: key.framework, agent, task: key.task, update });
        }
        OnTask::Kill | OnTask::ShutdownExecutor | OnTask::ExecutorExited | OnTask::Reconcile => {
            let policy = Bytes::new();
            let agent = agent.map(Into::into);
            world.must(Kill { framework: key.framework, task: key.task, agent, policy });
        }
    }
    Some(())
}

fn on_executor(world: &mut World, action: OnTask, number: u8) -> Option<()> {
    let key = pick(world.state.executors.keys().cloned(), number)?;
    if matches!(action, OnTask::ShutdownExecutor) {
        let (framework, agent, executor) = (key.framework, Some(key.agent), key.executor);
        world.must(ShutdownExecutor { framework, agent, executor });
        return Some(());
    }
    let session = world.state.agents[&key.agent].session().unwrap_or_default();
    let framework = world.state.frameworks[&key.framework].wire_id.clone();
    let (agent, executor) = (key.agent, key.executor);
    world.must(ExecutorExited { agent, session, framework, executor, status: 9 });
    Some(())
}
