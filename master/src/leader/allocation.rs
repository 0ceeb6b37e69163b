//! When an allocation is due before its time: resources came, or became free by themselves, or a
//! framework wants them (semantics 170).

use std::collections::BTreeSet;

use statemachine::allocator::Allocate;
use statemachine::{AgentId, Event, State};

/// What the next allocation is to look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: no allocation before the interval is over.
    #[default]
    Nothing,
    /// These agents.
    Agents(BTreeSet<AgentId>),
    /// All of them.
    All,
}

impl Wanted {
    /// What the events of one decision ask for; `state` has them folded in already.
    pub(super) fn add(&mut self, state: &State, events: &[Event]) {
        for event in events {
            self.merge(asked(state, event));
        }
    }

    /// The command that does it; none for no allocation at all.
    pub(super) fn into_command(self) -> Option<Allocate> {
        match self {
            Self::Nothing => None,
            Self::Agents(agents) => Some(Allocate { agents: Some(agents.into_iter().collect()) }),
            Self::All => Some(Allocate { agents: None }),
        }
    }

    fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) | (_, Self::Nothing) => {}
            (Self::Agents(agents), Self::Agents(more)) => agents.extend(more),
            (_, other) => *self = other,
        }
    }
}

/// What one event asks for. Offers given back wait for the interval (semantics 324): a client that
/// refuses all it gets would spin otherwise.
fn asked(state: &State, event: &Event) -> Wanted {
    let of = |agent: AgentId| Wanted::Agents(BTreeSet::from([agent]));
    match event {
        Event::FrameworkSubscribed(_)
        | Event::FrameworkResubscribed(_)
        | Event::FrameworkRemoved(_)
        | Event::FrameworkUpdated(_)
        | Event::WeightsUpdated(_)
        | Event::QuotasUpdated(_)
        | Event::RolesRevived(_)
        | Event::MaintenanceScheduled(_)
        | Event::MachinesUpped(_) => Wanted::All,
        Event::AgentRegistered(event) => of(event.id),
        Event::AgentReregistered(event) => of(event.id),
        Event::AgentReactivated(event) => of(event.id),
        Event::ResourcesConverted(event) => of(event.agent),
        Event::TaskLaunched(event) => of(event.agent),
        Event::GroupLaunched(event) => of(event.agent),
        Event::ExecutorEnded(event) => of(event.key.agent),
        Event::TaskUpdated(event) if event.latest.is_terminal() => {
            state.tasks.get(&event.key).map_or(Wanted::Nothing, |task| of(task.agent))
        }
        _ => Wanted::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_swallows_some_and_some_add_up() {
        let some = |agents: &[u32]| Wanted::Agents(agents.iter().copied().map(AgentId).collect());
        let mut wanted = Wanted::default();
        assert_eq!(std::mem::take(&mut wanted).into_command(), None);
        wanted.merge(some(&[2]));
        wanted.merge(some(&[1, 2]));
        wanted.merge(Wanted::Nothing);
        assert_eq!(wanted, some(&[1, 2]));
        wanted.merge(Wanted::All);
        wanted.merge(some(&[3]));
        assert_eq!(wanted.into_command(), Some(Allocate { agents: None }));
    }
}
