//! A framework wants offers again, whatever it refused before.

use serde::{Deserialize, Serialize};

use super::suppress::subscribed;
use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, Role};
use crate::rejection::Rejection;
use crate::state::State;
use crate::time::Time;

/// REVIVE.
#[derive(Clone, Debug, PartialEq)]
pub struct Revive {
    /// Who.
    pub framework: FrameworkId,
    /// For which roles; empty for all (semantics 109).
    pub roles: Vec<Role>,
}

/// These roles of a framework get offers again, and its refusals for them are forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolesRevived {
    /// Who.
    #[serde(rename = "i")]
    pub framework: FrameworkId,
    /// Which.
    #[serde(rename = "r")]
    pub roles: Vec<Role>,
}

impl Decide for Revive {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let roles = subscribed(draft.state(), self.framework, &self.roles)?;
        if !roles.is_empty() {
            draft.record(RolesRevived { framework: self.framework, roles });
        }
        Ok(Reply::Done)
    }
}

impl Fold for RolesRevived {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        for role in &self.roles {
            state.book.filters.clear_framework(self.framework, Some(role));
        }
        state.unfilter_inverse(self.framework);
        state.alter_framework(self.framework, |framework| {
            for role in &self.roles {
                framework.suppressed.remove(role);
            }
        });
    }
}
