//! What a framework refused, it is not offered again for a while.

use serde::{Deserialize, Serialize};

use crate::allocator::OfferFilter;
use crate::context::Context;
use crate::draft::Draft;
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{AgentId, FrameworkId, Role};
use crate::resources::Resources;
use crate::state::State;
use crate::time::Time;

/// How long a refusal counts that says nothing about it (semantics 104).
pub const REFUSE_DEFAULT_MS: u64 = 5_000;
/// How long a refusal counts at most: 365 days (semantics 105).
pub const REFUSE_MAX_MS: u64 = 31_536_000_000;

/// A framework is not to be offered these resources, or fewer, of this agent for this role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffersFiltered {
    /// Who refused.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// For which role.
    #[serde(rename = "l")]
    pub role: Role,
    /// Of which agent.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// What.
    #[serde(rename = "r")]
    pub resources: Resources,
    /// For how long.
    #[serde(rename = "u")]
    pub until: Time,
}

/// How long `refuse_seconds` asks for; none for no filter at all (semantics 105, 106).
pub fn refusal_ms(refuse_seconds: Option<f64>, context: &Context) -> Option<u64> {
    let milliseconds = match refuse_seconds {
        None => REFUSE_DEFAULT_MS,
        Some(0.0) => return None,
        Some(seconds) if seconds.is_nan() || seconds < 0.0 => REFUSE_DEFAULT_MS,
        Some(seconds) if seconds >= 31_536_000.0 => REFUSE_MAX_MS,
        Some(seconds) => (seconds * 1000.0) as u64,
    };
    Some(milliseconds.max(context.settings.allocation_interval_ms))
}

/// Records a refusal, unless nothing was refused or the framework wants no filter.
pub(crate) fn refuse(
    draft: &mut Draft<'_>,
    framework: FrameworkId,
    place: (Role, AgentId),
    resources: Resources,
    refuse_seconds: Option<f64>,
) {
    let Some(milliseconds) = refusal_ms(refuse_seconds, draft.context()) else {
        return;
    };
    if resources.is_empty() {
        return;
    }
    let until = draft.context().now.after_ms(milliseconds);
    let (role, agent) = place;
    draft.record(OffersFiltered { framework, role, agent, resources, until });
}

impl Fold for OffersFiltered {
    fn fold(&self, state: &mut State, at: Time, _effects: &mut Vec<Effect>) {
        state.book.filters.expire(at);
        let filter = OfferFilter { resources: self.resources.clone(), until: self.until };
        state.book.filters.add(self.agent, self.framework, &self.role, filter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::Disconnect;
    use crate::offer::Decline;
    use crate::testing::World;
    use std::sync::Arc;

    fn check(refuse_seconds: Option<f64>, want: Option<u64>) {
        let context = Context { now: Time(0), seed: 0, principal: None, settings: Arc::default() };
        assert_eq!(refusal_ms(refuse_seconds, &context), want, "{refuse_seconds:?}");
    }

    /// semantics 104, 105, 106
    #[test]
    fn refusals_last_no_shorter_than_an_allocation_and_no_longer_than_a_year() {
        check(None, Some(5_000));
        check(Some(0.0), None);
        check(Some(-3.0), Some(5_000));
        check(Some(f64::NAN), Some(5_000));
        check(Some(0.2), Some(1_000));
        check(Some(60.0), Some(60_000));
        check(Some(31_535_999.0), Some(31_535_999_000));
        check(Some(31_536_001.0), Some(31_536_000_000));
        check(Some(4_294_967_295.0), Some(31_536_000_000));
        check(Some(f64::INFINITY), Some(31_536_000_000));
    }

    /// semantics 113; gaps 11
    #[test]
    fn refusals_outlive_leaders_and_not_streams() {
        let mut world = World::new();
        let agent = world.agent("cpus:4;mem:4096");
        let id = world.framework(&["*"]);
        world.allocate();
        let offers = world.offers(id);
        world.must(Decline { framework: id, offers, refuse_seconds: Some(600.0) });
        world.lead(2);
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        let back = world.hello(Some(agent), "cpus:4;mem:4096");
        world.must(back);
        world.allocate();
        assert!(world.offers(id).is_empty(), "it is still refused");
        let session = world.state.frameworks[&id].session().expect("connected");
        world.must(Disconnect { framework: id, session });
        let again = world.subscription(Some("c-0000"), &["*"]);
        world.subscribe(again);
        world.allocate();
        assert_eq!(world.offers(id).len(), 1, "a new stream is a new beginning");
    }
}
