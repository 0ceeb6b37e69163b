//! What has happened to a framework how often: counters that go on whoever leads (gaps 20).

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::id::FrameworkId;
use crate::state::State;
use crate::status::TaskState;

/// What a framework has been offered and what became of it, since it subscribed for the first time.
/// No number ever goes down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkCounts {
    /// Offers made to it.
    #[serde(rename = "s", default)]
    pub offers_sent: u64,
    /// Offers that it took.
    #[serde(rename = "a", default)]
    pub offers_accepted: u64,
    /// Offers that it refused.
    #[serde(rename = "d", default)]
    pub offers_declined: u64,
    /// Offers that were withdrawn from it.
    #[serde(rename = "r", default)]
    pub offers_rescinded: u64,
    /// Its tasks that ended in each way, refused ones included.
    #[serde(rename = "t", default, skip_serializing_if = "OrdMap::is_empty")]
    pub tasks_ended: OrdMap<TaskState, u64>,
}

impl FrameworkCounts {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl State {
    /// Counts something of a framework that is not over.
    pub(crate) fn count_of(
        &mut self,
        framework: FrameworkId,
        count: impl FnOnce(&mut FrameworkCounts),
    ) {
        if let Some(framework) = self.framework_mut(framework) {
            count(&mut framework.counts);
        }
    }

    /// Counts one more task of a framework that ended so.
    pub(crate) fn count_end(&mut self, framework: FrameworkId, end: TaskState) {
        self.count_of(framework, |counts| *counts.tasks_ended.entry(end).or_default() += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offer::{Decline, Operation};
    use crate::testing::{World, command_task};

    fn counts(world: &World, framework: FrameworkId) -> FrameworkCounts {
        world.state.frameworks[&framework].counts.clone()
    }

    #[test]
    fn offers_and_tasks_are_counted_across_leaders() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        world.allocate();
        let too_much = command_task("u", agent, "cpus:9;mem:64");
        world.operate(framework, vec![Operation::Launch(vec![too_much])]);
        world.allocate();
        let offers = world.offers(framework);
        world.must(Decline { framework, offers, refuse_seconds: Some(0.0) });
        world.update(framework, "t", TaskState::Finished, 1).expect("taken");
        world.allocate();
        world.disconnect(agent);
        let expected = FrameworkCounts {
            offers_sent: 4,
            offers_accepted: 2,
            offers_declined: 1,
            offers_rescinded: 1,
            tasks_ended: [(TaskState::Finished, 1_u64), (TaskState::Error, 1)]
                .into_iter()
                .collect(),
        };
        assert_eq!(counts(&world, framework), expected);
        world.lead(2);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        assert_eq!(counts(&world, framework), expected, "gaps 20");
    }
}
