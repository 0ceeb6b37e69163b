//! What can be said about a message without the state: whether it has the shape it must have.

mod call;
mod command;
mod executor;
mod framework;
mod group;
mod task;

use protocol::v1::Resource;
use statemachine::offer::Offer;
use statemachine::{State, agent_capability};

pub(crate) use call::scheduler_call;
pub(crate) use framework::framework;
pub(crate) use group::{group, grouped_task};
pub(crate) use task::{complete, task};

/// What the tasks and operations of one ACCEPT are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// The framework's id on the wire.
    pub(crate) wire_id: &'a str,
    /// The role that the resources are offered for.
    pub(crate) role: &'a str,
    /// Whether the agent can bound tasks above what they request.
    pub(crate) has_limits: bool,
}

impl<'a> Terms<'a> {
    /// What goes with the first of the offers that are taken. Without any, all is refused anyway.
    pub(crate) fn of(state: &State, wire_id: &'a str, offer: Option<&'a Offer>) -> Self {
        let agent = offer.and_then(|offer| state.agents.get(&offer.agent));
        let has_limits = agent.is_some_and(|agent| {
            agent.description.capabilities.has(agent_capability::TASK_RESOURCE_LIMITS)
        });
        Self { wire_id, role: offer.map_or("", |offer| &offer.role), has_limits }
    }
}

/// Resources may say that they are allocated, but only to the role that they are offered for: none
/// if an operator names them (semantics 85, 130, 159).
pub(crate) fn allocation(resources: &[Resource], offered: Option<&str>) -> Result<(), String> {
    for resource in resources {
        let allocated = resource.allocation_info.as_ref().and_then(|it| it.role.as_deref());
        let name = &resource.name;
        match (allocated, offered) {
            (Some(role), Some(offered)) if role != offered => {
                return Err(format!(
                    "resource '{name}' is allocated to role '{role}', and was offered for '{offered}'"
                ));
            }
            (Some(_), None) => {
                return Err(format!(
                    "resource '{name}' has 'allocation_info', which only offered resources have"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// semantics 85, 130, 159
    #[test]
    fn what_is_allocated_is_so_to_the_role_of_the_offer() {
        let check = |allocated: Option<&str>, offered: Option<&str>, fault: &str| {
            let allocation_info = allocated.map(|role| protocol::v1::resource::AllocationInfo {
                role: (!role.is_empty()).then(|| role.to_owned()),
            });
            let resource = Resource { allocation_info, ..Resource::scalar("cpus", 1.0) };
            match allocation(&[Resource::scalar("mem", 1.0), resource], offered) {
                Ok(()) => assert_eq!(fault, "", "{allocated:?} {offered:?}"),
                Err(found) => assert!(!fault.is_empty() && found.contains(fault), "{found}"),
            }
        };
        check(None, Some("a"), "");
        check(Some(""), Some("a"), "");
        check(Some("a"), Some("a"), "");
        check(Some("b"), Some("a"), "'cpus' is allocated to role 'b', and was offered for 'a'");
        check(None, None, "");
        check(Some("a"), None, "'cpus' has 'allocation_info', which only offered resources have");
    }
}
