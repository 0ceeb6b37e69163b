//! `LAUNCH_GROUP`: all tasks are started, or none (semantics 93).

use std::collections::BTreeSet;

use super::accept::Hand;
use super::launch::{check_alone, check_unmixed, new_executor, refuse};
use crate::draft::Draft;
use crate::resources::Resources;
use crate::state::State;
use crate::status::Reason;
use crate::task::{Fault, GroupLaunched, GroupSpec, Grouped, NewExecutor, TaskSpec};

/// Starts a group, or refuses every task of it for the same reason. One without tasks is nothing.
pub(super) fn launch_group(draft: &mut Draft<'_>, hand: &mut Hand, group: &GroupSpec) {
    if group.tasks.is_empty() {
        return;
    }
    match check(draft.state(), hand, group) {
        Ok((needed, executor)) => start(draft, hand, group, (&needed, executor)),
        Err(fault) => {
            for task in &group.tasks {
                refuse(draft, hand, task, (Reason::TASK_GROUP_INVALID, &fault));
            }
        }
    }
}

/// Checks a group, and says what it needs in all and whether it starts its executor.
fn check(
    state: &State,
    hand: &Hand,
    group: &GroupSpec,
) -> Result<(Resources, Option<NewExecutor>), String> {
    if let Some(Fault::Id(fault)) = &group.fault {
        return Err(fault.to_string());
    }
    let mut ids = BTreeSet::new();
    for task in &group.tasks {
        let unique = if ids.insert(&task.id) {
            Ok(())
        } else {
            // Mesos aborts here (semantics 326)
            Err(format!("Task has duplicate ID: {}", task.id))
        };
        unique
            .and_then(|()| check_alone(state, hand, task))
            .map_err(|fault| format!("Task '{}' is invalid: {fault}", task.id))?;
    }
    if let Some(Fault::Shape(fault) | Fault::Agent(fault)) = &group.fault {
        return Err(fault.to_string());
    }
    let users = group.tasks.iter().map(|task| &task.resources);
    check_unmixed("Task group", users.chain([&group.executor.resources]))?;
    let executor = new_executor(state, hand, Some(&group.executor))?;
    let needed = needed(group, executor.as_ref());
    if !hand.holds(&needed) {
        return Err(format!(
            "Total resources {needed} required by task group and its executor are more than \
             available {}",
            hand.stock.rest
        ));
    }
    Ok((needed, executor))
}

fn needed(group: &GroupSpec, executor: Option<&NewExecutor>) -> Resources {
    let mut needed = Resources::default();
    for task in &group.tasks {
        needed.add_all(&task.resources);
    }
    if let Some(executor) = executor {
        needed.add_all(&executor.resources);
    }
    needed
}

fn start(
    draft: &mut Draft<'_>,
    hand: &mut Hand,
    group: &GroupSpec,
    (needed, new_executor): (&Resources, Option<NewExecutor>),
) {
    hand.spend(needed);
    let grouped = |task: &TaskSpec| Grouped {
        id: task.id.clone(),
        resources: task.resources.clone(),
        payload: task.payload.clone(),
    };
    draft.record(GroupLaunched {
        framework: hand.framework,
        agent: hand.stock.agent,
        role: hand.role.clone(),
        executor: group.executor.id.clone(),
        new_executor,
        tasks: group.tasks.iter().map(grouped).collect(),
    });
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::effect::{Directive, Effect, FrameworkMessage};
    use crate::id::{AgentId, FrameworkId, TaskId};
    use crate::offer::Operation;
    use crate::status::TaskState;
    use crate::task::ExecutorSpec;
    use crate::testing::{World, command_task, resources};

    fn world() -> (World, FrameworkId) {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        (world, framework)
    }

    fn group(ids: &[&str]) -> GroupSpec {
        let task = |id: &&str| command_task(id, AgentId(0), "cpus:1;mem:64");
        let executor = ExecutorSpec {
            id: "pod".into(),
            resources: resources("cpus:0.1;mem:32"),
            payload: Bytes::from_static(b"executor info"),
        };
        GroupSpec { executor, tasks: ids.iter().map(task).collect(), fault: None }
    }

    fn launch(world: &mut World, framework: FrameworkId, groups: Vec<GroupSpec>) {
        world.allocate();
        world.sent();
        let offers = world.offers(framework);
        let operations = groups.into_iter().map(Operation::LaunchGroup).collect();
        world.accept(framework, &offers[..1], operations);
    }

    /// Ids of the groups that the agent is sent, and whether each starts its executor.
    fn directed(world: &mut World) -> Vec<(Vec<TaskId>, bool)> {
        let directive = |effect| match effect {
            Effect::Agent { directive: Directive::LaunchGroup(tasks, executor), .. } => {
                let starts = tasks.iter().all(|task| task.starts(executor.as_deref()));
                Some((tasks.iter().map(|task| task.key.task.clone()).collect(), starts))
            }
            Effect::Agent { directive: Directive::Launch(..), .. } => panic!("a task alone"),
            _ => None,
        };
        world.sent().into_iter().filter_map(directive).collect()
    }

    /// Every task of the group is refused with the same words, and nothing is used.
    fn check_refused(group: GroupSpec, words: &str) {
        let (mut world, framework) = world();
        let count = group.tasks.len();
        launch(&mut world, framework, vec![group]);
        let told = world.told(framework);
        assert_eq!(told.len(), count, "{told:?}");
        for message in told {
            let FrameworkMessage::Updated(update) = message else { panic!("{message:?}") };
            let status = &update.status;
            let said = (status.state, status.reason);
            assert_eq!(said, (TaskState::Error, Some(Reason::TASK_GROUP_INVALID)));
            let message = status.message.as_deref().unwrap_or_default();
            assert!(message.contains(words), "{message} does not say {words}");
        }
        assert!(world.state.tasks.is_empty() && world.state.executors.is_empty());
        assert_eq!(world.state.agents[&AgentId(0)].used, resources(""));
    }

    #[test]
    fn a_group_is_launched_as_one() {
        let (mut world, framework) = world();
        launch(&mut world, framework, vec![group(&["a", "b"])]);
        assert_eq!(directed(&mut world), [(vec!["a".into(), "b".into()], true)]);
        let used = &world.state.agents[&AgentId(0)].used;
        assert_eq!(*used, resources("cpus:2.1;mem:160"), "semantics 95");
    }

    #[test]
    fn groups_share_an_executor_that_is_charged_once() {
        let (mut world, framework) = world();
        launch(&mut world, framework, vec![group(&["a"]), group(&["b"])]);
        let expected = [(vec!["a".into()], true), (vec!["b".into()], false)];
        assert_eq!(directed(&mut world), expected);
        let used = &world.state.agents[&AgentId(0)].used;
        assert_eq!(*used, resources("cpus:2.1;mem:160"), "semantics 95");
    }

    #[test]
    fn one_bad_task_refuses_its_group() {
        let mut faulty = group(&["a", "b"]);
        faulty.tasks[1].fault = Some(Fault::Shape("the shape is wrong".into()));
        check_refused(faulty, "Task 'b' is invalid: the shape is wrong"); // semantics 93
        check_refused(group(&["a", "b", "a"]), "Task 'a' is invalid: Task has duplicate ID"); // 326
        let needs = "cpus:5.1;mem:352 required by task group and its executor";
        check_refused(group(&["a", "b", "c", "d", "e"]), needs);
        let mut elsewhere = group(&["a"]);
        elsewhere.tasks[0].agent = Some(AgentId(7));
        check_refused(elsewhere, "Task 'a' is invalid: Task uses invalid agent");
    }

    #[test]
    fn faults_of_the_operation_come_first_and_of_the_executor_last() {
        let faulty = |fault| {
            let mut faulty = group(&["a"]);
            faulty.tasks[0].fault = Some(Fault::Shape("the task is wrong".into()));
            faulty.fault = Some(fault);
            faulty
        };
        check_refused(faulty(Fault::Id("the operation is wrong".into())), "the operation is wrong");
        let executor = || Fault::Shape("the executor is wrong".into());
        check_refused(faulty(executor()), "the task is wrong");
        let fault = Some(executor());
        check_refused(GroupSpec { fault, ..group(&["a"]) }, "the executor is wrong");
    }

    #[test]
    fn an_executor_with_another_description_is_refused() {
        let (mut world, framework) = world();
        launch(&mut world, framework, vec![group(&["a"])]);
        let mut other = group(&["b"]);
        other.executor.payload = Bytes::from_static(b"another executor info");
        launch(&mut world, framework, vec![other]);
        assert_eq!(world.state.tasks.len(), 1, "semantics 149");
    }

    #[test]
    fn a_group_without_tasks_is_nothing() {
        let (mut world, framework) = world();
        launch(&mut world, framework, vec![group(&[])]);
        assert!(world.state.executors.is_empty() && world.told(framework).is_empty());
    }

    #[test]
    fn an_agent_that_comes_back_is_owed_the_whole_group_once() {
        let (mut world, framework) = world();
        launch(&mut world, framework, vec![group(&["a", "b"])]);
        world.sent();
        world.lead(2);
        let mut back = world.hello(Some(AgentId(0)), "cpus:4;mem:4096");
        world.must(back.clone());
        assert_eq!(directed(&mut world), [(vec!["a".into(), "b".into()], true)]);
        world.lead(3);
        back.session = world.hello(Some(AgentId(0)), "cpus:4;mem:4096").session;
        let launched = world.state.tasks.values().map(|task| task.launched).max();
        back.last_launch = launched.expect("a launch");
        world.must(back);
        assert_eq!(directed(&mut world), [], "it took the launch");
    }
}
