//! Resources (semantics 116 to 134).

use std::sync::Arc;

use prost::Message;
use protocol::resource::{ResourceError, downgrade_all, for_endpoint, upgrade, validate};
use protocol::v1;
use protocol::v1::resource::disk_info::source::Type as SourceType;
use protocol::v1::resource::reservation_info::Type as ReservationType;
use protocol::v1::resource::{AllocationInfo, DiskInfo, ReservationInfo, disk_info};
use protocol::v1::value::Type;
use statemachine::resources::{
    Disk, DiskKind, DiskSource, Name, Persistence, Ranges, Reservation, ReservationKind, Resource,
    Resources, Scalar, Value,
};
use statemachine::{Capabilities, framework_capability};

/// Reads valid resources of any format; what they are allocated to is left aside.
pub(crate) fn read(resources: &[v1::Resource]) -> Result<Resources, ResourceError> {
    resources.iter().map(read_one).collect()
}

fn read_one(resource: &v1::Resource) -> Result<Resource, ResourceError> {
    validate(resource)?;
    let mut resource = resource.clone();
    upgrade(&mut resource);
    Ok(Resource {
        name: Name::from(resource.name.as_str()),
        value: read_value(&resource),
        reservations: resource.reservations.iter().map(read_reservation).collect(),
        disk: resource.disk.as_ref().map(|disk| Arc::new(read_disk(disk))),
        provider: resource.provider_id.as_ref().map(|provider| provider.value.as_str().into()),
        shared: resource.shared.is_some(),
        revocable: resource.revocable.is_some(),
    })
}

fn read_value(resource: &v1::Resource) -> Value {
    if let Some(ranges) = &resource.ranges {
        let ranges = ranges.range.iter().map(|range| (range.begin, range.end));
        return Value::Ranges(Ranges::new(ranges));
    }
    if let Some(set) = &resource.set {
        return Value::Set(set.item.iter().map(|item| item.as_str().into()).collect());
    }
    let scalar = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
    Value::Scalar(Scalar::from_f64(scalar))
}

fn read_reservation(reservation: &ReservationInfo) -> Reservation {
    let kind = match reservation.r#type() {
        ReservationType::Dynamic => ReservationKind::Dynamic,
        ReservationType::Static | ReservationType::Unknown => ReservationKind::Static,
    };
    Reservation {
        kind,
        role: reservation.role().into(),
        principal: reservation.principal.as_deref().map(Into::into),
        labels: encoded(reservation.labels.as_ref()),
    }
}

fn read_disk(disk: &DiskInfo) -> Disk {
    let source = disk.source.as_ref().map(|source| DiskSource {
        kind: match source.r#type() {
            SourceType::Mount => DiskKind::Mount,
            SourceType::Block => DiskKind::Block,
            SourceType::Raw if source.id.is_some() => DiskKind::RawWithId,
            SourceType::Raw => DiskKind::Raw,
            SourceType::Path | SourceType::Unknown => DiskKind::Path,
        },
        payload: source.encode_to_vec().into(),
    });
    let persistence = disk.persistence.as_ref().map(|persistence| Persistence {
        id: persistence.id.as_str().into(),
        principal: persistence.principal.as_deref().map(Into::into),
    });
    Disk { source, persistence, volume: encoded(disk.volume.as_ref()) }
}

fn encoded(message: Option<&impl Message>) -> bytes::Bytes {
    message.map(Message::encode_to_vec).unwrap_or_default().into()
}

/// In the stack format, allocated to `role` if there is one.
pub(crate) fn write(resources: &Resources, role: Option<&str>) -> Vec<v1::Resource> {
    resources.iter().map(|resource| write_one(resource, role)).collect()
}

/// As a framework with these capabilities understands them (semantics 131).
pub(crate) fn write_for(
    resources: &Resources,
    role: &str,
    capabilities: Capabilities,
) -> Vec<v1::Resource> {
    let multi_role = capabilities.has(framework_capability::MULTI_ROLE);
    let mut written = write(resources, multi_role.then_some(role));
    if !capabilities.has(framework_capability::RESERVATION_REFINEMENT) {
        downgrade_all(&mut written);
    }
    written
}

/// As operators see them: the stack, and the old fields where they can say it (semantics 132).
pub(crate) fn write_for_endpoint(resources: &Resources, role: Option<&str>) -> Vec<v1::Resource> {
    let mut written = write(resources, role);
    written.iter_mut().for_each(for_endpoint);
    written
}

fn write_one(resource: &Resource, role: Option<&str>) -> v1::Resource {
    let mut written = v1::Resource {
        name: resource.name.as_str().to_owned(),
        reservations: resource.reservations.iter().map(write_reservation).collect(),
        disk: resource.disk.as_deref().map(write_disk),
        provider_id: resource.provider.as_deref().map(Into::into),
        shared: resource.shared.then(Default::default),
        revocable: resource.revocable.then(Default::default),
        allocation_info: role.map(|role| AllocationInfo { role: Some(role.to_owned()) }),
        ..v1::Resource::default()
    };
    match &resource.value {
        Value::Scalar(scalar) => {
            written.r#type = Type::Scalar as i32;
            written.scalar = Some(v1::value::Scalar { value: scalar.to_f64() });
        }
        Value::Ranges(ranges) => {
            written.r#type = Type::Ranges as i32;
            let range = ranges.iter().map(|(begin, end)| v1::value::Range { begin, end }).collect();
            written.ranges = Some(v1::value::Ranges { range });
        }
        Value::Set(set) => {
            written.r#type = Type::Set as i32;
            let item = set.iter().map(|item| (**item).to_owned()).collect();
            written.set = Some(v1::value::Set { item });
        }
    }
    written
}

fn write_reservation(reservation: &Reservation) -> ReservationInfo {
    let r#type = match reservation.kind {
        ReservationKind::Static => ReservationType::Static,
        ReservationKind::Dynamic => ReservationType::Dynamic,
    };
    ReservationInfo {
        r#type: Some(r#type as i32),
        role: Some(reservation.role.to_string()),
        principal: reservation.principal.as_ref().map(ToString::to_string),
        labels: decoded(&reservation.labels),
    }
}

fn write_disk(disk: &Disk) -> DiskInfo {
    DiskInfo {
        persistence: disk.persistence.as_ref().map(|persistence| disk_info::Persistence {
            id: persistence.id.to_string(),
            principal: persistence.principal.as_ref().map(ToString::to_string),
        }),
        volume: decoded(&disk.volume),
        source: disk.source.as_ref().map(|source| super::decode_own(&source.payload)),
    }
}

fn decoded<M: Message + Default>(payload: &[u8]) -> Option<M> {
    (!payload.is_empty()).then(|| super::decode_own(payload))
}

#[cfg(test)]
#[expect(deprecated, reason = "the old format lives in deprecated fields")]
mod tests {
    use super::*;
    use statemachine::Role;

    fn parse(text: &str) -> Vec<v1::Resource> {
        protocol::resource::parse(text, "*").expect("resources")
    }

    fn check_round_trip(resources: &[v1::Resource]) {
        let read_once = read(resources).expect("valid");
        let written = write(&read_once, None);
        assert_eq!(read(&written).expect("valid"), read_once, "{written:?}");
    }

    #[test]
    fn resources_survive_the_core() {
        check_round_trip(&parse("cpus:1.5;mem:512;ports:[1-10,20-30];things:{a,b};cpus(role):2"));
        let reserved = r#"[{"name":"disk","type":"SCALAR","scalar":{"value":64},
            "reservations":[{"type":"STATIC","role":"a"},
                {"type":"DYNAMIC","role":"a/b","principal":"p",
                 "labels":{"labels":[{"key":"k","value":"v"}]}}],
            "disk":{"persistence":{"id":"v1","principal":"p"},
                "volume":{"mode":"RW","container_path":"data"}}}]"#;
        check_round_trip(&parse(reserved));
        let written = write(&read(&parse(reserved)).expect("valid"), None);
        assert_eq!(written, parse(reserved));
    }

    /// semantics 86
    #[test]
    fn both_formats_of_a_reservation_are_one() {
        let cpus = |rest: &str| {
            let text =
                format!(r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}},{rest}}}"#);
            read(&[protocol::json::from_slice(text.as_bytes()).expect("a resource")])
        };
        let old = cpus(r#""role":"a","reservation":{"principal":"p"}"#);
        let new = cpus(r#""reservations":[{"type":"DYNAMIC","role":"a","principal":"p"}]"#);
        assert!(old.is_ok() && old == new, "{old:?} {new:?}");
        let old = cpus(r#""role":"a""#);
        let new = cpus(r#""reservations":[{"type":"STATIC","role":"a"}]"#);
        assert!(old.is_ok() && old == new, "{old:?} {new:?}");
        assert!(cpus(r#""role":"*","reservation":{}"#).is_err(), "checked before it is converted");
    }

    /// semantics 134
    #[test]
    fn raw_disks_with_an_id_stay_apart() {
        let raw = |id: &str| {
            format!(
                r#"{{"name":"disk","type":"SCALAR","scalar":{{"value":8}},
                    "disk":{{"source":{{"type":"RAW"{id}}}}}}}"#
            )
        };
        let sum = |id: &str| {
            let both = parse(&format!("[{},{}]", raw(id), raw(id)));
            read(&both).expect("valid")
        };
        assert_eq!(sum("").len(), 1);
        let apart = sum(r#","id":"x""#);
        assert_eq!(apart.len(), 2);
        let smaller = raw(r#","id":"x""#).replace(":8}", ":4}");
        let smaller = read(&parse(&format!("[{smaller}]"))).expect("valid");
        assert!(!apart.contains(&smaller), "they are not split either");
    }

    /// semantics 121, 131, 132
    #[test]
    fn each_reader_gets_the_format_it_understands() {
        let resources = read(&parse("cpus(eng):1;mem:32")).expect("valid");
        let old = write_for(&resources, "eng", Capabilities::default());
        assert!(old.iter().all(|it| it.reservations.is_empty() && it.allocation_info.is_none()));
        let roles: Vec<_> = old.iter().map(v1::Resource::role).collect();
        assert!(roles.contains(&"eng") && roles.contains(&"*"), "{roles:?}");

        let capabilities = Capabilities::default()
            .with(framework_capability::MULTI_ROLE)
            .with(framework_capability::RESERVATION_REFINEMENT);
        let new = write_for(&resources, "eng", capabilities);
        let role = |it: &v1::Resource| it.allocation_info.as_ref().map(|it| it.role().to_owned());
        assert!(new.iter().all(|it| it.role.is_none() && role(it).as_deref() == Some("eng")));

        let stack = r#"[{"name":"cpus","type":"SCALAR","scalar":{"value":1},
            "reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]}]"#;
        let refined = read(&parse(stack)).expect("valid");
        assert!(write_for(&refined, "a/b", Capabilities::default()).is_empty());
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let none = v1::Resource::scalar("cpus", 0.0001);
        assert!(read(&[none]).is_err());
        let reserved =
            v1::Resource { role: Some("//".into()), ..v1::Resource::scalar("cpus", 1.0) };
        assert!(read(&[reserved]).is_err());
        assert_eq!(
            Role::from("a"),
            read(&parse("cpus(a):1")).expect("valid").iter().next().expect("one").reservations[0]
                .role
        );
    }
}
