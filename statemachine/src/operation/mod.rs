//! Operations that convert resources: reservations made and undone, persistent volumes created and
//! destroyed (semantics I). What they make can be used by later operations of the same ACCEPT
//! (semantics 98).

mod convert;
mod create;
mod destroy;
mod fault;
mod reserve;
mod unreserve;

use std::sync::Arc;

pub use convert::{Conversion, ResourcesConverted};
pub(crate) use create::create;
pub(crate) use destroy::destroy;
pub use fault::ConversionError;
pub(crate) use reserve::reserve;
pub(crate) use unreserve::unreserve;

use crate::agent::Agent;
use crate::offer::Hand;
use crate::resources::Resources;
use crate::state::State;

/// The resources that an operation names, or why they could not be read.
pub(crate) type Given = Result<Resources, Arc<str>>;

/// What is named, and the agent that it must be on.
fn opened<'a>(
    state: &'a State,
    hand: &Hand,
    given: &'a Given,
) -> Result<(&'a Resources, &'a Agent), ConversionError> {
    let named = given.as_ref().map_err(|fault| ConversionError::Unreadable(fault.clone()))?;
    if named.is_empty() {
        return Err(ConversionError::Nothing);
    }
    match state.agents.get(&hand.agent) {
        Some(agent) if agent.is_active() => Ok((named, agent)),
        Some(_) | None => Err(ConversionError::AgentAway),
    }
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
