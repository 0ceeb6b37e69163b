//! The laws of the algebra, tried on random sums of few kinds, so that kinds often meet.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    Disk, DiskKind, DiskSource, Name, Persistence, Ranges, Reservation, ReservationKind, Resource,
    Resources, Scalar, Value,
};

fn reserved(roles: &[&str]) -> Arc<[Reservation]> {
    let entry = |role: &&str| Reservation {
        kind: ReservationKind::Dynamic,
        role: (*role).into(),
        principal: None,
        labels: Bytes::new(),
    };
    roles.iter().map(entry).collect()
}

fn disk(kind: Option<DiskKind>, volume: Option<u8>) -> Arc<Disk> {
    let source = kind.map(|kind| DiskSource { kind, payload: Bytes::from_static(b"source") });
    let persistence = volume.map(|id| Persistence { id: format!("v{id}").into(), principal: None });
    Arc::new(Disk { source, persistence, volume: Bytes::new() })
}

fn any_disk() -> impl Strategy<Value = (Option<Arc<Disk>>, bool)> {
    prop_oneof![
        3 => Just((None, false)),
        1 => Just((Some(disk(Some(DiskKind::Path), None)), false)),
        1 => Just((Some(disk(Some(DiskKind::Mount), None)), false)),
        1 => Just((Some(disk(Some(DiskKind::RawWithId), None)), false)),
        2 => (0u8..2, any::<bool>()).prop_map(|(id, shared)| (Some(disk(None, Some(id))), shared)),
    ]
}

fn any_value() -> impl Strategy<Value = (Name, Value)> {
    let range = (0u64..30, 0u64..5).prop_map(|(begin, length)| (begin, begin + length));
    prop_oneof![
        3 => (-1i64..5).prop_map(|n| (Name::Cpus, Value::Scalar(Scalar(n * 700)))),
        3 => (0i64..4).prop_map(|n| (Name::Disk, Value::Scalar(Scalar(n * 1000)))),
        2 => prop::collection::vec(range, 0..4)
            .prop_map(|ranges| (Name::Ports, Value::Ranges(Ranges::new(ranges)))),
        1 => prop::collection::btree_set((0u8..4).prop_map(|n| n.to_string().into()), 0..3)
            .prop_map(|items| (Name::from("names"), Value::Set(items))),
    ]
}

fn any_resource() -> impl Strategy<Value = Resource> {
    let stacks =
        prop_oneof![Just(reserved(&[])), Just(reserved(&["a"])), Just(reserved(&["a", "a/b"]))];
    (any_value(), stacks, any_disk(), any::<bool>()).prop_map(
        |((name, value), reservations, (disk, shared), revocable)| {
            let (disk, shared) = if name == Name::Disk { (disk, shared) } else { (None, false) };
            Resource { name, value, reservations, disk, provider: None, shared, revocable }
        },
    )
}

fn any_parts() -> impl Strategy<Value = Vec<Resource>> {
    prop::collection::vec(any_resource(), 0..12)
}

/// Nothing that is counted: that is in a sum more than once.
fn any_plain() -> impl Strategy<Value = Vec<Resource>> {
    any_parts().prop_map(|parts| {
        let is_plain = |it: &Resource| !it.shared && !it.is_indivisible();
        parts.into_iter().filter(is_plain).collect()
    })
}

fn sum(parts: &[Resource]) -> Resources {
    parts.iter().cloned().collect()
}

fn plus(a: &Resources, b: &Resources) -> Resources {
    let mut sum = a.clone();
    sum.add_all(b);
    sum
}

/// Whether `a` and `b` have no range number or set item in common; where they have, adding is a
/// union and cannot be undone.
fn disjoint(a: &Resources, b: &Resources) -> bool {
    let union = plus(a, b);
    union.without(b) == *a && union.without(a) == *b
}

/// The same without scalars and volumes, whose sums can always be undone.
fn numbered(resources: &Resources) -> Resources {
    resources.filtered(|resource| !matches!(resource.value, Value::Scalar(_)))
}

/// semantics 134: where a disk is mounted is no part of what it is; each task may mount it somewhere else.
#[test]
fn a_volume_is_the_same_wherever_it_is_mounted() {
    let here = crate::testing::volume("v", "a", 64);
    let elsewhere = |it: &Resource| {
        let disk = it.disk.as_deref().cloned().unwrap_or_default();
        let disk = Disk { volume: Bytes::from_static(b"elsewhere"), ..disk };
        Resource { disk: Some(Arc::new(disk)), ..it.clone() }
    };
    let there: Resources = here.iter().map(elsewhere).collect();
    assert!(here.contains(&there));
    assert!(here.without(&there).is_empty());
}

/// semantics 174: of what is shared, what several have counts once.
#[test]
fn shared_volumes_count_once() {
    let shared = crate::testing::shared(&crate::testing::volume("v", "a", 64));
    let mut held = crate::testing::resources("cpus:1;disk:10");
    for _ in 0..3 {
        held.add_all(&shared);
    }
    assert_eq!(held.scalar(&Name::Disk), Scalar(3 * 64_000 + 10_000));
    assert_eq!(held.distinct().scalar(&Name::Disk), Scalar(64_000 + 10_000));
}

proptest! {
    #[test]
    fn the_order_of_adding_does_not_matter(
        (parts, shuffled) in any_parts().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
    ) {
        prop_assert_eq!(sum(&parts), sum(&shuffled));
        let mut singly = Resources::default();
        for resource in &shuffled {
            singly.add(resource);
        }
        prop_assert_eq!(sum(&parts), singly);
    }

    #[test]
    fn addition_commutes_and_associates(a in any_parts(), b in any_parts(), c in any_parts()) {
        let (a, b, c) = (sum(&a), sum(&b), sum(&c));
        prop_assert_eq!(plus(&a, &b), plus(&b, &a));
        prop_assert_eq!(plus(&plus(&a, &b), &c), plus(&a, &plus(&b, &c)));
    }

    #[test]
    fn what_was_added_can_be_taken_out(a in any_parts(), b in any_parts()) {
        let (a, b) = (sum(&a), sum(&b));
        let both = plus(&a, &b);
        prop_assert!(both.contains(&a) && both.contains(&b));
        if disjoint(&numbered(&a), &numbered(&b)) {
            let mut rest = both.clone();
            prop_assert!(rest.take_all(&b));
            prop_assert_eq!(&rest, &a);
            prop_assert_eq!(both.without(&b), a);
        }
    }

    #[test]
    fn what_is_contained_can_be_taken_and_added_again(a in any_parts(), b in any_parts()) {
        let (a, b) = (sum(&a), sum(&b));
        let mut rest = a.clone();
        let taken = rest.take_all(&b);
        prop_assert_eq!(taken, a.contains(&b));
        prop_assert_eq!(plus(&rest, &if taken { b } else { Resources::default() }), a);
    }

    #[test]
    fn one_by_one_is_as_good_as_all_at_once(a in any_parts(), b in any_parts()) {
        let (a, b) = (sum(&a), sum(&b));
        let mut singly = a.clone();
        for resource in &b {
            singly.take(resource);
        }
        prop_assert_eq!(&singly, &a.without(&b));
        let mut rest = a.clone();
        prop_assert_eq!(b.iter().all(|resource| rest.take(resource)), a.contains(&b));
    }

    #[test]
    fn a_union_holds_both_and_no_more(a in any_plain(), b in any_plain()) {
        let (a, b) = (sum(&a), sum(&b));
        let union = a.united(&b);
        prop_assert!(union.contains(&a) && union.contains(&b), "{union}");
        prop_assert_eq!(&union, &b.united(&a));
        prop_assert_eq!(a.united(&a), a.clone());
        if a.contains(&b) {
            prop_assert_eq!(&union, &a);
        }
        prop_assert!(plus(&a, &b).contains(&union), "{union}");
    }

    #[test]
    fn any_list_decodes_into_the_normal_form(parts in any_parts()) {
        let bytes = rmp_serde::to_vec_named(&parts).expect("encodes");
        let decoded: Resources = rmp_serde::from_slice(&bytes).expect("decodes");
        prop_assert_eq!(&decoded, &sum(&parts));
        let again = rmp_serde::to_vec_named(&decoded).expect("encodes");
        let list: Vec<Resource> = rmp_serde::from_slice(&again).expect("decodes");
        prop_assert_eq!(&list, &*decoded.0);
    }

    /// semantics 133, 134
    #[test]
    fn volumes_are_counted_and_never_split(parts in any_parts()) {
        let sum = sum(&parts);
        let whole = |it: &&Resource| it.is_indivisible() && !matches!(it.value, Value::Scalar(Scalar(0)));
        prop_assert_eq!(sum.iter().filter(whole).count(), parts.iter().filter(whole).count());
        for volume in sum.iter().filter(whole) {
            let half = Value::Scalar(Scalar(volume.value.thousandths() / 2));
            let smaller = Resource { value: half, ..volume.clone() };
            let there = sum.iter().any(|it| *it == smaller);
            prop_assert_eq!(sum.clone().take(&smaller), there);
        }
    }

    #[test]
    fn no_value_is_too_large(thousandths in prop::collection::vec(any::<i64>(), 1..5)) {
        let values = thousandths.iter().map(|n| Resource {
            value: Value::Scalar(Scalar(*n)),
            ..crate::testing::resources("cpus:1").iter().next().expect("one").clone()
        });
        let mut sum: Resources = values.collect();
        let total = sum.scalar(&Name::Cpus);
        prop_assert!(total >= Scalar(0));
        prop_assert!(sum.clone().take_all(&sum.clone()));
        sum.remove_all(&sum.clone());
        prop_assert!(sum.is_empty());
    }
}
