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
mod retell;
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
pub use retell::Retell;

use crate::agent::Agent;
use crate::capability;
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

impl Request {
    /// The type of the operation, as the wire has it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Reserve(_) | Self::Rereserve(_) => "RESERVE",
            Self::Unreserve(_) => "UNRESERVE",
            Self::Create(_) => "CREATE",
            Self::Destroy(_) => "DESTROY",
            Self::Grow(_) => "GROW_VOLUME",
            Self::Shrink(_) => "SHRINK_VOLUME",
            Self::Unsupported(name) => name,
        }
    }
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
                description.capabilities.has(capability::framework::SHARED_RESOURCES)
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
        Some(agent) if agent.is_reachable() => &**agent,
        Some(_) | None => return Err(ConversionError::AgentAway),
    };
    let plan = plan_on(agent, asker, request)?;
    check_capable(agent, &plan)?;
    Ok(plan)
}

fn plan_on(agent: &Agent, asker: &Asker, request: &Request) -> Result<Plan, ConversionError> {
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

/// Refuses what the agent could not keep (semantics 160, 164).
fn check_capable(agent: &Agent, plan: &Plan) -> Result<(), ConversionError> {
    use capability::agent::{HIERARCHICAL_ROLE, RESERVATION_REFINEMENT, RESIZE_VOLUME};
    let reserves = |kind: fn(&Resource) -> bool| {
        plan.kind == Conversion::Reserve && plan.converted.iter().any(kind)
    };
    let is_below = |it: &Resource| it.reservations.iter().any(|held| held.role.contains('/'));
    let is_stack = |it: &Resource| it.reservations.len() > 1;
    let resizes = matches!(plan.kind, Conversion::Grow | Conversion::Shrink);
    for (needed, number, name) in [
        (reserves(is_below), HIERARCHICAL_ROLE, "HIERARCHICAL_ROLE"),
        (reserves(is_stack), RESERVATION_REFINEMENT, "RESERVATION_REFINEMENT"),
        (resizes, RESIZE_VOLUME, "RESIZE_VOLUME"),
    ] {
        if needed && !agent.description.capabilities.has(number) {
            return Err(ConversionError::AgentNotCapable(name));
        }
    }
    Ok(())
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
mod tests {
    use super::testing::{AGENT_HAS, ROLE, check_error};
    use super::*;
    use crate::capability::Capabilities;
    use crate::offer::Operation;
    use crate::testing::{World, reserved, resources, volume};

    /// semantics 87, 90, 121, 128, 161, 163, 165
    #[test]
    fn who_gave_an_id_hears_why() {
        let space = || Operation::reserve(Ok(reserved(&resources("disk:128"), ROLE)));
        let create = || Operation::create(Ok(volume("v", ROLE, 64)));
        let unreadable = Operation::reserve(Err("cpus is text".into()));
        let words = "Operation attempted with invalid resources: cpus is text";
        check_error(vec![unreadable], words);
        let some = || reserved(&resources("cpus:1"), ROLE);
        let again = Operation::Convert(Request::Rereserve(Ok((some(), some()))), None);
        let words = "Reservation updates are not yet implemented for the scheduler API.";
        check_error(vec![again], words);
        check_error(vec![space(), create(), create()], "Persistence ID 'v' is not unique");
        let unreserve = Operation::unreserve(Ok(volume("v", ROLE, 64)));
        let words = "cannot be unreserved directly. Please destroy the persistent volume first";
        check_error(vec![space(), create(), unreserve], words);
        let destroy = Operation::destroy(Ok(volume("v", ROLE, 64)));
        check_error(vec![destroy], "Persistent volumes not found");
        for name in ["CREATE_DISK", "DESTROY_DISK"] {
            let disk = Operation::Convert(Request::Unsupported(name), None);
            check_error(vec![disk], "needs a resource provider");
        }
    }

    /// semantics 160, 164
    #[test]
    fn agents_are_asked_only_for_what_they_can_keep() {
        use capability::agent::{HIERARCHICAL_ROLE, RESERVATION_REFINEMENT, RESIZE_VOLUME};
        let ask = |missing: i32, request: Request| {
            let mut world = World::new();
            let mut hello = world.hello(None, AGENT_HAS);
            let all = (1..=8).filter(|number| *number != missing);
            hello.description.capabilities = all.fold(Capabilities::default(), Capabilities::with);
            world.must(hello);
            let space = Request::Reserve(Ok(reserved(&resources("disk:128"), "eng")));
            for request in [space, Request::Create(Ok(volume("v", "eng", 64)))] {
                world.must(Operate { agent: Some(AgentId(0)), request });
            }
            world.ask(Operate { agent: Some(AgentId(0)), request })
        };
        let first = |some: &Resources| some.iter().next().expect("one").clone();
        let held = first(&volume("v", "eng", 64));
        let space = first(&reserved(&resources("disk:8"), "eng"));
        let reserve = |text: &str| Request::Reserve(Ok(reserved(&resources(text), ROLE)));
        for (number, name, request) in [
            (HIERARCHICAL_ROLE, "HIERARCHICAL_ROLE", reserve("cpus:1")),
            (RESERVATION_REFINEMENT, "RESERVATION_REFINEMENT", reserve("cpus(eng):1")),
            (RESIZE_VOLUME, "RESIZE_VOLUME", Request::Grow(Ok((held.clone(), space)))),
            (RESIZE_VOLUME, "RESIZE_VOLUME", Request::Shrink(Ok((held, Scalar(8_000))))),
        ] {
            ask(0, request.clone()).expect("done");
            let refused = ask(number, request).expect_err("the agent cannot").to_string();
            assert!(refused.ends_with(&format!("the capability {name}")), "{refused}");
        }
    }
}

#[cfg(test)]
mod testing {
    //! An agent, a framework in role `eng/web` that may do all things, and one ACCEPT.

    use super::{Confirm, OperationState};
    use crate::capability::framework as capability;
    use crate::effect::FrameworkMessage;
    use crate::offer::Operation;
    use crate::resources::Resources;
    use crate::testing::{World, resources};
    use crate::{AgentId, EventNumber, FrameworkId};

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

    /// The agent has done as it was told, up to there.
    pub(super) fn confirm(world: &mut World, directive: u64) {
        let agent = AgentId(0);
        let session = world.state.agents[&agent].session().expect("connected");
        world.must(Confirm { agent, session, directive: EventNumber(directive) });
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

    /// The last of `operations`, which has an id, is refused with a message that says `words`.
    pub(super) fn check_error(mut operations: Vec<Operation>, words: &str) {
        let (mut world, framework) = world();
        if let Some(Operation::Convert(_, id)) = operations.last_mut() {
            *id = Some("the last".into());
        }
        world.operate(framework, operations);
        let told = world.told(framework);
        let Some(FrameworkMessage::OperationUpdated(update)) = told.last() else {
            panic!("{told:?}")
        };
        assert_eq!(update.state, OperationState::Error, "{update:?}");
        let message = update.message.as_deref().unwrap_or_default();
        assert!(message.contains(words), "{message} does not say {words}");
    }

    /// `operations` change nothing.
    pub(super) fn check_refused(operations: Vec<Operation>) {
        check(operations, &resources(""), &resources(""));
    }
}
