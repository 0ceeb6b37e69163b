//! The one place where resources change hands. Folds call these and nothing else, so that what an
//! agent has, what is offered, what is used and what each role holds always agree.

use std::sync::Arc;

use crate::agent::Agent;
use crate::deadline::Deadline;
use crate::id::{AgentId, FrameworkId, OfferId, Role};
use crate::offer::Offer;
use crate::resources::Resources;
use crate::state::State;

impl State {
    /// Puts an offer on the table.
    pub(crate) fn lay(&mut self, offer: Arc<Offer>) {
        self.book.charge(&offer.role, offer.framework, &offer.resources);
        if let Some(agent) = self.agent_mut(offer.agent) {
            agent.offered.add_all(&offer.resources);
            agent.offers.insert(offer.id);
        }
        if let Some(framework) = self.framework_mut(offer.framework) {
            framework.offers.insert(offer.id);
        }
        if let Some(until) = offer.until {
            self.deadlines.insert((until, Deadline::OfferExpiry(offer.id)));
        }
        self.offers.insert(offer.id, offer);
    }

    /// Takes an offer off the table: its resources are free again.
    pub(crate) fn lift(&mut self, offer: OfferId) -> Option<Arc<Offer>> {
        let offer = self.offers.remove(&offer)?;
        self.book.refund(&offer.role, offer.framework, &offer.resources);
        if let Some(agent) = self.agent_mut(offer.agent) {
            agent.offered = agent.offered.without(&offer.resources);
            agent.offers.remove(&offer.id);
        }
        if let Some(framework) = self.framework_mut(offer.framework) {
            framework.offers.remove(&offer.id);
        }
        if let Some(until) = offer.until {
            self.deadlines.remove(&(until, Deadline::OfferExpiry(offer.id)));
        }
        Some(offer)
    }

    /// A task or executor starts to use resources.
    pub(crate) fn occupy(
        &mut self,
        agent: AgentId,
        framework: FrameworkId,
        role: &Role,
        resources: &Resources,
    ) {
        self.book.charge(role, framework, resources);
        if let Some(agent) = self.agent_mut(agent) {
            agent.used.add_all(resources);
        }
    }

    /// A task or executor no longer uses resources.
    pub(crate) fn vacate(
        &mut self,
        agent: AgentId,
        framework: FrameworkId,
        role: &Role,
        resources: &Resources,
    ) {
        self.book.refund(role, framework, resources);
        if let Some(agent) = self.agent_mut(agent) {
            agent.used = agent.used.without(resources);
        }
    }
}

impl Agent {
    /// What is neither used nor offered.
    pub fn free(&self) -> Resources {
        self.total.without(&self.used).without(&self.offered)
    }
}
