//! RESERVE: resources are held for the role that was offered them, or that an operator names.

use super::{Asker, Conversion, ConversionError, Plan};
use crate::resources::{ReservationKind, Resource, Resources};

/// Pushes the last reservation of each resource named (semantics 159, 122 and 127).
pub(super) fn plan(asker: &Asker, named: &Resources) -> Result<Plan, ConversionError> {
    check(asker, named)?;
    let consumed = named.iter().map(Resource::unreserved).collect();
    Ok(Plan { kind: Conversion::Reserve, consumed, converted: named.clone() })
}

/// Makes resources that are reserved for some roles, or for none, reserved for others.
pub(super) fn plan_again(
    asker: &Asker,
    source: &Resources,
    target: &Resources,
) -> Result<Plan, ConversionError> {
    if let Asker::Framework(..) = asker {
        return Err(ConversionError::Rereserved);
    }
    check(asker, target)?;
    if let Some(volume) = source.iter().find(|it| it.volume_id().is_some()) {
        return Err(ConversionError::IsVolume(volume.clone()));
    }
    let original = |some: &Resources| some.iter().map(Resource::original).collect::<Resources>();
    if source.is_empty() || original(source) != original(target) {
        return Err(ConversionError::OtherAmount(target.clone()));
    }
    let (consumed, converted) = (source.clone(), target.clone());
    Ok(Plan { kind: Conversion::Reserve, consumed, converted })
}

fn check(asker: &Asker, named: &Resources) -> Result<(), ConversionError> {
    if let Asker::Framework(framework, role) = asker
        && !framework.roles.contains(role)
    {
        return Err(ConversionError::NotSubscribed(role.clone()));
    }
    let provider = named.iter().next().and_then(|first| first.provider.clone());
    for resource in named {
        check_one(resource, asker)?;
        if resource.provider != provider {
            return Err(ConversionError::OtherProvider(resource.clone()));
        }
    }
    Ok(())
}

fn check_one(resource: &Resource, asker: &Asker) -> Result<(), ConversionError> {
    let refused = || resource.clone();
    let Some(last) = resource.dynamic_reservation().filter(|last| &*last.role != "*") else {
        return Err(ConversionError::NotReserved(refused()));
    };
    if let Asker::Framework(_, role) = asker
        && last.role != *role
    {
        return Err(ConversionError::OtherRole { resource: refused(), role: role.clone() });
    }
    let stack = resource.reservations.windows(2);
    let mut refined = stack.map(|pair| {
        pair[1].kind == ReservationKind::Dynamic && pair[1].role.is_below(&pair[0].role)
    });
    if !refined.all(|refined| refined) {
        return Err(ConversionError::NotRefined(refused()));
    }
    if let Some(principal) =
        asker.principal().filter(|principal| last.principal.as_ref() != Some(*principal))
    {
        let principal = principal.clone();
        return Err(ConversionError::OtherPrincipal { resource: refused(), principal });
    }
    if resource.revocable {
        return Err(ConversionError::Revocable(refused()));
    }
    if resource.volume_id().is_some() || resource.shared {
        return Err(ConversionError::IsVolume(refused()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::super::testing::{ROLE, check, check_refused, subscribe, total, world};
    use crate::offer::Operation;
    use crate::resources::{Reservation, Resource, Resources};
    use crate::testing::{World, plus, reserved, resources, volume};

    fn reserve(resources: &Resources) -> Vec<Operation> {
        vec![Operation::reserve(Ok(resources.clone()))]
    }

    /// What it takes to reserve `cpus:1`, changed.
    fn altered(change: impl Fn(&mut Resource)) -> Vec<Operation> {
        let reserved = reserved(&resources("cpus:1"), ROLE);
        let alter = |resource: &Resource| {
            let mut resource = resource.clone();
            change(&mut resource);
            resource
        };
        reserve(&reserved.iter().map(alter).collect())
    }

    /// semantics 159
    #[test]
    fn unreserved_resources_become_reserved() {
        let some = resources("cpus:1;mem:64");
        check(reserve(&reserved(&some, ROLE)), &some, &reserved(&some, ROLE));
    }

    /// semantics 122, 159
    #[test]
    fn reservations_are_refined_downwards() {
        let above = resources("cpus(eng):2");
        check(reserve(&reserved(&above, ROLE)), &above, &reserved(&above, ROLE));
        let twice = reserved(&reserved(&resources("cpus:1"), "eng"), ROLE);
        check_refused(reserve(&twice)); // nothing in hand is dynamically reserved for eng
    }

    /// semantics 87
    #[test]
    fn what_is_not_in_hand_cannot_be_reserved() {
        check_refused(reserve(&reserved(&resources("cpus:4.001"), ROLE)));
        check_refused(reserve(&plus(&resources("cpus:1"), &reserved(&resources("mem:1"), ROLE))));
        check_refused(reserve(&Resources::default()));
        check_refused(vec![Operation::reserve(Err("not readable".into()))]);
    }

    /// semantics 159
    #[test]
    fn only_the_offered_role_can_reserve() {
        check_refused(reserve(&reserved(&resources("cpus:1"), "eng")));
        check_refused(reserve(&reserved(&resources("cpus:1"), "eng/web/deep")));
        check_refused(reserve(&resources("cpus(eng/web):1")));
        check_refused(reserve(&reserved(&reserved(&resources("cpus:1"), "db"), ROLE)));
    }

    /// semantics 121, 159
    #[test]
    fn star_is_never_reserved_for() {
        let mut world = World::new();
        world.agent("cpus:4;mem:4096");
        let framework = world.framework(&["*"]);
        let before = total(&world);
        world.operate(framework, reserve(&reserved(&resources("cpus:1"), "*")));
        assert_eq!(total(&world), before);
    }

    /// semantics 127, 159
    #[test]
    fn some_resources_are_never_reserved() {
        check_refused(altered(|resource| resource.revocable = true));
        check_refused(altered(|resource| resource.shared = true));
        check_refused(reserve(&volume("v", ROLE, 64)));
        let provided = altered(|resource| resource.provider = Some("p".into()));
        let [Operation::Convert(Request::Reserve(Ok(provided)), _)] = &provided[..] else {
            panic!("one operation")
        };
        let mixed = plus(provided, &reserved(&resources("mem:1"), ROLE));
        check_refused(reserve(&mixed));
    }

    /// semantics 159
    #[test]
    fn the_reserver_is_who_the_framework_is() {
        let as_reserver = |principal: Option<&str>| {
            altered(|resource| {
                let stack = resource.reservations.iter().cloned();
                let name = |it| Reservation { principal: principal.map(Into::into), ..it };
                resource.reservations = stack.map(name).collect();
            })
        };
        for (principal, changes) in [(None, false), (Some("dev"), false), (Some("ops"), true)] {
            let mut world = World::new();
            world.agent("cpus:4;mem:4096");
            let framework = subscribe(&mut world, Some("ops"));
            let before = total(&world);
            world.operate(framework, as_reserver(principal));
            assert_eq!(total(&world) != before, changes, "{principal:?}");
        }
    }

    /// semantics 100
    #[test]
    fn what_is_reserved_goes_back_unfiltered() {
        let (mut world, framework) = world();
        world.allocate();
        let offer = world.offers(framework)[0];
        let some = reserved(&resources("cpus:1;mem:64"), ROLE);
        let accept = crate::offer::Accept {
            framework,
            offers: vec![world.reference(offer)],
            operations: reserve(&some),
            refuse_seconds: None,
        };
        world.must(accept);
        assert_eq!(world.state.book.filters.len(), 1, "what was not touched");
        world.allocate();
        let offer = world.offers(framework)[0];
        assert!(world.state.offers[&offer].resources.contains(&some), "semantics 107");
    }
}
