//! Why an agent's resources went where they went: what one allocation cycle looked at, in order.

use crate::id::{AgentId, FrameworkId, Role};
use crate::offer::OfferSpec;

/// Told of each step of an allocation cycle. `()` hears nothing and costs nothing.
pub trait Trace {
    /// An agent was not considered.
    fn skipped(&mut self, _agent: AgentId, _why: Skip) {}
    /// A framework came before all others that were left, but could not take what there was.
    fn passed_over(&mut self, _agent: AgentId, _client: (FrameworkId, &Role), _why: Obstacle) {}
    /// It hears nothing: whom a search can do without, it need not look at.
    fn is_deaf(&self) -> bool {
        false
    }
    /// A framework gets this; its dominant share was the second value before.
    fn offered(&mut self, _offer: &OfferSpec, _share: f64) {}
}

impl Trace for () {
    fn is_deaf(&self) -> bool {
        true
    }
}

/// Why an agent was not considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is not there or not reachable.
    Inactive,
    /// Too little is free on it for any offer (semantics 178).
    TooLittle,
}

/// What stood between a framework and an agent's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Less than an offer's minimum is open to its role or within its capabilities (semantics 175,
    /// 176, 178).
    TooLittle,
    /// The agent has GPUs and the framework takes none (semantics 176).
    Gpus,
    /// The agent is in another region than the masters, and the framework knows nothing of regions
    /// (semantics 176).
    Region,
    /// The agent is not what the framework wants for this role (semantics 72).
    Constraints,
    /// It refused as much or more not long ago (semantics 107).
    Filter,
    /// It was offered as much not long ago and took nothing, and others have not been asked since
    /// (decision 0021).
    Turn,
    /// The role, or one above it, has all that its quota allows (semantics 181).
    Limit,
    /// What is free is kept for roles that have less than they are guaranteed (semantics 181).
    Guarantees,
}

/// One step, as a list of them keeps it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// See [`Trace::skipped`].
    Skipped(AgentId, Skip),
    /// See [`Trace::passed_over`].
    PassedOver(AgentId, FrameworkId, Role, Obstacle),
    /// See [`Trace::offered`].
    Offered(OfferSpec, f64),
}

impl Trace for Vec<Step> {
    fn skipped(&mut self, agent: AgentId, why: Skip) {
        self.push(Step::Skipped(agent, why));
    }

    fn passed_over(&mut self, agent: AgentId, client: (FrameworkId, &Role), why: Obstacle) {
        self.push(Step::PassedOver(agent, client.0, client.1.clone(), why));
    }

    fn offered(&mut self, offer: &OfferSpec, share: f64) {
        self.push(Step::Offered(offer.clone(), share));
    }
}
