//! A framework wants no offers for some of its roles.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, Role};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// SUPPRESS.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppress {
    /// Who.
    pub framework: FrameworkId,
    /// For which roles; empty for all (semantics 110).
    pub roles: Vec<Role>,
}

/// These roles of a framework get no offers from now on. Filters stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolesSuppressed {
    /// Who.
    #[serde(rename = "i")]
    pub framework: FrameworkId,
    /// Which.
    #[serde(rename = "r")]
    pub roles: Vec<Role>,
}

impl Decide for Suppress {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let roles = subscribed(draft.state(), self.framework, &self.roles)?;
        if !roles.is_empty() {
            draft.record(RolesSuppressed { framework: self.framework, roles });
        }
        Ok(Reply::Done)
    }
}

/// The roles that a SUPPRESS or REVIVE is about: the named ones, or all. None at all if one of
/// those named is not among the framework's (semantics 111: the whole call means nothing then).
pub(super) fn subscribed(
    state: &State,
    framework: FrameworkId,
    named: &[Role],
) -> Result<Vec<Role>, Rejection> {
    let framework = state.frameworks.get(&framework).ok_or(Rejection::FrameworkUnknown)?;
    let all = &framework.description.roles;
    if named.is_empty() {
        return Ok(all.to_vec());
    }
    let known = named.iter().all(|role| all.contains(role));
    Ok(if known { named.to_vec() } else { Vec::new() })
}

impl Fold for RolesSuppressed {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        let roles = self.roles.iter().cloned();
        state.alter_framework(self.framework, |framework| framework.suppressed.extend(roles));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::Revive;
    use crate::testing::World;

    fn check(named: &[&str], want: &[&str]) {
        let mut world = World::new();
        let framework = world.framework(&["a", "b"]);
        let roles = named.iter().map(|role| Role::from(*role)).collect();
        world.must(Suppress { framework, roles });
        let suppressed = &world.state.frameworks[&framework].suppressed;
        assert!(suppressed.iter().map(|role| &**role).eq(want.iter().copied()), "{named:?}");
        world.must(Revive { framework, roles: Vec::new() });
        assert!(world.state.frameworks[&framework].suppressed.is_empty());
    }

    /// semantics 109, 110
    #[test]
    fn named_roles_are_suppressed_or_all() {
        check(&["a"], &["a"]);
        check(&[], &["a", "b"]);
    }

    /// semantics 111
    #[test]
    fn one_foreign_role_makes_the_call_mean_nothing() {
        for named in [["a", "c"], ["a", "not//valid"]] {
            check(&named, &[]);
            let mut world = World::new();
            let framework = world.framework(&["a", "b"]);
            world.must(Suppress { framework, roles: Vec::new() });
            world.must(Revive { framework, roles: named.map(Role::from).to_vec() });
            assert_eq!(world.state.frameworks[&framework].suppressed.len(), 2, "{named:?}");
        }
    }

    /// semantics 112; gaps 11
    #[test]
    fn suppression_outlives_streams_and_leaders_and_not_the_next_subscription() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["a", "b"]);
        world.must(Suppress { framework, roles: vec!["a".into()] });
        let session = world.state.frameworks[&framework].session().expect("connected");
        world.must(crate::framework::Disconnect { framework, session });
        world.lead(2);
        assert!(world.state.frameworks[&framework].suppressed.contains(&Role::from("a")));
        let mut again = world.subscription(Some("c-0000"), &["a", "b"]);
        again.suppressed = vec!["b".into()];
        world.subscribe(again);
        world.must(crate::allocator::Allocate::default());
        let roles: Vec<_> = world.state.offers.values().map(|offer| offer.role.clone()).collect();
        assert_eq!(roles, [Role::from("a")]);
    }
}
