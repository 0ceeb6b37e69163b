//! What is over is history: kept in the state for as long, and as much of it, as the operators want. The
//! journal itself has everything (gaps 9).

use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use crate::deadline::Deadline;
use crate::draft::Draft;
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::FrameworkId;
use crate::settings::Retention;
use crate::state::State;
use crate::task::Task;
use crate::time::Time;

/// What is old enough is forgotten at most so often in its time: forgetting looks at every framework.
const ROUNDS_PER_AGE: u64 = 64;
/// And never more often than this.
const ROUND_MIN_MS: u64 = 1000;

/// What was over by then is not remembered any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryForgotten {
    /// Tasks, with all that is known of them.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tasks_before: Option<Time>,
    /// Frameworks, with their tasks; their ids stay refused.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub frameworks_before: Option<Time>,
}

/// Forgets what is too old now.
pub(super) fn forget_history(draft: &mut Draft<'_>) {
    let (now, retention) = (draft.context().now, draft.state().cluster.retention);
    let before = |age_ms: Option<u64>| age_ms.map(|age_ms| Time(now.0.saturating_sub(age_ms)));
    draft.record(HistoryForgotten {
        tasks_before: before(retention.completed_task_age_ms),
        frameworks_before: before(retention.completed_framework_age_ms),
    });
}

impl Fold for HistoryForgotten {
    fn fold(&self, state: &mut State, at: Time, _effects: &mut Vec<Effect>) {
        if let Some(before) = self.tasks_before {
            let old: Vec<FrameworkId> = state
                .frameworks
                .values()
                .filter(|framework| is_old(&framework.completed, before))
                .map(|framework| framework.id)
                .collect();
            for id in old {
                let Some(framework) = state.framework_mut(id) else { continue };
                while is_old(&framework.completed, before) {
                    framework.completed.pop_front();
                }
            }
        }
        if let Some(before) = self.frameworks_before {
            let completed = &mut state.completed_frameworks;
            while completed.front().is_some_and(|it| it.ended_at <= before) {
                completed.pop_front();
            }
        }
        state.plan_forgetting(at);
    }
}

/// Whether the oldest of these tasks was over by then.
fn is_old(completed: &Vector<Arc<Task>>, before: Time) -> bool {
    completed.front().is_some_and(|task| over_at(task) <= before)
}

/// When a task became history; those that did before this was noted count from their launch.
fn over_at(task: &Task) -> Time {
    task.completed_at.unwrap_or(task.launched_at)
}

impl State {
    /// Something has become history at `at`: it will be forgotten, if there is no earlier reason to
    /// look.
    pub(crate) fn note_history(&mut self, at: Time, age_ms: Option<u64>) {
        if let (Some(age_ms), None) = (age_ms, self.cluster.forgets_at) {
            self.forget_at(Some(at.after_ms(age_ms)));
        }
    }

    /// Finds out when there is next something to forget.
    pub(crate) fn plan_forgetting(&mut self, now: Time) {
        let Retention { completed_task_age_ms, completed_framework_age_ms, .. } =
            self.cluster.retention;
        let task = completed_task_age_ms.and_then(|age_ms| {
            let oldest = self.frameworks.values().filter_map(|it| it.completed.front());
            Some((oldest.map(|task| over_at(task)).min()?, age_ms))
        });
        let framework = completed_framework_age_ms
            .and_then(|age_ms| Some((self.completed_frameworks.front()?.ended_at, age_ms)));
        let due = |(over_at, age_ms): (Time, u64)| {
            let round_ms = (age_ms / ROUNDS_PER_AGE).max(ROUND_MIN_MS);
            over_at.after_ms(age_ms).max(now.after_ms(round_ms))
        };
        self.forget_at([task, framework].into_iter().flatten().map(due).min());
    }

    fn forget_at(&mut self, at: Option<Time>) {
        if let Some(before) = std::mem::replace(&mut self.cluster.forgets_at, at) {
            self.deadlines.remove(&(before, Deadline::HistoryForgotten));
        }
        self.deadlines.extend(at.map(|at| (at, Deadline::HistoryForgotten)));
    }
}

#[cfg(test)]
mod tests {
    use crate::framework::Teardown;
    use crate::settings::Retention;
    use crate::testing::World;
    use crate::{FrameworkId, TaskState};

    const HOUR_MS: u64 = 3_600_000;

    /// A world that keeps tasks and frameworks for an hour and for two.
    fn world() -> World {
        let mut world = World::new();
        world.settings.retention = Retention {
            completed_task_age_ms: Some(HOUR_MS),
            completed_framework_age_ms: Some(2 * HOUR_MS),
            ..Retention::default()
        };
        world.lead(2);
        world.agent("cpus:4;mem:4096");
        world
    }

    fn finish(world: &mut World, framework: FrameworkId, task: &str) {
        world.launch(framework, task, "cpus:1;mem:64");
        world.update(framework, task, TaskState::Finished, 1).expect("taken");
        world.acknowledge(framework, task, 1);
    }

    fn tasks(world: &World, framework: FrameworkId) -> Vec<String> {
        let completed = &world.state.frameworks[&framework].completed;
        completed.iter().map(|task| task.key.task.to_string()).collect()
    }

    /// gaps 9
    #[test]
    fn tasks_are_forgotten_by_age() {
        let mut world = world();
        let framework = world.framework(&["*"]);
        finish(&mut world, framework, "a");
        world.pass_ms(HOUR_MS / 2);
        finish(&mut world, framework, "b");
        world.pass_ms(HOUR_MS / 2 - 1);
        assert_eq!(tasks(&world, framework), ["a", "b"], "not early");
        world.pass_ms(1);
        assert_eq!(tasks(&world, framework), ["b"]);
        world.pass_ms(HOUR_MS / 2);
        assert_eq!(tasks(&world, framework), [""; 0]);
        let events = world.events.len();
        world.pass_ms(10 * HOUR_MS);
        assert_eq!(world.events.len(), events, "there is nothing left to forget");
        finish(&mut world, framework, "c");
        world.pass_ms(HOUR_MS);
        assert_eq!(tasks(&world, framework), [""; 0]);
    }

    /// gaps 7, 9
    #[test]
    fn frameworks_are_forgotten_by_age_and_may_not_come_back_all_the_same() {
        let mut world = world();
        let framework = world.framework(&["*"]);
        finish(&mut world, framework, "a");
        world.must(Teardown { framework });
        world.pass_ms(2 * HOUR_MS - 1);
        assert_eq!(world.state.completed_frameworks.len(), 1, "not early");
        assert_eq!(world.state.completed_frameworks[0].framework.completed.len(), 1);
        world.pass_ms(HOUR_MS / 16);
        assert!(world.state.completed_frameworks.is_empty());
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.ask(again).expect_err("over for ever");
    }

    #[test]
    fn many_ends_are_few_rounds() {
        let mut world = world();
        let framework = world.framework(&["*"]);
        for number in 0..100 {
            finish(&mut world, framework, &format!("t{number}"));
            world.pass_ms(HOUR_MS / 100);
        }
        let events = world.events.len();
        for _ in 0..100 {
            world.pass_ms(HOUR_MS / 100);
        }
        let rounds = world.events.len() - events;
        assert!((32..=64).contains(&rounds), "{rounds} rounds");
        assert!(tasks(&world, framework).len() <= 2);
    }

    #[test]
    fn another_leader_may_keep_things_longer_or_shorter() {
        let mut world = world();
        let framework = world.framework(&["*"]);
        finish(&mut world, framework, "a");
        world.settings.retention = Retention::default();
        world.lead(3);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        world.pass_ms(10 * HOUR_MS);
        assert_eq!(tasks(&world, framework), ["a"]);
        world.settings.retention.completed_task_age_ms = Some(HOUR_MS);
        world.lead(4);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        world.pass_ms(HOUR_MS / 16);
        assert_eq!(tasks(&world, framework), [""; 0]);
    }
}
