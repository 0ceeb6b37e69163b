//! What stands between a framework and an agent, in words for people.

use super::explain::{Inactive, Standing, Verdict};
use super::trace::Obstacle;
use crate::id::{FrameworkId, Role};
use crate::quota::Bound;
use crate::state::State;
use crate::time::Time;

/// How many others are named.
const NAMED_MAX: usize = 3;

impl Standing {
    /// What has to change before offers are made; none if they are.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::Asking => None,
            Self::Suppressed => Some("the framework has suppressed this role, and may revive it"),
            Self::Disconnected => Some("the framework is not connected"),
        }
    }
}

impl Verdict {
    /// One word for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Offered(_) => "OFFERED",
            Self::Next => "NEXT",
            Self::OthersFirst(_) => "OTHERS_FIRST",
            Self::Inactive(Inactive::Unreachable) => "UNREACHABLE",
            Self::Inactive(Inactive::Disconnected) => "DISCONNECTED",
            Self::Inactive(Inactive::Draining) => "DRAINING",
            Self::Inactive(Inactive::Drained) => "DRAINED",
            Self::Inactive(Inactive::Deactivated) => "DEACTIVATED",
            Self::Unfit(Obstacle::Gpus) => "GPUS",
            Self::Unfit(Obstacle::Region) => "REGION",
            Self::Unfit(Obstacle::Constraints) => "CONSTRAINTS",
            Self::Unfit(_) => "TOO_SMALL",
            Self::Taken(_) => "TAKEN",
            Self::Refused(_) => "REFUSED",
            Self::Bound(Bound::Limit) => "LIMIT",
            Self::Bound(Bound::Guarantees) => "GUARANTEES",
        }
    }

    /// The same for people; frameworks and offers by the names they have on the wire.
    pub fn words(&self, state: &State, now: Time) -> String {
        match self {
            Self::Offered(offer) => format!("it has {}", state.offer_text(*offer)),
            Self::Next => "the next cycle offers it".into(),
            Self::OthersFirst(others) if others.is_empty() => {
                "other offers of the next cycle come before it".into()
            }
            Self::OthersFirst(others) => {
                let others = listed(others.iter().map(|(id, role)| client(state, *id, role)));
                format!("the next cycle offers it to {others}, who comes before")
            }
            Self::Inactive(Inactive::Unreachable) => "the agent is unreachable".into(),
            Self::Inactive(Inactive::Disconnected) => "the agent is not connected".into(),
            Self::Inactive(Inactive::Draining) => "the agent is being drained".into(),
            Self::Inactive(Inactive::Drained) => "the agent is drained".into(),
            Self::Inactive(Inactive::Deactivated) => "an operator deactivated the agent".into(),
            Self::Unfit(Obstacle::Gpus) => {
                "the agent has GPUs, which are for frameworks with GPU_RESOURCES".into()
            }
            Self::Unfit(Obstacle::Region) => {
                "the agent is in another region, which is for frameworks with REGION_AWARE".into()
            }
            Self::Unfit(Obstacle::Constraints) => {
                "the framework's offer constraints exclude the agent".into()
            }
            Self::Unfit(_) => {
                "the agent has too little for this role, even with nothing in use".into()
            }
            Self::Taken(offers) if offers.is_empty() => "what it has is in use".into(),
            Self::Taken(offers) => {
                let one = |(id, role, offer): &(FrameworkId, Role, _)| {
                    format!("{} in {}", client(state, *id, role), state.offer_text(*offer))
                };
                format!("what is not in use is offered to {}", listed(offers.iter().map(one)))
            }
            Self::Refused(until) => {
                let left = Time(until.since_ms(now));
                format!("the framework refused as much or more, which counts for another {left} s")
            }
            Self::Bound(Bound::Limit) => {
                "the limit of the role, or of one above it, leaves too little".into()
            }
            Self::Bound(Bound::Guarantees) => {
                "what is left is kept for roles with less than they are guaranteed".into()
            }
        }
    }
}

fn client(state: &State, framework: FrameworkId, role: &Role) -> String {
    let known = state.frameworks.get(&framework);
    let wire_id = known.map_or("a framework that is over", |framework| &framework.wire_id);
    format!("{wire_id} for role '{role}'")
}

fn listed(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED_MAX);
    let named: Vec<_> = all.take(NAMED_MAX).collect();
    let named = named.join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}
