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

/// Reads one operation; none for those that this version does not know, which are left undone
/// (semantics 84: the next ones go on).
pub(crate) fn read(state: &State, wire_id: &str, operation: WireOperation) -> Option<Operation> {
    let id = operation.id.as_ref().map(|id| id.value.as_str().into());
    let has_id = id.is_some();
    let request = match operation.r#type() {
        Type::Launch => {
            let tasks = operation.launch.unwrap_or_default().task_infos;
            let tasks = launch(state, wire_id, tasks, has_id);
            return Some(Operation::Launch(tasks));
        }
        Type::LaunchGroup => {
            let group = operation.launch_group.unwrap_or_default();
            let mut group = task::read_group(state, wire_id, group);
            if has_id {
                group.fault = Some(with_id("LAUNCH_GROUP"));
            }
            return Some(Operation::LaunchGroup(group));
        }
        Type::Reserve => {
            let wanted = operation.reserve?;
            reserve(&wanted.source, &wanted.resources)
        }
        Type::Unreserve => Request::Unreserve(given(&operation.unreserve?.resources)),
        Type::Create => Request::Create(given(&operation.create?.volumes)),
        Type::Destroy => Request::Destroy(given(&operation.destroy?.volumes)),
        Type::GrowVolume => {
            let wanted = operation.grow_volume?;
            grow(&wanted.volume, &wanted.addition)
        }
        Type::ShrinkVolume => {
            let wanted = operation.shrink_volume?;
            shrink(&wanted.volume, wanted.subtract)
        }
        Type::CreateDisk => Request::Unsupported("CREATE_DISK"),
        Type::DestroyDisk => Request::Unsupported("DESTROY_DISK"),
        Type::Unknown => {
            tracing::info!(wire_id, "an operation of an unknown type is left undone");
            return None;
        }
    };
    Some(Operation::Convert(request, id))
}

/// Tasks of a LAUNCH, which must not have an id.
fn launch(state: &State, wire_id: &str, tasks: Vec<TaskInfo>, has_id: bool) -> Vec<TaskSpec> {
    tasks
        .into_iter()
        .map(|info| {
            let mut spec = task::read(state, wire_id, info);
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

/// RESERVE; with a source, what is reserved already is reserved for others.
pub(crate) fn reserve(source: &[Resource], target: &[Resource]) -> Request {
    if source.is_empty() {
        return Request::Reserve(given(target));
    }
    Request::Rereserve(given(source).and_then(|source| Ok((source, given(target)?))))
}

/// `GROW_VOLUME`.
pub(crate) fn grow(volume: &Resource, addition: &Resource) -> Request {
    Request::Grow(one(volume).and_then(|volume| Ok((volume, one(addition)?))))
}

/// `SHRINK_VOLUME`.
pub(crate) fn shrink(volume: &Resource, subtract: WireScalar) -> Request {
    Request::Shrink(one(volume).map(|volume| (volume, Scalar::from_f64(subtract.value))))
}

/// Resources as the core has them, or why they are not valid.
pub(crate) fn given(given: &[Resource]) -> Given {
    resources::read(given).map_err(|error| error.to_string().into())
}

fn one(resource: &Resource) -> Given<statemachine::resources::Resource> {
    let read = given(std::slice::from_ref(resource))?;
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
    let status = write_status(state, &followed.status());
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
