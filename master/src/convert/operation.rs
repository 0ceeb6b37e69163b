//! What a framework or an operator wants done with resources, and what has become of it (semantics D).

use std::sync::Arc;

use protocol::v1::offer::Operation as WireOperation;
use protocol::v1::offer::operation::Type;
use protocol::v1::value::Scalar as WireScalar;
use protocol::v1::{self, Resource, TaskInfo, offer};
use statemachine::State;
use statemachine::offer::Operation;
use statemachine::operation::{Conversion, Followed, Given, OperationUpdate, Request};
use statemachine::resources::Scalar;
use statemachine::task::{Fault, TaskSpec};

use super::{resources, task};
use crate::validate::{self, Terms};

/// Reads one operation; none for those that this version does not know, which are left undone
/// (semantics 84: the next ones go on).
pub(crate) fn read(state: &State, terms: Terms<'_>, operation: WireOperation) -> Option<Operation> {
    let offered = Some(terms.role);
    let id = operation.id.as_ref().map(|id| id.value.as_str().into());
    let has_id = id.is_some();
    let request = match operation.r#type() {
        Type::Launch => {
            let tasks = operation.launch.unwrap_or_default().task_infos;
            let tasks = launch(state, terms, tasks, has_id);
            return Some(Operation::Launch(tasks));
        }
        Type::LaunchGroup => {
            let group = operation.launch_group.unwrap_or_default();
            let mut group = task::read_group(state, terms, group);
            if has_id {
                group.fault = Some(with_id("LAUNCH_GROUP"));
            }
            return Some(Operation::LaunchGroup(group));
        }
        Type::Reserve => {
            let wanted = operation.reserve.unwrap_or_default();
            reserve(&wanted.source, &wanted.resources, offered)
        }
        Type::Unreserve => {
            let named = operation.unreserve.unwrap_or_default().resources;
            Request::Unreserve(given(&named, offered))
        }
        Type::Create => {
            let named = operation.create.unwrap_or_default().volumes;
            Request::Create(given(&named, offered))
        }
        Type::Destroy => {
            let named = operation.destroy.unwrap_or_default().volumes;
            Request::Destroy(given(&named, offered))
        }
        Type::GrowVolume => {
            let wanted = operation.grow_volume.unwrap_or_default();
            grow(&wanted.volume, &wanted.addition, offered)
        }
        Type::ShrinkVolume => {
            let wanted = operation.shrink_volume.unwrap_or_default();
            shrink(&wanted.volume, wanted.subtract, offered)
        }
        Type::CreateDisk => Request::Unsupported("CREATE_DISK"),
        Type::DestroyDisk => Request::Unsupported("DESTROY_DISK"),
        Type::Unknown => {
            tracing::info!(
                wire_id = terms.wire_id,
                "an operation of an unknown type is left undone"
            );
            return None;
        }
    };
    Some(Operation::Convert(request, id))
}

/// Tasks of a LAUNCH, which must not have an id.
fn launch(state: &State, terms: Terms<'_>, tasks: Vec<TaskInfo>, has_id: bool) -> Vec<TaskSpec> {
    tasks
        .into_iter()
        .map(|info| {
            let mut spec = task::read(state, terms, info);
            if has_id {
                spec.fault = Some(with_id("LAUNCH"));
            }
            spec
        })
        .collect()
}

/// semantics 88
fn with_id(name: &str) -> Fault {
    Fault::Id(format!("The `id` field cannot be set on {name} operations").into())
}

/// RESERVE; with a source, what is reserved already is reserved for others. `offered` is the role of
/// the offer here and below; none for an operator.
pub(crate) fn reserve(source: &[Resource], target: &[Resource], offered: Option<&str>) -> Request {
    let target = given(target, offered);
    if source.is_empty() {
        return Request::Reserve(target);
    }
    Request::Rereserve(given(source, offered).and_then(|source| Ok((source, target?))))
}

/// `GROW_VOLUME`.
pub(crate) fn grow(volume: &Resource, addition: &Resource, offered: Option<&str>) -> Request {
    Request::Grow(one(volume, offered).and_then(|volume| Ok((volume, one(addition, offered)?))))
}

/// `SHRINK_VOLUME`.
pub(crate) fn shrink(volume: &Resource, subtract: WireScalar, offered: Option<&str>) -> Request {
    Request::Shrink(one(volume, offered).map(|volume| (volume, Scalar::from_f64(subtract.value))))
}

/// Resources as the core has them, or why they are not valid.
pub(crate) fn given(given: &[Resource], offered: Option<&str>) -> Given {
    let read = resources::read(given).map_err(|error| error.to_string());
    let read = read.and_then(|read| validate::allocation(given, offered).map(|()| read));
    read.map_err(Into::into)
}

fn one(resource: &Resource, offered: Option<&str>) -> Given<statemachine::resources::Resource> {
    let read = given(std::slice::from_ref(resource), offered)?;
    let first = read.iter().next().cloned();
    first.ok_or_else(|| Arc::from("a resource of no size"))
}

/// One status, as a scheduler hears it.
pub(crate) fn write_status(state: &State, update: &OperationUpdate) -> v1::OperationStatus {
    v1::OperationStatus {
        operation_id: Some((*update.operation).into()),
        state: update.state as i32,
        message: update.message.as_ref().map(ToString::to_string),
        converted_resources: resources::write(&update.converted, None),
        uuid: update.update.map(|update| v1::Uuid { value: update.0.to_vec() }),
        agent_id: update.agent.map(|agent| state.agent_text(agent).into()),
        resource_provider_id: None,
    }
}

/// An operation that is followed, as operators see it.
pub(crate) fn write(state: &State, followed: &Followed) -> v1::Operation {
    let framework = state.frameworks.get(&followed.key.framework);
    let status = write_status(state, &state.operation_status(followed));
    v1::Operation {
        framework_id: framework.map(|framework| (*framework.wire_id).into()),
        agent_id: Some(state.agent_text(followed.agent).into()),
        info: write_info(followed),
        latest_status: status.clone(),
        statuses: vec![status],
        uuid: v1::Uuid { value: followed.update.0.to_vec() },
    }
}

fn write_info(followed: &Followed) -> WireOperation {
    use offer::operation::{Create, Destroy, GrowVolume, Reserve, ShrinkVolume, Unreserve};
    let consumed = resources::write(&followed.consumed, None);
    let converted = resources::write(&followed.converted, None);
    let mut info =
        WireOperation { id: Some((*followed.key.operation).into()), ..WireOperation::default() };
    let r#type = match followed.kind {
        Conversion::Reserve => {
            info.reserve = Some(Reserve { resources: converted, source: Vec::new() });
            Type::Reserve
        }
        Conversion::Unreserve => {
            info.unreserve = Some(Unreserve { resources: consumed });
            Type::Unreserve
        }
        Conversion::Create => {
            info.create = Some(Create { volumes: converted });
            Type::Create
        }
        Conversion::Destroy => {
            info.destroy = Some(Destroy { volumes: consumed });
            Type::Destroy
        }
        Conversion::Grow => {
            let (volume, addition) = (find(&consumed, true), find(&consumed, false));
            info.grow_volume = Some(GrowVolume { volume, addition });
            Type::GrowVolume
        }
        Conversion::Shrink => {
            let subtract = find(&converted, false).scalar.unwrap_or_default();
            let volume = find(&consumed, true);
            info.shrink_volume = Some(ShrinkVolume { volume, subtract });
            Type::ShrinkVolume
        }
    };
    info.r#type = Some(r#type as i32);
    info
}

/// The one that is a persistent volume, or the one that is not.
fn find(resources: &[Resource], volume: bool) -> Resource {
    let is_volume = |it: &Resource| it.disk.as_ref().is_some_and(|it| it.persistence.is_some());
    resources.iter().find(|it| is_volume(it) == volume).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::json;

    const CPU: &str = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a"}"#;

    fn read_text(text: &str) -> Option<Operation> {
        let operation: WireOperation = json::from_slice(text.as_bytes()).expect("an operation");
        let terms = Terms { wire_id: "f", role: "a", has_limits: true };
        read(&State::default(), terms, operation)
    }

    /// semantics 88
    #[test]
    fn an_id_is_for_what_converts() {
        let task = r#"{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"}}"#;
        let executor = r#"{"executor_id":{"value":"e"}}"#;
        let id = r#""id":{"value":"x"}"#;
        let group = format!(r#"{{"executor":{executor},"task_group":{{"tasks":[{task}]}}}}"#);
        for (text, name) in [
            (
                format!(r#"{{"type":"LAUNCH","launch":{{"task_infos":[{task},{task}]}},{id}}}"#),
                "LAUNCH",
            ),
            (format!(r#"{{"type":"LAUNCH_GROUP","launch_group":{group},{id}}}"#), "LAUNCH_GROUP"),
        ] {
            let expected =
                Fault::Id(format!("The `id` field cannot be set on {name} operations").into());
            match read_text(&text).expect("an operation") {
                Operation::Launch(tasks) => {
                    assert!(
                        tasks.iter().all(|it| it.fault.as_ref() == Some(&expected)),
                        "{tasks:?}"
                    );
                }
                Operation::LaunchGroup(group) => assert_eq!(group.fault, Some(expected)),
                Operation::Convert(..) => panic!("{text} does not convert"),
            }
        }
        let reserve = format!(r#"{{"type":"RESERVE","reserve":{{"resources":[{CPU}]}},{id}}}"#);
        let read = read_text(&reserve).expect("an operation");
        assert!(matches!(read, Operation::Convert(Request::Reserve(Ok(_)), Some(_))), "{read:?}");
    }

    /// semantics 84, 87
    #[test]
    fn what_cannot_be_read_travels_along() {
        let bad = CPU.replace(":1}", ":-1}");
        let foreign = CPU.replace("\"role\":\"a\"", r#""allocation_info":{"role":"b"}"#);
        for (resource, fault) in [(&bad, "value <= 0"), (&foreign, "is allocated to role 'b'")] {
            for (name, part, field) in [
                ("RESERVE", "reserve", "resources"),
                ("UNRESERVE", "unreserve", "resources"),
                ("CREATE", "create", "volumes"),
                ("DESTROY", "destroy", "volumes"),
            ] {
                let text = format!(r#"{{"type":"{name}","{part}":{{"{field}":[{resource}]}}}}"#);
                let read = format!("{:?}", read_text(&text));
                assert!(read.contains("Err") && read.contains(fault), "{text}: {read}");
            }
            for (name, part) in [
                (
                    "GROW_VOLUME",
                    format!(r#""grow_volume":{{"volume":{resource},"addition":{CPU}}}"#),
                ),
                (
                    "GROW_VOLUME",
                    format!(r#""grow_volume":{{"volume":{CPU},"addition":{resource}}}"#),
                ),
                (
                    "SHRINK_VOLUME",
                    format!(r#""shrink_volume":{{"volume":{resource},"subtract":{{"value":1}}}}"#),
                ),
            ] {
                let read = format!("{:?}", read_text(&format!(r#"{{"type":"{name}",{part}}}"#)));
                assert!(read.contains("Err") && read.contains(fault), "{part}: {read}");
            }
        }
        for name in ["RESERVE", "UNRESERVE", "CREATE", "DESTROY", "GROW_VOLUME", "SHRINK_VOLUME"] {
            let text = format!(r#"{{"type":"{name}","id":{{"value":"x"}}}}"#);
            let read = read_text(&text);
            assert!(matches!(read, Some(Operation::Convert(_, Some(_)))), "{text}: {read:?}");
        }
        assert_eq!(read_text(r#"{"type":"UNKNOWN"}"#), None);
    }
}
