//! What has happened to agents how often: counters that go on whoever leads (gaps 20).

use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::id::AgentId;
use crate::state::State;

/// How many agents have gone through what, since the cluster began. No number ever goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCounts {
    /// Registered for the first time.
    #[serde(rename = "r", default)]
    pub registered: u64,
    /// Came back.
    #[serde(rename = "b", default)]
    pub reregistered: u64,
    /// Went away, and are unreachable unless they come back.
    #[serde(rename = "s", default)]
    pub scheduled: u64,
    /// Came back before that.
    #[serde(rename = "c", default)]
    pub canceled: u64,
    /// Did not, and became unreachable.
    #[serde(rename = "u", default)]
    pub unreachable: u64,
    /// Became unreachable without having been heard of since a change of leader.
    #[serde(rename = "l", default)]
    pub unrecovered: u64,
    /// Left for good, or were sent away because their machine is down.
    #[serde(rename = "x", default)]
    pub unregistered: u64,
    /// Were away when another agent registered from their address.
    #[serde(rename = "p", default)]
    pub replaced: u64,
    /// Were declared gone.
    #[serde(rename = "g", default)]
    pub gone: u64,
}

impl AgentCounts {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Taken from the cluster, for whatever reason.
    pub fn removed(&self) -> u64 {
        self.unreachable + self.unrecovered + self.unregistered + self.replaced + self.gone
    }
}

impl State {
    /// An agent is about to count as back.
    pub(crate) fn count_return(&mut self, id: AgentId) {
        self.agent_counts.reregistered += 1;
        let waited = self.agents.get(&id).is_some_and(|agent| {
            agent.unreachable_since.is_none()
                && matches!(agent.connection, Connection::Disconnected { .. })
        });
        self.agent_counts.canceled += u64::from(waited);
    }

    /// An agent is about to count as unreachable.
    pub(crate) fn count_loss(&mut self, id: AgentId) {
        let connection = self.agents.get(&id).map(|agent| agent.connection);
        if matches!(connection, Some(Connection::Awaited { .. })) {
            self.agent_counts.unrecovered += 1;
        } else {
            self.agent_counts.unreachable += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{MarkGone, Unregister};
    use crate::testing::World;

    #[test]
    fn what_happens_to_agents_is_counted_across_leaders() {
        let mut world = World::new();
        let agents: Vec<_> = (0..5).map(|_| world.agent("cpus:4;mem:4096")).collect();
        for id in &agents[..2] {
            world.disconnect(*id);
        }
        let back = world.hello(Some(agents[0]), "cpus:4;mem:4096");
        world.must(back);
        world.pass_ms(600_000);
        let session = world.state.agents[&agents[2]].session().expect("connected");
        world.must(Unregister { agent: agents[2], session });
        world.must(MarkGone { agent: agents[3] });
        let mut expected = AgentCounts {
            registered: 5,
            reregistered: 1,
            scheduled: 2,
            canceled: 1,
            unreachable: 1,
            unrecovered: 0,
            unregistered: 1,
            replaced: 0,
            gone: 1,
        };
        assert_eq!(world.state.agent_counts, expected);
        world.lead(2);
        assert_eq!(world.state.agent_counts, expected, "gaps 20");
        let back = world.hello(Some(agents[0]), "cpus:4;mem:4096");
        world.must(back);
        world.pass_ms(600_000);
        expected.reregistered += 1;
        expected.unrecovered += 1;
        assert_eq!(world.state.agent_counts, expected);
        assert_eq!(world.state.agent_counts.removed(), 4);
    }
}
