//! What `from_slice` finds that prost does not, on bytes made by hand where no encoder would make
//! them.

use super::*;
use crate::v1::{self, master, scheduler};
use prost::Message;

fn missing<M: Message + Default + Checked>(bytes: &[u8]) -> String {
    match from_slice::<M>(bytes).map(|_| ()) {
        Err(ProtobufError::Missing(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn task_id(value: &str) -> v1::TaskId {
    v1::TaskId { value: value.to_owned() }
}

#[test]
fn what_is_written_is_read_again() {
    let status = v1::TaskStatus {
        task_id: task_id("t"),
        state: v1::TaskState::TaskRunning as i32,
        uuid: Some(vec![0, 255]),
        ..v1::TaskStatus::default()
    };
    assert_eq!(from_slice::<v1::TaskStatus>(&to_vec(&status)), Ok(status));
}

#[test]
fn missing_fields_are_named_with_their_paths() {
    assert_eq!(missing::<v1::TaskId>(&[]), "Missing required fields: value");
    assert_eq!(missing::<v1::TaskStatus>(&[]), "Missing required fields: task_id, state");
    // task_id {} and state 1.
    assert_eq!(
        missing::<v1::TaskStatus>(&[0x0a, 0, 0x10, 1]),
        "Missing required fields: task_id.value"
    );
    assert!(from_slice::<master::Call>(&[]).is_ok());
}

#[test]
fn missing_fields_in_map_values_are_found() {
    let task = v1::TaskInfo {
        limits: [("cpus".to_owned(), v1::value::Scalar { value: 1.0 })].into(),
        ..v1::TaskInfo::default()
    };
    assert_eq!(from_slice(&to_vec(&task)), Ok(task));
    // limits { key: "c" value {} }
    let bytes = [0x7a, 5, 0x0a, 1, b'c', 0x12, 0];
    assert!(missing::<v1::TaskInfo>(&bytes).contains("limits.value"));
}

#[test]
fn unknown_enum_values_count_as_unset() {
    let call = scheduler::Call { r#type: Some(999), ..scheduler::Call::default() };
    assert_eq!(from_slice::<scheduler::Call>(&to_vec(&call)), Ok(scheduler::Call::default()));

    let status = v1::TaskStatus { task_id: task_id("t"), state: 999, ..v1::TaskStatus::default() };
    assert_eq!(missing::<v1::TaskStatus>(&to_vec(&status)), "Missing required fields: state");
}

#[test]
fn unknown_enum_values_deep_in_a_message_leave_the_rest_alone() {
    let framework = |number| {
        let capability = |r#type| v1::framework_info::Capability { r#type: Some(r#type) };
        v1::FrameworkInfo {
            user: "u".to_owned(),
            name: "n".to_owned(),
            capabilities: vec![capability(1), capability(number)],
            hostname: Some("h".to_owned()),
            ..v1::FrameworkInfo::default()
        }
    };
    let subscribe = |number| scheduler::Call {
        r#type: Some(1),
        subscribe: Some(scheduler::call::Subscribe {
            framework_info: framework(number),
            suppressed_roles: vec!["r".to_owned()],
            ..scheduler::call::Subscribe::default()
        }),
        ..scheduler::Call::default()
    };
    let read: scheduler::Call = from_slice(&to_vec(&subscribe(-7))).unwrap();
    let mut expected = subscribe(2);
    let info = &mut expected.subscribe.as_mut().unwrap().framework_info;
    info.capabilities[1].r#type = None;
    assert_eq!(read, expected);
}

#[test]
fn packed_enums_lose_what_is_unknown() {
    let known = v1::capability_info::Capability::Chown as i32;
    let mut bytes = vec![0x0a, 0];
    prost::encoding::encode_varint(known as u64, &mut bytes);
    prost::encoding::encode_varint(999_999, &mut bytes);
    bytes[1] = (bytes.len() - 2) as u8;
    let expected = v1::CapabilityInfo { capabilities: vec![known] };
    assert_eq!(from_slice(&bytes), Ok(expected));
}

#[test]
fn unknown_fields_are_passed_over() {
    // value "a", then field 1000 as a string.
    let bytes = [0x0a, 1, b'a', 0xc2, 0x3e, 2, 1, 2];
    assert_eq!(from_slice(&bytes), Ok(task_id("a")));
}

#[test]
fn garbage_is_refused() {
    for bytes in [
        &[0xff, 0xff, 0xff][..],
        &[0x0a],
        &[0x0a, 5, b'a'],
        &[0x0a, 1, 0xff],
        &[0x00, 0x00],
        &[0x0b],
    ] {
        let error = from_slice::<v1::TaskId>(bytes).unwrap_err();
        assert!(matches!(error, ProtobufError::Malformed(_)), "{bytes:?}: {error}");
    }
}

#[test]
fn a_length_beyond_the_end_is_refused() {
    let bytes = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert!(matches!(from_slice::<v1::TaskId>(&bytes), Err(ProtobufError::Malformed(_))));
}

#[test]
fn deep_nesting_is_refused() {
    let mut id = vec![0x0a, 1, b'x'];
    for _ in 0..20_000 {
        let mut outer = vec![0x0a, 1, b'x', 0x12];
        prost::encoding::encode_varint(id.len() as u64, &mut outer);
        outer.extend(id);
        id = outer;
    }
    assert_eq!(from_slice::<v1::ContainerId>(&id), Err(ProtobufError::TooDeep));
}
