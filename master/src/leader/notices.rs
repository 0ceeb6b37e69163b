//! What operators should read of in the log: agents that are given up, or are not.

use statemachine::Event;
use statemachine::agent::Spared;

/// Logs those of the events that an operator may have to act on.
pub(super) fn log(events: &[Event]) {
    for event in events {
        match event {
            Event::AgentUnreachable(it) => {
                tracing::warn!(agent = %it.id, "an agent is given up: it is unreachable");
            }
            Event::AgentsSpared(it) => {
                let (agents, until) = (it.agents.len(), it.until);
                match it.why {
                    Spared::Recovery => tracing::error!(
                        agents,
                        %until,
                        "more agents than --recovery-agent-removal-limit allows have not come back \
                         to this leader: they are held until enough are back, a leader with a higher \
                         limit is elected, or they are marked gone"
                    ),
                    Spared::Rate => tracing::warn!(
                        agents,
                        %until,
                        "agents wait to be given up: --agent-removal-rate-limit is reached"
                    ),
                }
            }
            _ => {}
        }
    }
}
