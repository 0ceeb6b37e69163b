//! What the leader still owes the world, derived from the state alone. Nothing owed is remembered
//! anywhere else, so no crash can forget it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::effect::{Directive, Effect, FrameworkMessage};
use crate::framework::Framework;
use crate::id::{AgentId, EventNumber, ExecutorKey, FrameworkId, TaskKey};
use crate::state::State;
use crate::status::TaskState;
use crate::task::Task;
use crate::time::Time;

/// What a framework that has just (re)subscribed is owed: the offers it holds, the updates of
/// operations and tasks that it has not acknowledged, and what was said since it went silent at
/// `unheard` that nobody acknowledges: ends of executors, and what the master itself has said of
/// operations and tasks (gaps 26 to 28).
pub(crate) fn for_framework(
    state: &State,
    framework: FrameworkId,
    unheard: Option<Time>,
    effects: &mut Vec<Effect>,
) {
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
    for (agent, executor, status) in &subscribed.unheard {
        let executor = Some((executor.clone(), *status));
        state.tell(framework, FrameworkMessage::Failed { agent: *agent, executor }, effects);
    }
    if let Some(since) = unheard {
        for message in said_by_master(state, subscribed, since) {
            state.tell(framework, message, effects);
        }
    }
}

/// What the master has last said of a framework's operations and tasks, since then.
fn said_by_master(state: &State, framework: &Framework, since: Time) -> Vec<FrameworkMessage> {
    let pending = state.operations_of(framework.id).filter(|it| it.finished_at.is_none());
    let lost = pending.filter(|it| {
        let agent = state.agents.get(&it.agent);
        agent.and_then(|agent| agent.unreachable_since).is_some_and(|at| at >= since)
    });
    let said_of_operations = lost.map(|it| FrameworkMessage::OperationUpdated(it.unreachable()));
    // an id may be in use again by now
    let over = framework.completed.iter().filter(|task| !state.tasks.contains_key(&task.key));
    let tasks = over.chain(state.tasks_of(framework.id));
    let said_of_tasks = tasks.filter_map(|task| {
        let status = task.statuses.last().filter(|status| status.update.is_none())?;
        (status.at >= since).then(|| task.message(status))
    });
    said_of_operations.chain(said_of_tasks).collect()
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
    state.direct(id, Directive::Resources { total: agent.firm(), number }, effects);
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
    for lingering in agent.lingering.values() {
        let framework = lingering.wire_id.clone();
        state.direct(id, Directive::ShutdownFramework { framework, number }, effects);
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

#[cfg(test)]
mod tests {
    use crate::agent::MarkGone;
    use crate::framework::Disconnect;
    use crate::operation::OperationState;
    use crate::status::Reason;
    use crate::testing::{World, command_task, reserved, resources, told_states};

    use super::*;

    const AGENT: AgentId = AgentId(0);

    /// A framework with a running task, and an operation that its agent has not confirmed.
    fn busy() -> (World, FrameworkId) {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a"]);
        let reserve = crate::operation::Request::Reserve(Ok(reserved(&resources("cpus:1"), "a")));
        let operations = vec![
            crate::offer::Operation::Launch(vec![command_task("t", AGENT, "cpus:1;mem:64")]),
            crate::offer::Operation::Convert(reserve, Some("o".into())),
        ];
        world.operate(framework, operations);
        world.update(framework, "t", TaskState::Running, 1).expect("taken");
        world.acknowledge(framework, "t", 1);
        (world, framework)
    }

    fn leave(world: &mut World, framework: FrameworkId) {
        let session = world.state.frameworks[&framework].session().expect("connected");
        world.must(Disconnect { framework, session });
        world.pass_ms(1);
    }

    fn lose_agent(world: &mut World) {
        world.disconnect(AGENT);
        world.pass_ms(600_000);
    }

    /// What a framework hears of its task and of its operation when it subscribes again.
    fn heard(world: &mut World) -> (Vec<(TaskState, Reason)>, Vec<OperationState>) {
        world.sent();
        let mut again = world.subscription(Some("c-0000"), &["a"]);
        again.description.failover_timeout_ms = 3_600_000;
        let framework = world.subscribe(again);
        let told = world.told(framework);
        let operations = told.iter().filter_map(|message| match message {
            FrameworkMessage::OperationUpdated(update) => Some(update.state),
            _ => None,
        });
        (told_states(&told), operations.collect())
    }

    const NOTHING: (Vec<(TaskState, Reason)>, Vec<OperationState>) = (Vec::new(), Vec::new());

    /// gaps 27, 28: of what the master says by itself nothing is lost on those who were away.
    #[test]
    fn who_was_away_hears_what_the_master_said_meanwhile() {
        let unreachable = (TaskState::Unreachable, Reason::AGENT_REMOVED);
        let gone = (TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR);
        let (mut world, framework) = busy();
        assert_eq!(heard(&mut world), NOTHING, "it has heard all there is");
        leave(&mut world, framework);
        lose_agent(&mut world);
        let lost = (vec![unreachable], vec![OperationState::Unreachable]);
        assert_eq!(heard(&mut world), lost);
        assert_eq!(heard(&mut world), NOTHING, "once");
        leave(&mut world, framework);
        world.must(MarkGone { agent: AGENT });
        assert_eq!(heard(&mut world), (vec![gone], vec![]));
        world.pass_ms(1);
        leave(&mut world, framework);
        assert_eq!(heard(&mut world), NOTHING);
    }

    /// gaps 28: a change of leader is an absence as well.
    #[test]
    fn who_comes_back_to_a_new_leader_hears_what_it_said() {
        let gone = (TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR);
        for absent_ms in [0, 31_000] {
            let (mut world, _) = busy();
            world.pass_ms(1);
            world.lead(2);
            world.must(MarkGone { agent: AGENT });
            world.pass_ms(absent_ms);
            assert_eq!(heard(&mut world).0, [gone], "after {absent_ms} ms");
        }
    }
}
