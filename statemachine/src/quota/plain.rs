//! What quotas allow, by their definitions and as slowly as that is: [`Headroom`], which keeps sums,
//! must come to the same.

use std::collections::BTreeMap;

use super::{Headroom, counts, upwards};
use crate::id::Role;
use crate::resources::{Name, Quantities};
use crate::state::State;

const ROLES: [&str; 7] = ["a", "a/b", "a/b/x", "a/c", "d", "e", "f"];
const NAMES: [Name; 2] = [Name::Cpus, Name::Mem];

/// How much more of each resource each role may have; none if nothing bounds it.
pub(super) fn rooms(headroom: &Headroom<'_>) -> Vec<Option<i64>> {
    let room = |role: &str, name: &Name| {
        headroom.room(headroom.account(role), name).map(|(room, _)| room.0)
    };
    ROLES.iter().flat_map(|role| NAMES.iter().map(|name| room(role, name))).collect()
}

/// The kept sums are what the definitions say.
pub(super) fn check(state: &State) {
    let plain = Plain { state, consumption: state.consumption() };
    let names = |role| NAMES.iter().map(move |name| (role, name));
    let wanted: Vec<_> =
        ROLES.into_iter().flat_map(names).map(|(role, name)| plain.room(role, name)).collect();
    assert_eq!(rooms(&Headroom::new(state)), wanted, "{:?}", state.quotas);
}

struct Plain<'a> {
    state: &'a State,
    consumption: BTreeMap<&'a str, Quantities>,
}

impl Plain<'_> {
    fn consumed(&self, role: &Role, name: &Name) -> i64 {
        self.consumption[&**role].get(name).0
    }

    fn has_quota(&self, role: &str) -> bool {
        self.state.quotas.contains_key(&Role::from(role))
    }

    /// The roles with a quota that have none with a quota above them, or none between `above` and them.
    fn closest(&self, above: Option<&Role>) -> Vec<&Role> {
        let roles = self.state.quotas.keys();
        let closest = |role: &&Role| {
            let next = upwards(role).skip(1).find(|it| self.has_quota(it));
            next == above.map(|above| &**above)
        };
        roles.filter(closest).collect()
    }

    /// What a role and those below it lack; as if `sated`, and all it lies within, had all they want.
    fn needs(&self, role: &Role, name: &Name, sated: Option<&str>) -> i64 {
        let is_sated = sated.is_some_and(|sated| upwards(sated).any(|above| above == &**role));
        let guaranteed = self.state.quotas[role].guarantees.get(name).filter(|_| !is_sated);
        let own = guaranteed.map_or(0, |it| (it.0 - self.consumed(role, name)).max(0));
        let below = self.closest(Some(role)).into_iter();
        own.max(below.map(|below| self.needs(below, name, sated)).sum())
    }

    fn required(&self, name: &Name, sated: Option<&str>) -> i64 {
        self.closest(None).into_iter().map(|role| self.needs(role, name, sated)).sum()
    }

    fn available(&self, name: &Name) -> i64 {
        let active = self.state.agents.values().filter(|agent| agent.is_active());
        let free = active.flat_map(|agent| agent.free().iter().cloned().collect::<Vec<_>>());
        free.filter(|it| it.name == *name && counts(it)).map(|it| it.value.thousandths()).sum()
    }

    fn room(&self, role: &str, name: &Name) -> Option<i64> {
        let above = upwards(role).map(Role::from).filter(|above| self.has_quota(above));
        let limits = above.filter_map(|above| {
            let limit = self.state.quotas[&above].limits.get(name)?;
            Some(limit.0 - self.consumed(&above, name))
        });
        let (all, others) = (self.required(name, None), self.required(name, Some(role)));
        let spare = (self.available(name) - all).max(0) + all - others;
        limits.chain((all > 0).then_some(spare)).min()
    }
}
