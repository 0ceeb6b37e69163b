//! Operations that convert resources: reservations made and undone, persistent volumes created,
//! resized and destroyed (semantics I). What they make can be used by later operations of the same
//! ACCEPT (semantics 98), a new size excepted.
//!
//! An operation that a framework gave an id is followed: the framework hears of its end, and again
//! until it has acknowledged that (semantics 86 to 91).

mod acknowledge;
mod confirm;
mod convert;
mod create;
mod destroy;
mod fault;
mod follow;
mod operate;
mod reconcile;
mod refuse;
mod reserve;
mod resize;
mod unreserve;

use std::sync::Arc;

pub use acknowledge::{Acknowledge, OperationAcknowledged};
pub use confirm::{Confirm, OperationsFinished};
pub(crate) use convert::convert;
pub use convert::{Conversion, Label, ResourcesConverted};
pub use fault::ConversionError;
pub use follow::{Followed, OperationState, OperationUpdate};
pub use operate::Operate;
pub use reconcile::{Question, Reconcile};
pub use refuse::OperationRefused;
pub(crate) use refuse::refuse;

use crate::capability::framework as capability;
use crate::framework::Description;
use crate::id::{AgentId, Principal, Role};
use crate::resources::{Resource, Resources, Scalar};
use crate::state::State;

/// The resources that an operation names, or why they could not be read.
pub type Given<T = Resources> = Result<T, Arc<str>>;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Hold resources for a role.
    Reserve(Given),
    /// Hold reserved resources, the first, for other roles, as the second say. Operators only
    /// (semantics 90).
    Rereserve(Given<(Resources, Resources)>),
    /// Undo the last reservation of resources.
    Unreserve(Given),
    /// Make persistent volumes.
    Create(Given),
    /// Destroy persistent volumes and what is in them.
    Destroy(Given),
    /// Add space, the second, to a volume.
    Grow(Given<(Resource, Resource)>),
    /// Take so many MB from a volume.
    Shrink(Given<(Resource, Scalar)>),
    /// Something that no agent of this cluster can do, by its name.
    Unsupported(&'static str),
}

/// Resources of one agent that are at hand to be converted.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) agent: AgentId,
    /// What is still there.
    pub(crate) rest: Resources,
    /// What was made of it and nothing has used yet.
    pub(crate) converted: Resources,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// A framework, with what was offered to it for this role.
    Framework(Arc<Description>, Role),
    /// An operator.
    Operator(Option<Principal>),
}

impl Asker {
    /// Who is to be named as reserver or creator.
    fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Framework(description, _) => description.principal.as_ref(),
            Self::Operator(principal) => principal.as_ref(),
        }
    }

    fn may_share(&self) -> bool {
        match self {
            Self::Framework(description, _) => {
                description.capabilities.has(capability::SHARED_RESOURCES)
            }
            Self::Operator(_) => true,
        }
    }
}

/// What an operation comes to, if what it consumes is at hand.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Conversion,
    pub(crate) consumed: Resources,
    pub(crate) converted: Resources,
}

impl Plan {
    /// Puts what it makes where what it consumes was.
    pub(crate) fn carry_out(&self, resources: &mut Resources) {
        resources.remove_all(&self.consumed);
        resources.add_all(&self.converted);
    }
}

/// Checks what is asked for against the rules and the agent.
pub(crate) fn plan(
    state: &State,
    agent: AgentId,
    asker: &Asker,
    request: &Request,
) -> Result<Plan, ConversionError> {
    let agent = match state.agents.get(&agent) {
        Some(agent) if agent.is_active() => &**agent,
        Some(_) | None => return Err(ConversionError::AgentAway),
    };
    match request {
        Request::Reserve(given) => reserve::plan(asker, opened(given)?),
        Request::Rereserve(given) => {
            let (source, target) = given.as_ref().map_err(unreadable)?;
            reserve::plan_again(asker, source, target)
        }
        Request::Unreserve(given) => unreserve::plan(opened(given)?),
        Request::Create(given) => create::plan(agent, asker, opened(given)?),
        Request::Destroy(given) => destroy::plan(agent, opened(given)?),
        Request::Grow(given) => {
            let (volume, addition) = given.as_ref().map_err(unreadable)?;
            resize::plan_grow(volume, addition)
        }
        Request::Shrink(given) => {
            let (volume, by) = given.as_ref().map_err(unreadable)?;
            resize::plan_shrink(volume, *by)
        }
        Request::Unsupported(name) => Err(ConversionError::Unsupported(name)),
    }
}

/// What is named, which must be something.
fn opened(given: &Given) -> Result<&Resources, ConversionError> {
    let named = given.as_ref().map_err(unreadable)?;
    if named.is_empty() { Err(ConversionError::Nothing) } else { Ok(named) }
}

fn unreadable(fault: &Arc<str>) -> ConversionError {
    ConversionError::Unreadable(fault.clone())
}

#[cfg(test)]
mod testing {
    //! An agent, a framework in role `eng/web` that may do all things, and one ACCEPT.

    use crate::capability::framework as capability;
    use crate::offer::Operation;
    use crate::resources::Resources;
    use crate::testing::{World, resources};
    use crate::{AgentId, FrameworkId};

    /// The role of the framework.
    pub(super) const ROLE: &str = "eng/web";

    /// What the agent has.
    pub(super) const AGENT_HAS: &str = "cpus:4;mem:4096;disk:1000;cpus(eng):2;mem(eng):64";

    pub(super) fn world() -> (World, FrameworkId) {
        let mut world = World::new();
        world.agent(AGENT_HAS);
        let framework = subscribe(&mut world, None);
        (world, framework)
    }

    pub(super) fn subscribe(world: &mut World, principal: Option<&str>) -> FrameworkId {
        let mut subscribe = world.subscription(None, &[ROLE]);
        let description = &mut subscribe.description;
        description.capabilities = description.capabilities.with(capability::SHARED_RESOURCES);
        description.principal = principal.map(Into::into);
        world.subscribe(subscribe)
    }

    pub(super) fn total(world: &World) -> Resources {
        world.state.agents[&AgentId(0)].total.clone()
    }

    /// What the agent has after `operations` in one ACCEPT is what it had, less `gone`, plus `come`.
    pub(super) fn check(operations: Vec<Operation>, gone: &Resources, come: &Resources) {
        let (mut world, framework) = world();
        let mut want = total(&world);
        let asked = format!("{operations:?}");
        world.operate(framework, operations);
        assert!(want.take_all(gone), "{want} does not hold {gone}");
        want.add_all(come);
        let found = total(&world);
        assert_eq!(found, want, "{found} is not {want} after {asked}");
    }

    /// `operations` change nothing.
    pub(super) fn check_refused(operations: Vec<Operation>) {
        check(operations, &resources(""), &resources(""));
    }
}
