//! CREATE: reserved disk space becomes persistent volumes, which outlive the tasks that use them.

use std::collections::BTreeSet;

use super::{Asker, Conversion, ConversionError, Plan};
use crate::agent::Agent;
use crate::resources::{Name, Resource, Resources};

/// Turns space into each volume named (semantics 126, 128 and 162).
pub(super) fn plan(
    agent: &Agent,
    asker: &Asker,
    named: &Resources,
) -> Result<Plan, ConversionError> {
    let mut taken: BTreeSet<_> = agent.total.iter().filter_map(Resource::volume_id).collect();
    let role = named.iter().next().and_then(Resource::role);
    for volume in named {
        let (Some(owner), Some(id)) = (volume.role(), volume.volume_id()) else {
            return Err(ConversionError::NotVolume(volume.clone()));
        };
        check_one(volume, asker)?;
        if let Some(role) = role.filter(|role| *role != owner) {
            let role = role.clone();
            return Err(ConversionError::OtherRole { resource: volume.clone(), role });
        }
        if !taken.insert(id) {
            return Err(ConversionError::VolumeExists { id: id.1.clone(), role: owner.clone() });
        }
    }
    let consumed = named.iter().map(Resource::without_volume).collect();
    Ok(Plan { kind: Conversion::Create, consumed, converted: named.clone() })
}

fn check_one(volume: &Resource, asker: &Asker) -> Result<(), ConversionError> {
    let refused = || volume.clone();
    let mount = volume.disk.as_ref().is_some_and(|disk| !disk.volume.is_empty());
    if volume.name != Name::Disk || !mount {
        return Err(ConversionError::NotVolume(refused()));
    }
    if volume.revocable {
        return Err(ConversionError::Revocable(refused()));
    }
    if volume.shared && !asker.may_share() {
        return Err(ConversionError::NotCapable(refused()));
    }
    let creator = volume.disk.as_ref().and_then(|disk| disk.persistence.as_ref());
    let creator = creator.and_then(|persistence| persistence.principal.as_ref());
    match asker.principal() {
        Some(principal) if creator != Some(principal) => {
            let principal = principal.clone();
            Err(ConversionError::OtherPrincipal { resource: refused(), principal })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::super::testing::{ROLE, check, subscribe, total, world};
    use crate::offer::Operation;
    use crate::resources::{Disk, Resource, Resources};
    use crate::testing::{World, command_task, plus, reserved, resources, shared, volume};
    use crate::{AgentId, TaskKey};

    fn reserve() -> Operation {
        Operation::reserve(Ok(reserved(&resources("disk:200"), ROLE)))
    }

    /// RESERVE of 200 MB and then each CREATE; `come` volumes are made of `used` MB.
    fn check_created(creates: &[Resources], come: &Resources, used: u32) {
        let creates = creates.iter().cloned().map(|volumes| Operation::create(Ok(volumes)));
        let operations = [reserve()].into_iter().chain(creates).collect();
        let left = reserved(&resources(&format!("disk:{}", 200 - used)), ROLE);
        check(operations, &resources("disk:200"), &plus(&left, come));
    }

    fn altered(volume: &Resources, change: impl Fn(&mut Resource)) -> Resources {
        let alter = |resource: &Resource| {
            let mut resource = resource.clone();
            change(&mut resource);
            resource
        };
        volume.iter().map(alter).collect()
    }

    fn with_disk(volume: &Resources, change: impl Fn(&mut Disk)) -> Resources {
        altered(volume, |resource| {
            if let Some(disk) = resource.disk.as_mut() {
                change(Arc::make_mut(disk));
            }
        })
    }

    #[test]
    fn reserved_space_becomes_volumes() {
        let volumes = plus(&volume("a", ROLE, 50), &shared(&volume("b", ROLE, 60)));
        check_created(std::slice::from_ref(&volumes), &volumes, 110);
    }

    /// semantics 128
    #[test]
    fn an_id_is_used_once_per_role_and_agent() {
        let (first, second) = (volume("a", ROLE, 50), volume("a", ROLE, 60));
        check_created(&[first.clone(), second.clone()], &first, 50);
        check_created(&[plus(&first, &second)], &resources(""), 0);
    }

    /// semantics 126, 162
    #[test]
    fn volumes_are_described_whole() {
        let whole = volume("a", ROLE, 50);
        let faults = [
            with_disk(&whole, |disk| disk.persistence = None),
            with_disk(&whole, |disk| disk.volume = Bytes::new()),
            altered(&whole, |resource| resource.revocable = true),
            altered(&whole, |resource| resource.name = "mem".into()),
            altered(&whole, |resource| resource.reservations = Arc::default()),
            altered(&whole, |resource| resource.disk = None),
            plus(&whole, &volume("b", "eng", 50)),
            volume("a", ROLE, 201),
            resources(""),
        ];
        for fault in faults {
            check_created(&[fault], &resources(""), 0);
        }
    }

    /// semantics 162
    #[test]
    fn the_creator_is_who_the_framework_is() {
        for (principal, made) in [(None, false), (Some("dev"), false), (Some("ops"), true)] {
            let mut world = World::new();
            world.agent("cpus:4;mem:4096;disk(eng):100");
            let framework = subscribe(&mut world, Some("ops"));
            let volume = altered(&volume("a", "eng", 50), |resource| {
                resource.reservations =
                    resources("disk(eng):50").iter().next().expect("one").reservations.clone();
            });
            let volume = with_disk(&volume, |disk| {
                let persistence = disk.persistence.as_mut().expect("a volume");
                persistence.principal = principal.map(Into::into);
            });
            world.operate(framework, vec![Operation::create(Ok(volume.clone()))]);
            assert_eq!(total(&world).contains(&volume), made, "{principal:?}");
        }
    }

    /// semantics 162
    #[test]
    fn only_those_who_know_of_shared_volumes_make_them() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096;disk:1000");
        let framework = world.framework(&[ROLE]); // without SHARED_RESOURCES
        let volume = shared(&volume("a", ROLE, 50));
        world.operate(framework, vec![reserve(), Operation::create(Ok(volume.clone()))]);
        assert!(!total(&world).contains(&volume));
    }

    /// semantics 98
    #[test]
    fn one_accept_reserves_creates_and_launches() {
        let (mut world, framework) = world();
        let volume = volume("data", ROLE, 100);
        let mut task = command_task("db", AgentId(0), "cpus:1;mem:128");
        task.resources.add_all(&volume);
        let operations =
            vec![reserve(), Operation::create(Ok(volume.clone())), Operation::Launch(vec![task])];
        world.operate(framework, operations);
        let key = TaskKey { framework, task: "db".into() };
        assert!(world.state.tasks[&key].resources.contains(&volume));
        assert!(!world.state.agents[&AgentId(0)].free().contains(&volume));
    }
}
