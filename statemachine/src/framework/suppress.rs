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
        if let Some(framework) = state.framework_mut(self.framework) {
            framework.suppressed.extend(self.roles.iter().cloned());
        }
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
        assert!(world.state.frameworks[&framework].suppressed.is_empty(), "semantics 109");
    }

    #[test]
    fn named_roles_are_suppressed_or_all() {
        check(&["a"], &["a"]);
        check(&[], &["a", "b"]); // semantics 110
    }

    #[test]
    fn one_foreign_role_makes_the_call_mean_nothing() {
        check(&["a", "c"], &[]); // semantics 111
    }
}
