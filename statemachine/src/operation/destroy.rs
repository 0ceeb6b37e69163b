//! DESTROY: persistent volumes, with all that is in them, become reserved disk space again.

use super::{Conversion, ConversionError, Plan, Stock};
use crate::agent::Agent;
use crate::draft::Draft;
use crate::id::OfferId;
use crate::offer::OffersRescinded;
use crate::resources::{Resource, Resources};
use crate::state::State;

/// Destroys each volume named, which nobody may use (semantics 163).
pub(super) fn plan(agent: &Agent, named: &Resources) -> Result<Plan, ConversionError> {
    for volume in named {
        let is_volume = |held: &Resource| held == volume;
        if volume.volume_id().is_none() {
            return Err(ConversionError::NotVolume(volume.clone()));
        }
        if !agent.total.iter().any(is_volume) {
            return Err(ConversionError::VolumeUnknown(volume.clone()));
        }
        if agent.used.iter().any(is_volume) {
            return Err(ConversionError::VolumeInUse(volume.clone()));
        }
    }
    if !agent.total.contains(named) {
        return Err(ConversionError::NotOffered(named.clone()));
    }
    let converted = named.iter().map(Resource::without_volume).collect();
    Ok(Plan { kind: Conversion::Destroy, consumed: named.clone(), converted })
}

/// Takes all other copies of shared volumes back: nothing they are offered in is worth anything once
/// they are gone (semantics 99).
pub(super) fn withdraw(draft: &mut Draft<'_>, stock: &mut Stock, volumes: &Resources) {
    let offers = offers_of(draft.state(), stock, volumes);
    if !offers.is_empty() {
        draft.record(OffersRescinded { offers });
    }
    // several offers of a shared volume may be in hand
    let copies = |rest: &Resources| rest.filtered(|held| volumes.iter().any(|it| it == held));
    let extra = copies(&stock.rest).without(volumes);
    stock.rest.remove_all(&extra);
    stock.converted.remove_all(&copies(&stock.converted));
}

fn offers_of(state: &State, stock: &Stock, volumes: &Resources) -> Vec<OfferId> {
    let agent = state.agents.get(&stock.agent);
    let offers = agent.into_iter().flat_map(|agent| &agent.offers);
    offers
        .filter(|offer| {
            let offer = state.offers.get(*offer);
            let mut held = offer.into_iter().flat_map(|offer| &offer.resources);
            held.any(|held| volumes.iter().any(|volume| volume == held))
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::super::testing::{ROLE, check, check_refused, subscribe, total, world};
    use crate::offer::Operation;
    use crate::resources::Resources;
    use crate::testing::{World, command_task, plus, reserved, resources, shared, volume};
    use crate::{AgentId, FrameworkId, TaskState};

    fn made(volume: &Resources) -> Vec<Operation> {
        let space = reserved(&resources("disk:64"), ROLE);
        vec![Operation::reserve(Ok(space)), Operation::create(Ok(volume.clone()))]
    }

    /// A world with this volume, which a running task uses.
    fn used(volume: &Resources) -> (World, FrameworkId) {
        let (mut world, framework) = world();
        let mut task = command_task("t", AgentId(0), "cpus:1;mem:32");
        task.resources.add_all(volume);
        let mut operations = made(volume);
        operations.push(Operation::Launch(vec![task]));
        world.operate(framework, operations);
        (world, framework)
    }

    #[test]
    fn a_volume_becomes_reserved_space_again() {
        for volume in [volume("v", ROLE, 64), shared(&volume("v", ROLE, 64))] {
            let mut operations = made(&volume);
            operations.push(Operation::destroy(Ok(volume)));
            check(operations, &resources("disk:64"), &reserved(&resources("disk:64"), ROLE));
        }
    }

    /// semantics 163
    #[test]
    fn only_volumes_that_are_there_can_be_destroyed() {
        check_refused(vec![Operation::destroy(Ok(volume("v", ROLE, 64)))]);
        check_refused(vec![Operation::destroy(Ok(resources("cpus:1")))]);
        check_refused(vec![Operation::destroy(Ok(resources("")))]);
        let mut operations = made(&volume("v", ROLE, 64));
        operations.push(Operation::destroy(Ok(volume("v", ROLE, 63))));
        check(operations, &resources("disk:64"), &volume("v", ROLE, 64));
    }

    /// semantics 163
    #[test]
    fn a_volume_in_use_stays_until_its_task_is_over() {
        let volume = shared(&volume("v", ROLE, 64));
        let (mut world, framework) = used(&volume);
        let destroy = Request::Destroy(Ok(volume.clone()));
        world.operate(framework, vec![Operation::Convert(destroy, Some("id".into()))]);
        assert!(total(&world).contains(&volume));
        let told = format!("{:?}", world.told(framework));
        assert!(told.contains("Persistent volumes in use: disk(eng/web)[v]:64"), "{told}");
        world.update(framework, "t", TaskState::Finished, 1).expect("taken");
        world.operate(framework, vec![Operation::destroy(Ok(volume.clone()))]);
        assert!(!total(&world).contains(&volume));
    }

    /// semantics 99
    #[test]
    fn other_offers_of_a_shared_volume_are_rescinded() {
        let (mut world, framework) = world();
        let volume = shared(&volume("v", ROLE, 64));
        // its task leaves the volume to be offered to two frameworks
        let mut operations = made(&volume);
        operations.push(Operation::Launch(vec![command_task("t", AgentId(0), "cpus:1;mem:32")]));
        world.operate(framework, operations);
        world.allocate();
        let mine = world.offers(framework);
        world.update(framework, "t", TaskState::Finished, 1).expect("taken");
        let other = subscribe(&mut world, None);
        world.allocate();
        let theirs = world.offers(other);
        let holds = |world: &World, offer| world.state.offers[offer].resources.contains(&volume);
        assert!(holds(&world, &mine[0]) && holds(&world, &theirs[0]));
        world.accept(framework, &mine, vec![Operation::destroy(Ok(volume.clone()))]);
        assert_eq!(world.offers(other), []);
        assert!(!total(&world).contains(&volume));
        assert!(
            total(&world)
                .contains(&plus(&resources("cpus:4"), &reserved(&resources("disk:64"), ROLE)))
        );
    }
}
