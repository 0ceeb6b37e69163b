//! What a framework wants done with offers (semantics D).

use std::sync::Arc;

use protocol::v1::Resource;
use protocol::v1::offer::Operation as WireOperation;
use protocol::v1::offer::operation::Type;
use protocol::v1::{TaskInfo, offer};
use statemachine::State;
use statemachine::offer::Operation;
use statemachine::task::{Fault, TaskSpec};

use super::{resources, task};

/// Reads one operation; none for those that this version does not know, which are left undone
/// (semantics 84: the next ones go on).
pub(crate) fn read(state: &State, wire_id: &str, operation: WireOperation) -> Option<Operation> {
    let has_id = operation.id.is_some();
    Some(match operation.r#type() {
        Type::Launch => {
            let tasks = operation.launch.unwrap_or_default().task_infos;
            Operation::Launch(launch(state, wire_id, tasks, has_id.then_some("LAUNCH")))
        }
        Type::LaunchGroup => {
            let group = operation.launch_group.unwrap_or_default();
            let tasks = group_tasks(group);
            Operation::LaunchGroup(launch(state, wire_id, tasks, has_id.then_some("LAUNCH_GROUP")))
        }
        Type::Reserve => Operation::Reserve(given(&operation.reserve?.resources)),
        Type::Unreserve => Operation::Unreserve(given(&operation.unreserve?.resources)),
        Type::Create => Operation::Create(given(&operation.create?.volumes)),
        Type::Destroy => Operation::Destroy(given(&operation.destroy?.volumes)),
        Type::Unknown
        | Type::GrowVolume
        | Type::ShrinkVolume
        | Type::CreateDisk
        | Type::DestroyDisk => {
            tracing::info!(operation = ?operation.r#type(), "not supported by this version");
            return None;
        }
    })
}

fn group_tasks(group: offer::operation::LaunchGroup) -> Vec<TaskInfo> {
    let executor = group.executor;
    let with_executor = |task: TaskInfo| TaskInfo { executor: Some(executor.clone()), ..task };
    group.task_group.tasks.into_iter().map(with_executor).collect()
}

/// Tasks of a launch; `with_id` names the operation if it has an id, which it must not
/// (semantics 88).
fn launch(
    state: &State,
    wire_id: &str,
    tasks: Vec<TaskInfo>,
    with_id: Option<&str>,
) -> Vec<TaskSpec> {
    tasks
        .into_iter()
        .map(|info| {
            let mut spec = task::read(state, wire_id, info);
            if let Some(name) = with_id {
                let fault = format!("The `id` field cannot be set on {name} operations");
                spec.fault = Some(Fault::Id(fault.into()));
            }
            spec
        })
        .collect()
}

fn given(given: &[Resource]) -> Result<statemachine::resources::Resources, Arc<str>> {
    resources::read(given).map_err(|error| error.to_string().into())
}
