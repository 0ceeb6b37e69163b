//! Who is offered what: hierarchical DRF over what is free (semantics J).
//!
//! ```text
//! Book        sums that the ledger keeps: what is held, what is free, what there is; filters
//! Turns       who was asked about an agent's resources and took none
//! Roster      who takes offers for which role
//! Tree        roles and frameworks, sorted by fair share
//! allocate    agents in random order, each to the first in the tree that can take it
//! ```

mod along;
#[cfg(test)]
mod answers;
mod book;
mod crowd;
mod cycle;
#[cfg(test)]
mod eligibility;
mod explain;
#[cfg(test)]
mod fairness;
mod filters;
mod held;
#[cfg(test)]
mod laws;
mod line;
mod lot;
mod pile;
mod plant;
mod roster;
#[cfg(test)]
mod rules;
mod search;
mod shuffle;
mod team;
mod trace;
mod tree;
mod turns;
mod words;

pub use book::Book;
pub(crate) use book::exclusive;
pub use cycle::{OFFERS_PER_CYCLE_MAX, allocate};
pub use explain::{Inactive, Question, RoleAnswer, Standing, Verdict, explain};
pub use filters::{Filters, OFFER_FILTERS_MAX, OfferFilter};
pub use held::{Held, Holding};
pub use roster::Roster;
pub use trace::{Obstacle, Skip, Step, Trace};
pub(crate) use turns::ClientKey;
pub use turns::{ASKED_MAX, Turns};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::id::AgentId;
use crate::maintenance::ask_back;
use crate::offer::OffersMade;
use crate::rejection::Rejection;

/// Offer what is free to whom it is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocate {
    /// Agents to look at; none for all.
    pub agents: Option<Vec<AgentId>>,
}

impl Decide for Allocate {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let context = draft.context();
        let offers = allocate(draft.state(), context, self.agents.as_deref(), &mut ());
        if !offers.is_empty() {
            let until = context.settings.offer_timeout_ms.map(|after| context.now.after_ms(after));
            draft.record(OffersMade { offers, until });
        }
        ask_back(draft, self.agents.as_deref());
        Ok(Reply::Done)
    }
}
