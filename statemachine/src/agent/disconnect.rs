//! An agent's stream ends.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::connection::Connection;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{AgentId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// The stream named by `session` is of no more use.
#[derive(Clone, Debug, PartialEq)]
pub struct Disconnect {
    /// Whose stream.
    pub agent: AgentId,
    /// Which; news of any but the current one means nothing.
    pub session: Session,
    /// Why.
    pub cause: Cause,
}

/// Why a stream is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It has ended: the agent is expected to open another (semantics 223).
    Closed,
    /// The agent has missed its pings: it has had its time already (semantics 221).
    Silent,
}

/// An agent is away: its offers are over, its tasks run on, and it is unreachable at `until` unless
/// it comes back (semantics 223).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDisconnected {
    /// Its number.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// When it counts as unreachable.
    #[serde(rename = "u")]
    pub until: Time,
}

impl Decide for Disconnect {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let Some(agent) = state.agents.get(&self.agent) else {
            return Err(Rejection::AgentUnknown(state.agent_text(self.agent).into()));
        };
        if agent.session() == Some(self.session) {
            let now = draft.context().now;
            let timeout_ms = draft.context().settings.agent_reregister_timeout_ms;
            let until = match self.cause {
                Cause::Closed => now.after_ms(timeout_ms),
                Cause::Silent => now,
            };
            draft.record(AgentDisconnected { id: self.agent, until });
            if self.cause == Cause::Silent {
                let mut expiry = super::Expiry::default();
                expiry.of(draft, self.agent);
                expiry.finish(draft);
            }
        }
        Ok(Reply::Done)
    }
}

impl Fold for AgentDisconnected {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        state.agent_counts.scheduled += 1;
        state.connect_agent(self.id, Connection::Disconnected { until: self.until });
        state.rescind_agent(self.id, effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn an_agent_that_stays_away_is_unreachable() {
        let mut world = World::new();
        let id = world.agent("cpus:4");
        world.disconnect(id);
        assert!(!world.state.agents[&id].is_active(), "semantics 223");
        world.pass_ms(599_999);
        assert_eq!(world.state.agents[&id].unreachable_since, None, "not early");
        world.pass_ms(1);
        assert_eq!(world.state.agents[&id].unreachable_since, Some(world.now));
    }

    #[test]
    fn an_agent_that_misses_its_pings_is_unreachable_at_once() {
        let mut world = World::new();
        let id = world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        world.launch(framework, "t", "cpus:1;mem:64");
        let session = world.state.agents[&id].session().expect("connected");
        world.must(Disconnect { agent: id, session, cause: Cause::Silent });
        assert_eq!(world.state.agents[&id].unreachable_since, Some(world.now), "semantics 221");
        let states: Vec<_> = world.state.tasks.values().map(|task| task.state).collect();
        assert_eq!(states, [crate::status::TaskState::Unreachable]);
        world.pass_ms(3_600_000);
        assert_eq!(world.state.agents.len(), 1, "its return is not waited for any more");
        let back = world.hello(Some(id), "cpus:4;mem:4096");
        world.must(back);
        assert!(world.state.agents[&id].is_active());
    }

    #[test]
    fn an_agent_that_comes_back_keeps_its_id() {
        let mut world = World::new();
        let id = world.agent("cpus:4");
        world.disconnect(id);
        world.pass_ms(600_000);
        let back = world.hello(Some(id), "cpus:4");
        world.must(back);
        let agent = &world.state.agents[&id];
        assert!(agent.is_active());
        assert_eq!(agent.reregistered_at, Some(world.now));
        world.pass_ms(3_600_000);
        assert!(world.state.agents[&id].is_active(), "the deadline is gone");
    }

    #[test]
    fn news_of_an_old_stream_means_nothing() {
        let mut world = World::new();
        let id = world.agent("cpus:4");
        let old = world.state.agents[&id].session().expect("connected");
        let back = world.hello(Some(id), "cpus:4");
        world.must(back);
        world.must(Disconnect { agent: id, session: old, cause: Cause::Closed });
        assert!(world.state.agents[&id].is_active());
    }

    #[test]
    fn agents_of_an_old_leader_are_awaited_and_each_has_its_own_timer() {
        let mut world = World::new();
        let [first, second] = [world.agent("cpus:4"), world.agent("cpus:4")];
        world.disconnect(first);
        world.pass_ms(500_000);
        world.lead(2);
        assert!(world.state.agents[&second].is_active(), "awaited");
        world.pass_ms(100_000);
        assert!(world.state.agents[&first].unreachable_since.is_some(), "gaps 4");
        assert_eq!(world.state.agents[&second].unreachable_since, None);
        world.pass_ms(500_000);
        assert!(world.state.agents[&second].unreachable_since.is_some());
    }

    /// semantics 227
    #[test]
    fn an_agent_comes_back_from_its_own_machine_unless_it_was_given_up() {
        let mut world = World::new();
        let id = world.agent("cpus:4");
        for (hostname, address) in [("node", "10.0.0.9:5051"), ("other", "127.0.0.1:5051")] {
            let mut back = world.hello(Some(id), "cpus:4");
            back.description.hostname = hostname.into();
            back.description.address = address.into();
            let refused = world.ask(back.clone()).expect_err("another machine");
            assert!(matches!(refused, Rejection::AgentDismissed(_)), "{refused}");
            world.disconnect(id);
            world.pass_ms(600_000);
            world.must(back);
            let mut home = world.hello(Some(id), "cpus:4");
            world.disconnect(id);
            world.pass_ms(600_000);
            home.session = world.session();
            world.must(home);
        }
        let mut named = world.hello(None, "cpus:4");
        named.description.address = "node:5051".into();
        let id = match world.must(named) {
            crate::Reply::Registered(id) => id,
            reply => panic!("not registered: {reply:?}"),
        };
        let back = world.hello(Some(id), "cpus:4");
        world.must(back);
    }

    #[test]
    fn an_id_that_the_cluster_never_gave_is_refused() {
        let mut world = World::new();
        let hello = world.hello(Some(AgentId(7)), "cpus:4");
        world.ask(hello).expect_err("unknown");
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let mut world = World::new();
        let first = world.agent("cpus:4");
        let session = world.state.agents[&first].session().expect("connected");
        world.must(crate::agent::Unregister { agent: first, session });
        assert!(world.state.agents.is_empty());
        assert_ne!(world.agent("cpus:4"), first);
        let back = world.hello(Some(first), "cpus:4");
        world.ask(back).expect_err("it left for good");
    }
}
