//! The one place where resources change hands. Folds call these and nothing else, so that what an
//! agent has, what is offered, what is used, and the allocator's sums always agree.

use std::sync::Arc;

use crate::agent::Agent;
use crate::allocator::{ClientKey, exclusive};
use crate::deadline::Deadline;
use crate::id::{AgentId, FrameworkId, OfferId, Role};
use crate::offer::Offer;
use crate::resources::{Quantities, Resource, Resources};
use crate::state::State;

impl State {
    /// Puts an offer on the table.
    pub(crate) fn lay(&mut self, offer: Arc<Offer>) {
        let client = (offer.framework, offer.role.clone());
        self.book.offer(&client, offer.agent, &offer.resources);
        self.ask(&client, &offer);
        self.spend(offer.agent, &offer.resources, |agent| {
            agent.offers.insert(offer.id);
            &mut agent.offered
        });
        if let Some(framework) = self.framework_mut(offer.framework) {
            framework.offers.insert(offer.id);
            framework.counts.offers_sent += 1;
        }
        if let Some(until) = offer.until {
            self.deadlines.insert((until, Deadline::OfferExpiry(offer.id)));
        }
        self.offers.insert(offer.id, offer);
    }

    /// Remembers who is asked about what is free on an agent.
    fn ask(&mut self, client: &ClientKey, offer: &Offer) {
        if let Some(agent) = self.agents.get(&offer.agent) {
            let unused = agent.unused();
            self.book.turns.offer(offer.agent, client, &offer.resources, &unused);
        }
    }

    /// Takes an offer off the table: its resources are free again.
    pub(crate) fn lift(&mut self, offer: OfferId) -> Option<Arc<Offer>> {
        let offer = self.offers.remove(&offer)?;
        let client = (offer.framework, offer.role.clone());
        self.book.refund(&client, offer.agent, &offer.resources);
        self.recover(offer.agent, &offer.resources, |agent| {
            agent.offers.remove(&offer.id);
            &mut agent.offered
        });
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
        self.book.turns.take(agent, resources);
        self.keep(agent, framework, role, resources);
    }

    /// Resources that were used stay so, whatever became of who took them.
    pub(crate) fn keep(
        &mut self,
        agent: AgentId,
        framework: FrameworkId,
        role: &Role,
        resources: &Resources,
    ) {
        self.book.charge(&(framework, role.clone()), agent, resources);
        self.spend(agent, resources, |agent| &mut agent.used);
    }

    /// Resources are no longer used.
    pub(crate) fn vacate(
        &mut self,
        agent: AgentId,
        framework: FrameworkId,
        role: &Role,
        resources: &Resources,
    ) {
        self.book.refund(&(framework, role.clone()), agent, resources);
        self.recover(agent, resources, |agent| &mut agent.used);
    }

    /// A new agent brings what it has.
    pub(crate) fn admit(&mut self, agent: Agent) {
        let id = agent.id;
        self.agents.insert(id, Arc::new(agent));
        self.count_in(id);
    }

    /// Changes what an agent has, or whether it counts: whoever was asked about it may be asked again.
    pub(crate) fn alter_agent(&mut self, id: AgentId, change: impl FnOnce(&mut Agent)) {
        self.book.turns.forget(id);
        self.recount(id, change);
    }

    /// Changes what an agent lends out, and counts it anew.
    pub(crate) fn recount(&mut self, id: AgentId, change: impl FnOnce(&mut Agent)) {
        self.count_out(id);
        if let Some(agent) = self.agent_mut(id) {
            change(agent);
        }
        self.count_in(id);
    }

    /// An agent's resources no longer belong to the cluster.
    pub(crate) fn count_out(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id).filter(|agent| agent.counts()) else {
            return;
        };
        self.book.exclude(id, &agent.total);
        self.book.free.remove(&id);
    }

    fn count_in(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id).filter(|agent| agent.counts()) else {
            return;
        };
        self.book.include(id, &agent.total);
        let free = agent.free_quantities();
        self.book.set_free(id, free);
    }

    fn spend(
        &mut self,
        id: AgentId,
        resources: &Resources,
        pile: impl FnOnce(&mut Agent) -> &mut Resources,
    ) {
        if resources.iter().any(|resource| resource.revocable) {
            return self.recount(id, |agent| {
                pile(agent).add_all(resources);
                agent.fit_revocable();
            });
        }
        let Some(agent) = self.agent_mut(id) else { return };
        pile(agent).add_all(resources);
        if agent.counts() {
            self.book.shrink(id, resources);
        }
    }

    fn recover(
        &mut self,
        id: AgentId,
        resources: &Resources,
        pile: impl FnOnce(&mut Agent) -> &mut Resources,
    ) {
        if resources.iter().any(|resource| resource.revocable) {
            return self.recount(id, |agent| {
                pile(agent).remove_all(resources);
                agent.fit_revocable();
            });
        }
        let Some(agent) = self.agent_mut(id) else { return };
        pile(agent).remove_all(resources);
        if agent.counts() {
            self.book.grow(id, resources);
        }
    }
}

impl Agent {
    /// Whether its resources are part of the cluster's.
    pub(crate) fn counts(&self) -> bool {
        self.unreachable_since.is_none()
    }

    /// What is neither used nor offered. Shared resources always are free: using one does not keep
    /// others from using it.
    pub fn free(&self) -> Resources {
        let mut free = self.total.clone();
        free.remove_each(exclusive(&self.used));
        free.remove_each(exclusive(&self.offered));
        free
    }

    /// Whether something may be given out, as far as it is not shared. What is revocable always may: it
    /// is the agent that takes it back.
    pub(crate) fn has_free(&self, resources: &Resources) -> bool {
        let wanted = exclusive(resources).filter(|resource| !resource.revocable);
        self.free().contains(&wanted.cloned().collect())
    }

    /// How much of what is its own no task or executor uses, offered or not.
    pub(crate) fn unused(&self) -> Quantities {
        let own = |resource: &&Resource| !resource.revocable;
        let mut unused = Quantities::of(exclusive(&self.total).filter(own));
        unused.remove_all(&Quantities::of(exclusive(&self.used).filter(own)));
        unused
    }

    /// How much of that is not shared.
    pub(crate) fn free_quantities(&self) -> Quantities {
        let mut free = Quantities::of(exclusive(&self.total));
        free.remove_all(&Quantities::of(exclusive(&self.used)));
        free.remove_all(&Quantities::of(exclusive(&self.offered)));
        free
    }
}
