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
