//! Operators change how much roles count in fair sharing.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::Role;
use crate::offer::OffersRescinded;
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// `UPDATE_WEIGHTS`, its shape checked (semantics 189).
#[derive(Clone, Debug, PartialEq)]
pub struct Weigh {
    /// Roles and their weights in thousandths, each above 0.
    pub weights: Vec<(Role, u64)>,
}

/// Roles weigh something else from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsUpdated {
    /// Roles and their weights in thousandths.
    #[serde(rename = "w")]
    pub weights: Vec<(Role, u64)>,
}

impl Decide for Weigh {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let state = draft.state();
        let changed: Vec<_> = self
            .weights
            .iter()
            .filter(|(role, weight)| state.weights.get(role) != Some(weight))
            .cloned()
            .collect();
        if changed.is_empty() {
            return Ok(Reply::Done);
        }
        // what was offered under other weights is taken back where they count (semantics 189)
        let counts = changed.iter().any(|(role, _)| is_active(state, role));
        let offers: Vec<_> = state.offers.keys().copied().filter(|_| counts).collect();
        draft.record(WeightsUpdated { weights: changed });
        if !offers.is_empty() {
            draft.record(OffersRescinded { offers });
        }
        Ok(Reply::Done)
    }
}

/// Whether a framework is in this role or below it.
fn is_active(state: &State, role: &Role) -> bool {
    let mut roles = state.frameworks.values().flat_map(|it| it.description.roles.iter());
    roles.any(|it| it.is_within(role))
}

impl Fold for WeightsUpdated {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        state.weights.extend(self.weights.iter().cloned());
        state.book.turns.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn weigh(world: &mut World, role: &str, weight: u64) {
        world.must(Weigh { weights: vec![(role.into(), weight)] });
    }

    /// semantics 189
    #[test]
    fn offers_are_taken_back_where_the_weights_count() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a/b"]);
        world.allocate();
        weigh(&mut world, "elsewhere", 2000);
        assert_eq!(world.offers(framework).len(), 1);
        weigh(&mut world, "a", 2000);
        assert_eq!(world.offers(framework).len(), 0);
        world.allocate();
        weigh(&mut world, "a", 2000);
        assert_eq!(world.offers(framework).len(), 1, "nothing has changed");
    }

    #[test]
    fn the_heavier_role_gets_more() {
        let mut world = World::new();
        for _ in 0..9 {
            world.agent("cpus:1;mem:1024");
        }
        let (heavy, light) = (world.framework(&["heavy"]), world.framework(&["light"]));
        weigh(&mut world, "heavy", 2000);
        world.allocate();
        assert_eq!((world.offers(heavy).len(), world.offers(light).len()), (6, 3));
        world.lead(2);
        assert_eq!(world.state.weights.get(&Role::from("heavy")), Some(&2000));
    }
}
