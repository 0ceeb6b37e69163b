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
        | Event::FrameworkDisconnected(_)
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
        Event::AgentOversubscribed(event) => of(event.id),
        Event::ResourcesConverted(event) => of(event.agent),
        Event::TaskLaunched(event) => of(event.agent),
        Event::GroupLaunched(event) => of(event.agent),
        Event::ExecutorEnded(event) => of(event.key.agent),
        Event::FrameworkStopped(event) => of(event.agent),
        Event::TaskUpdated(event) if event.latest.is_terminal() => {
            state.tasks.get(&event.key).map_or(Wanted::Nothing, |task| of(task.agent))
        }
        _ => Wanted::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use statemachine::agent::Deactivate;
    use statemachine::framework::{Disconnect, Revive, Stopped, Suppress, Teardown};
    use statemachine::maintenance::{Machine, Unavailability, UpdateSchedule, Window};
    use statemachine::offer::Decline;
    use statemachine::testing::World;
    use statemachine::{FrameworkId, TaskState};

    use super::*;

    const AGENT: AgentId = AgentId(0);
    const FRAMEWORK: FrameworkId = FrameworkId(0);

    /// What a step of the world asks for.
    fn check(world: &mut World, step: impl FnOnce(&mut World), expected: &Wanted) {
        let before = world.events.len();
        step(world);
        let mut wanted = Wanted::default();
        wanted.add(&world.state, &world.events[before..]);
        assert_eq!(wanted, *expected, "{:?}", &world.events[before..]);
    }

    fn decline(world: &mut World) {
        let (framework, offers) = (FRAMEWORK, world.offers(FRAMEWORK));
        world.must(Decline { framework, offers, refuse_seconds: Some(0.0) });
    }

    fn come_back(world: &mut World) {
        let hello = world.hello(Some(AGENT), "cpus:4;mem:4096");
        world.must(hello);
    }

    fn schedule(world: &mut World) {
        let machines = vec![Machine::new("node", "127.0.0.1")];
        let unavailability = Unavailability { start_ns: 1, duration_ns: None };
        world.must(UpdateSchedule { windows: vec![Window { machines, unavailability }] });
    }

    /// semantics 109, 170 and 324; bettered by gaps 59: what becomes free by itself is offered at once,
    /// too. What is refused waits for the interval.
    #[test]
    fn whoever_brings_or_wants_resources_is_served_at_once() {
        let (nothing, all) = (Wanted::Nothing, Wanted::All);
        let of = Wanted::Agents([AGENT].into());
        let mut world = World::new();
        let world = &mut world;
        check(world, |world| _ = world.agent("cpus:4;mem:4096"), &of);
        check(world, |world| _ = world.framework(&["a"]), &all);
        check(world, World::allocate, &nothing);
        check(world, decline, &nothing);
        check(world, |world| _ = world.launch(FRAMEWORK, "t", "cpus:1;mem:64"), &of);
        let update = |state, number| {
            move |world: &mut World| _ = world.update(FRAMEWORK, "t", state, number)
        };
        check(world, update(TaskState::Running, 1), &nothing);
        check(world, update(TaskState::Finished, 2), &of);
        let (framework, roles) = (FRAMEWORK, Vec::new);
        check(world, |world| _ = world.must(Suppress { framework, roles: roles() }), &nothing);
        check(world, |world| _ = world.must(Revive { framework, roles: roles() }), &all);
        let session = world.state.frameworks[&FRAMEWORK].session().expect("connected");
        check(world, |world| _ = world.must(Disconnect { framework, session }), &all);
        check(world, |world| world.disconnect(AGENT), &nothing);
        check(world, come_back, &of);
        check(world, schedule, &all);
        check(world, |world| _ = world.must(Deactivate { agent: AGENT }), &nothing);
    }

    /// gaps 51
    #[test]
    fn what_lingered_is_offered_at_once() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        world.framework(&["a"]);
        world.launch(FRAMEWORK, "t", "cpus:1;mem:64");
        world.must(Teardown { framework: FRAMEWORK });
        let session = world.state.agents[&AGENT].session().expect("connected");
        let stopped = Stopped { agent: AGENT, session, framework: "c-0000".into() };
        let of = Wanted::Agents([AGENT].into());
        check(&mut world, |world| _ = world.must(stopped), &of);
    }

    /// semantics 171
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
