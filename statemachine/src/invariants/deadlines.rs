//! Every deadline that runs is in the index, and nothing else is: a forgotten one would never fire,
//! a stale one would fire for something that is over.

use imbl::OrdSet;

use super::Violation;
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::state::State;

const NAME: &str = "deadlines";

pub(super) fn check(state: &State) -> Vec<Violation> {
    let frameworks = state.frameworks.values().filter_map(|framework| {
        let deadline = match framework.connection {
            Connection::Connected(_) => return None,
            Connection::Awaited { .. } => Deadline::FrameworkAbsent(framework.id),
            Connection::Disconnected { .. } => Deadline::FrameworkFailover(framework.id),
        };
        Some((framework.connection.deadline()?, deadline))
    });
    let agents = state.agents.values().filter_map(|agent| {
        Some((agent.connection.deadline()?, Deadline::AgentReregister(agent.id)))
    });
    let gone = state.gone_agents.iter();
    let gone = gone.map(|(id, gone)| (gone.until, Deadline::AgentForgotten(*id)));
    let offers = state
        .offers
        .values()
        .filter_map(|offer| Some((offer.until?, Deadline::OfferExpiry(offer.id))));
    let history = state.cluster.forgets_at.map(|at| (at, Deadline::HistoryForgotten));
    let expected: OrdSet<_> =
        frameworks.chain(agents).chain(gone).chain(offers).chain(history).collect();
    let missing = expected.clone().relative_complement(state.deadlines.clone());
    let leftover = state.deadlines.clone().relative_complement(expected);
    let missing = missing.iter().map(|(at, deadline)| format!("{deadline:?} at {at} is missing"));
    let leftover = leftover.iter().map(|(at, deadline)| format!("{deadline:?} at {at} is stale"));
    missing.chain(leftover).map(|text| Violation { invariant: NAME, text }).collect()
}
