//! What the schedule says, which agents it concerns and what frameworks were asked agree.

use std::collections::BTreeSet;

use super::{Violation, demand};
use crate::state::State;

const NAME: &str = "maintenance";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    let maintenance = &state.maintenance;
    let named: BTreeSet<_> =
        maintenance.windows.iter().flat_map(|window| &window.machines).collect();
    let kept: BTreeSet<_> = maintenance.machines.keys().collect();
    demand(&mut violations, NAME, named == kept, || {
        format!("the schedule names {named:?}, but machines are {kept:?}")
    });
    let concerned = state.agents.values().filter(|agent| kept.contains(&agent.machine()));
    let concerned: BTreeSet<_> = concerned.map(|agent| agent.id).collect();
    let counted: BTreeSet<_> = maintenance.agents.iter().copied().collect();
    demand(&mut violations, NAME, concerned == counted, || {
        format!("agents {concerned:?} are on scheduled machines, not {counted:?}")
    });
    for (key, inverse) in &maintenance.inverse {
        let known = counted.contains(&key.0) && state.frameworks.contains_key(&key.1);
        demand(&mut violations, NAME, known, || {
            format!("framework {} was asked about agent {} for no reason", key.1, key.0)
        });
        let filed = inverse.offer.is_none_or(|offer| maintenance.offers.get(&offer) == Some(key));
        demand(&mut violations, NAME, filed, || {
            format!("an inverse offer to framework {} about agent {} is not filed", key.1, key.0)
        });
    }
    let outstanding =
        maintenance.inverse.values().filter(|inverse| inverse.offer.is_some()).count();
    demand(&mut violations, NAME, outstanding == maintenance.offers.len(), || {
        format!("{outstanding} inverse offers stand, {} are filed", maintenance.offers.len())
    });
    violations
}
