//! Offers as frameworks see them.

use protocol::v1::{self, resource::AllocationInfo};
use statemachine::agent::Agent;
use statemachine::offer::Offer;
use statemachine::{Capabilities, State, framework_capability};

use super::{agent, maintenance, resources};

/// An offer for a framework with these capabilities; none if its agent is gone.
pub(crate) fn write(state: &State, offer: &Offer, capabilities: Capabilities) -> Option<v1::Offer> {
    let agent = state.agents.get(&offer.agent)?;
    let framework = state.frameworks.get(&offer.framework)?;
    let info = agent::info(agent);
    let multi_role = capabilities.has(framework_capability::MULTI_ROLE);
    Some(v1::Offer {
        id: state.offer_text(offer.id).into(),
        framework_id: (*framework.wire_id).into(),
        agent_id: state.agent_text(offer.agent).into(),
        hostname: agent.description.hostname.to_string(),
        url: Some(url(agent)),
        domain: info.domain,
        resources: resources::write_for(&offer.resources, &offer.role, capabilities),
        attributes: info.attributes,
        executor_ids: state
            .executors_on(offer.agent)
            .filter(|executor| executor.key.framework == offer.framework)
            .map(|executor| (*executor.key.executor).into())
            .collect(),
        unavailability: state.unavailability(offer.agent).map(maintenance::unavailability),
        allocation_info: multi_role.then(|| AllocationInfo { role: Some(offer.role.to_string()) }),
    })
}

/// Where the agent's HTTP API is.
pub(super) fn url(agent: &Agent) -> v1::Url {
    let (host, port) = agent::host_port(agent);
    v1::Url {
        scheme: "http".to_owned(),
        address: v1::Address {
            hostname: Some(agent.description.hostname.to_string()),
            ip: Some(host.to_owned()),
            port,
        },
        path: Some("/slave(1)".to_owned()),
        query: Vec::new(),
        fragment: None,
    }
}
