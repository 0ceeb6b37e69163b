//! How far agents have done as they were told, as far as this leader has heard. Nothing is lost with it: an
//! agent that comes back, to whichever leader, is told all that it has and confirms that anew.

use std::collections::BTreeMap;
use std::time::Duration;

use statemachine::{AgentId, EventNumber};
use tokio::sync::watch;
use tokio::time::Instant;

/// Agents of which this is remembered; of more, those with the lowest numbers are forgotten.
const AGENTS_MAX: usize = 100_000;

/// Up to which directive each agent has confirmed.
#[derive(Debug)]
pub(crate) struct Confirmed(watch::Sender<BTreeMap<AgentId, EventNumber>>);

impl Default for Confirmed {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }
}

impl Confirmed {
    /// An agent has confirmed all up to this directive.
    pub(crate) fn note(&self, agent: AgentId, directive: EventNumber) {
        self.0.send_modify(|confirmed| {
            let known = confirmed.entry(agent).or_insert(directive);
            *known = directive.max(*known);
            while confirmed.len() > AGENTS_MAX {
                confirmed.pop_first();
            }
        });
    }

    /// Whether an agent has confirmed this directive.
    pub(crate) fn has(&self, agent: AgentId, directive: EventNumber) -> bool {
        self.0.borrow().get(&agent).is_some_and(|confirmed| *confirmed >= directive)
    }

    /// Waits until any agent confirms something, or until `deadline`, and never longer than `pause`: what
    /// else may end a wait is looked at then.
    pub(crate) async fn changed(&self, deadline: Instant, pause: Duration) {
        let mut changes = self.0.subscribe();
        let until = deadline.min(Instant::now() + pause);
        // both ways the caller looks again
        let _ = tokio::time::timeout_at(until, changes.changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_confirmed_stays_so() {
        let confirmed = Confirmed::default();
        for number in [5, 3] {
            confirmed.note(AgentId(1), EventNumber(number));
        }
        for (agent, number, expected) in [(1, 5, true), (1, 6, false), (2, 1, false)] {
            assert_eq!(confirmed.has(AgentId(agent), EventNumber(number)), expected);
        }
    }
}
