//! Time passes: what is due happens.

use super::history::forget_history;
use crate::agent::{Expiry, forget};
use crate::command::Decide;
use crate::deadline::Deadline;
use crate::draft::{Draft, Reply};
use crate::framework::{absent, remove};
use crate::offer::OffersRescinded;
use crate::rejection::Rejection;

/// How many deadlines one tick fires at most; the rest fire with the next.
pub const DEADLINES_PER_TICK_MAX: usize = 1000;

/// Do what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick;

impl Decide for Tick {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let now = draft.context().now;
        let due: Vec<Deadline> = draft
            .state()
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(DEADLINES_PER_TICK_MAX)
            .map(|(_, deadline)| *deadline)
            .collect();
        let mut expired = Vec::new();
        let mut away = Expiry::default();
        for deadline in due {
            match deadline {
                Deadline::FrameworkAbsent(id) => absent(draft, id),
                Deadline::FrameworkFailover(id) => remove(draft, id),
                Deadline::AgentReregister(id) => away.of(draft, id),
                Deadline::AgentForgotten(id) => forget(draft, id),
                Deadline::OfferExpiry(id) => expired.push(id),
                Deadline::HistoryForgotten => forget_history(draft),
            }
        }
        away.finish(draft);
        expired.retain(|offer| draft.state().offers.contains_key(offer));
        if !expired.is_empty() {
            draft.record(OffersRescinded { offers: expired });
        }
        Ok(Reply::Done)
    }
}
