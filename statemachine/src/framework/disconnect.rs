//! A scheduler's stream ends, or does not come back to a new leader.

use serde::{Deserialize, Serialize};

use super::remove;
use crate::command::Decide;
use crate::connection::Connection;
use crate::draft::{Draft, Reply};
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::{FrameworkId, Session};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// The stream named by `session` has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Disconnect {
    /// Whose stream.
    pub framework: FrameworkId,
    /// Which; news of any but the current one means nothing.
    pub session: Session,
}

/// A framework is away: its offers are over, and it is removed at `until` unless it comes back
/// (semantics 75).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkDisconnected {
    /// Its number.
    #[serde(rename = "i")]
    pub id: FrameworkId,
    /// When it is removed.
    #[serde(rename = "u")]
    pub until: Time,
}

impl Decide for Disconnect {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let framework = draft.state().frameworks.get(&self.framework);
        let framework = framework.ok_or(Rejection::FrameworkUnknown)?;
        if framework.session() != Some(self.session) {
            return Ok(Reply::Done);
        }
        let timeout_ms = framework.description.failover_timeout_ms;
        let until = draft.context().now.after_ms(timeout_ms);
        draft.record(FrameworkDisconnected { id: self.framework, until });
        if timeout_ms == 0 {
            remove(draft, self.framework);
        }
        Ok(Reply::Done)
    }
}

/// An awaited framework has not come back in time. It keeps at least the minimum that the settings
/// give to schedulers after a change of leader, counted from the election.
pub(crate) fn absent(draft: &mut Draft<'_>, id: FrameworkId) {
    let state = draft.state();
    let Some(framework) = state.frameworks.get(&id) else {
        return;
    };
    let settings = &draft.context().settings;
    let timeout_ms =
        framework.description.failover_timeout_ms.max(settings.framework_failover_minimum_ms);
    let until = state.cluster.elected_at.after_ms(timeout_ms).max(draft.context().now);
    draft.record(FrameworkDisconnected { id, until });
}

impl Fold for FrameworkDisconnected {
    fn fold(&self, state: &mut State, at: Time, effects: &mut Vec<Effect>) {
        // a half-open stream may still be there when the framework was only awaited
        state.tell(self.id, FrameworkMessage::Closed, effects);
        state.connect_framework(self.id, Connection::Disconnected { until: self.until });
        let Some(framework) = state.framework_mut(self.id) else {
            return;
        };
        framework.disconnected_at = Some(at);
        for offer in framework.offers.clone() {
            state.lift(offer);
        }
        state.book.filters.clear_framework(self.id, None);
        state.drop_inverse(self.id, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn disconnect(world: &mut World, framework: FrameworkId) {
        let session = world.state.frameworks[&framework].session().expect("connected");
        world.must(Disconnect { framework, session });
    }

    /// semantics 75
    #[test]
    fn the_timer_removes_who_does_not_come_back() {
        let mut world = World::new();
        let id = world.framework(&["*"]);
        disconnect(&mut world, id);
        world.pass_ms(59_999);
        assert!(world.state.frameworks.contains_key(&id), "not early");
        world.pass_ms(1);
        assert!(!world.state.frameworks.contains_key(&id));
    }

    /// semantics 76
    #[test]
    fn coming_back_stops_the_timer_and_a_later_disconnect_starts_a_new_one() {
        let mut world = World::new();
        let id = world.framework(&["*"]);
        disconnect(&mut world, id);
        world.pass_ms(59_000);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        world.pass_ms(600_000);
        assert!(world.state.frameworks.contains_key(&id));
        disconnect(&mut world, id);
        world.pass_ms(59_999);
        assert!(world.state.frameworks.contains_key(&id));
    }

    /// semantics 75
    #[test]
    fn without_a_failover_timeout_it_is_removed_at_once() {
        let mut world = World::new();
        let mut subscribe = world.subscription(None, &["*"]);
        subscribe.description.failover_timeout_ms = 0;
        let id = world.subscribe(subscribe);
        disconnect(&mut world, id);
        assert!(!world.state.frameworks.contains_key(&id), "semantics 75");
        assert!(world.state.deadlines.is_empty());
    }

    /// semantics 75
    #[test]
    fn offers_end_with_the_stream() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let id = world.framework(&["*"]);
        world.allocate();
        world.sent();
        disconnect(&mut world, id);
        assert!(world.state.offers.is_empty());
        assert!(!world.state.frameworks[&id].connection.is_active());
        world.allocate();
        assert!(world.state.offers.is_empty(), "it is not offered anything while it is away");
    }

    #[test]
    fn news_of_an_old_stream_means_nothing() {
        let mut world = World::new();
        let id = world.framework(&["*"]);
        let old = world.state.frameworks[&id].session().expect("connected");
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        world.must(Disconnect { framework: id, session: old });
        assert!(world.state.frameworks[&id].connection.is_connected());
    }

    /// semantics 76; gaps 8
    #[test]
    fn a_running_timer_survives_any_number_of_leaders() {
        let mut world = World::new();
        let id = world.framework(&["*"]);
        disconnect(&mut world, id);
        for term in 2..5 {
            world.pass_ms(10_000);
            world.lead(term);
        }
        world.pass_ms(29_999);
        assert!(world.state.frameworks.contains_key(&id), "not early");
        world.pass_ms(1);
        assert!(!world.state.frameworks.contains_key(&id));
    }

    /// semantics 76; decisions 0006
    #[test]
    fn who_does_not_come_back_to_a_new_leader_has_ten_minutes_from_the_election() {
        let mut world = World::new();
        let mut subscribe = world.subscription(None, &["*"]);
        subscribe.description.failover_timeout_ms = 0;
        let id = world.subscribe(subscribe);
        world.lead(2);
        world.pass_ms(30_000);
        let connection = world.state.frameworks[&id].connection;
        assert!(!connection.is_active(), "absent after the reconnect timeout");
        world.pass_ms(569_999);
        assert!(world.state.frameworks.contains_key(&id), "not early");
        world.pass_ms(1);
        assert!(!world.state.frameworks.contains_key(&id));
    }
}
