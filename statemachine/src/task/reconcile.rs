//! A framework asks what has become of its tasks. Answers come from the state alone, always and at
//! once (gaps 2, 3); they are no events, since nothing happens.

use std::sync::Arc;

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{FrameworkMessage, TaskUpdate};
use crate::id::{AgentId, FrameworkId, NamedAgent, TaskId, TaskKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::{Reason, Status, TaskState};
use crate::task::Task;
use crate::time::Time;

/// RECONCILE.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconcile {
    /// Who.
    pub framework: FrameworkId,
    /// About which tasks; empty for all that are not over (semantics 210).
    pub tasks: Vec<Question>,
}

/// One task asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The task.
    pub task: TaskId,
    /// The agent that it names, if it names one.
    pub agent: Option<NamedAgent>,
}

impl Decide for Reconcile {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        if !draft.state().frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let now = draft.context().now;
        let state = draft.state();
        let answers: Vec<_> = if self.tasks.is_empty() {
            let tasks = state.tasks_of(self.framework);
            tasks
                .filter(|task| task.state != TaskState::Unreachable)
                .map(|task| known(state, task, now))
                .collect()
        } else {
            self.tasks.iter().map(|task| answer(state, self.framework, task, now)).collect()
        };
        for message in answers {
            draft.tell(self.framework, message);
        }
        Ok(Reply::Done)
    }
}

/// The answer about one task (semantics 211 to 217).
pub(crate) fn answer(
    state: &State,
    framework: FrameworkId,
    question: &Question,
    now: Time,
) -> FrameworkMessage {
    let key = TaskKey { framework, task: question.task.clone() };
    let task = state.tasks.get(&key);
    if let Some(task) = task.filter(|task| task.state != TaskState::Unreachable) {
        return known(state, task, now);
    }
    let agent = task.map(|task| task.agent.into()).or_else(|| question.agent.clone());
    let ours = agent.as_ref().and_then(NamedAgent::ours);
    let (told, message, unreachable_at) = absent(state, ours);
    let told = if state.is_partition_aware(framework) { told } else { TaskState::Lost };
    let mut status = Status::by_master(told, Reason::RECONCILIATION, message, now);
    status.unreachable_at = unreachable_at;
    FrameworkMessage::Updated(TaskUpdate {
        task: question.task.clone(),
        agent,
        executor: None,
        status: Arc::new(status),
    })
}

/// What is said of a task that is not in the books, or is out of reach.
fn absent(state: &State, agent: Option<AgentId>) -> (TaskState, &'static str, Option<Time>) {
    if agent.is_some_and(|agent| state.gone_agents.contains_key(&agent)) {
        return (TaskState::GoneByOperator, "Reconciliation: Task is gone", None);
    }
    match agent.and_then(|agent| state.agents.get(&agent)) {
        Some(agent) if agent.unreachable_since.is_some() => {
            (TaskState::Unreachable, "Reconciliation: Task is unreachable", agent.unreachable_since)
        }
        Some(_) => (TaskState::Gone, "Reconciliation: Task is unknown to the agent", None),
        None => (TaskState::Unknown, "Reconciliation: Task is unknown", None),
    }
}

/// The newest status that was forwarded, as an answer. It is what the journal knows; whether the agent
/// is there to confirm it is said in words (gaps 3).
fn known(state: &State, task: &Arc<Task>, now: Time) -> FrameworkMessage {
    let last = task.statuses.last();
    let told = last.map_or(task.state, |status| status.state);
    let is_there = state.agents.get(&task.agent).is_some_and(|it| it.connection.is_connected());
    let message = if is_there || told.is_terminal() {
        "Reconciliation: Latest task state"
    } else {
        "Reconciliation: Latest task state; its agent is away at present"
    };
    let mut status = Status::by_master(told, Reason::RECONCILIATION, message, now);
    if let Some(last) = last {
        status.healthy = last.healthy;
        status.payload = last.payload.clone();
    }
    task.message(&Arc::new(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn ask(
        world: &mut World,
        framework: FrameworkId,
        task: &str,
        agent: Option<NamedAgent>,
    ) -> Status {
        world.sent();
        let tasks = vec![Question { task: task.into(), agent }];
        world.must(Reconcile { framework, tasks });
        match &world.told(framework)[..] {
            [FrameworkMessage::Updated(update)] => Status::clone(&update.status),
            told => panic!("not one answer: {told:?}"),
        }
    }

    fn check(status: &Status, state: TaskState) {
        assert_eq!(status.state, state);
        assert_eq!(status.source, crate::Source::Master);
        assert_eq!(status.reason, Some(Reason::RECONCILIATION));
        assert_eq!(status.update, None, "answers are not to be acknowledged");
    }

    #[test]
    fn a_known_task_is_told_as_last_forwarded() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        check(&ask(&mut world, framework, "t", None), TaskState::Staging);
        world.update(framework, "t", TaskState::Running, 1).expect("taken");
        check(&ask(&mut world, framework, "t", Some(agent.into())), TaskState::Running); // semantics 211
    }

    /// semantics 213, 214, 216
    #[test]
    fn an_unknown_task_depends_on_its_agent() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        check(&ask(&mut world, framework, "x", None), TaskState::Unknown); // semantics 216
        check(&ask(&mut world, framework, "x", Some(agent.into())), TaskState::Gone); // semantics 213
        check(&ask(&mut world, framework, "x", Some(AgentId(9).into())), TaskState::Unknown);
        let stranger = NamedAgent::Stranger("elsewhere".into());
        check(&ask(&mut world, framework, "x", Some(stranger)), TaskState::Unknown);
        let session = world.state.agents[&agent].session().expect("connected");
        world.must(crate::agent::Disconnect { agent, session, cause: crate::agent::Cause::Closed });
        world.pass_ms(600_000);
        let status = ask(&mut world, framework, "x", Some(agent.into()));
        check(&status, TaskState::Unreachable); // semantics 214
        assert_eq!(status.unreachable_at, Some(world.now));
    }

    #[test]
    fn frameworks_that_cannot_tell_hear_of_lost_tasks() {
        let mut world = World::new();
        let mut subscribe = world.subscription(None, &["*"]);
        subscribe.description.capabilities = crate::Capabilities::default();
        let framework = world.subscribe(subscribe);
        check(&ask(&mut world, framework, "x", None), TaskState::Lost); // semantics 217
    }

    /// semantics 212, bettered by gaps 2 and 3: whoever is not back yet, there is an answer at once.
    #[test]
    fn answers_do_not_wait_for_agents() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        let message = |status: &Status| status.message.as_deref().unwrap_or_default().to_owned();
        let known = ask(&mut world, framework, "t", None);
        assert_eq!(message(&known), "Reconciliation: Latest task state");
        world.lead(2);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        let known = ask(&mut world, framework, "t", None);
        check(&known, TaskState::Staging);
        assert!(message(&known).contains("its agent is away"), "{known:?}");
        check(&ask(&mut world, framework, "x", None), TaskState::Unknown);
        check(&ask(&mut world, framework, "x", Some(agent.into())), TaskState::Gone);
    }

    /// semantics 211: what is shown of a status is what its sender made of it.
    #[test]
    fn an_answer_repeats_what_was_said_of_health_and_container() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        let session = world.state.agents[&agent].session().expect("connected");
        let payload = bytes::Bytes::from_static(b"container and check");
        let status = Status {
            update: Some(crate::UpdateId([1; 16])),
            healthy: Some(true),
            payload: payload.clone(),
            ..Status::by_master(TaskState::Running, Reason(0), "reported", world.now)
        };
        world.must(crate::task::Update {
            agent,
            session,
            framework: "c-0000".into(),
            task: "t".into(),
            executor: None,
            status: Arc::new(status),
            latest: TaskState::Running,
        });
        let answer = ask(&mut world, framework, "t", None);
        check(&answer, TaskState::Running);
        assert_eq!((answer.healthy, answer.payload), (Some(true), payload));
    }

    #[test]
    fn asking_about_nothing_is_asking_about_all_that_is_not_over() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        for task in ["a", "b", "c"] {
            world.launch(framework, task, "cpus:1;mem:64");
        }
        world.update(framework, "b", TaskState::Finished, 1).expect("taken");
        world.update(framework, "c", TaskState::Finished, 2).expect("taken");
        world.acknowledge(framework, "c", 2);
        world.sent();
        world.must(Reconcile { framework, tasks: Vec::new() });
        let told: Vec<_> = world
            .told(framework)
            .into_iter()
            .map(|message| match message {
                FrameworkMessage::Updated(update) => (update.task.to_string(), update.status.state),
                other => panic!("not an update: {other:?}"),
            })
            .collect();
        let want = [("a".to_owned(), TaskState::Staging), ("b".to_owned(), TaskState::Finished)];
        assert_eq!(told, want, "semantics 210");
    }
}
