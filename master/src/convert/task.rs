//! Tasks and executors.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use protocol::v1::offer::operation::LaunchGroup;
use protocol::v1::{self, ExecutorInfo, TaskInfo, TaskStatus};
use statemachine::framework::Framework;
use statemachine::resources::Resources;
use statemachine::task::{Executor, ExecutorSpec, Fault, GroupSpec, Task, TaskSpec};
use statemachine::{ExecutorId, State};

use super::{decode_own, resources, status};
use crate::validate::{self, Terms};

/// Reads a task that a framework wants launched. What is wrong with it travels along, since it is
/// the core that knows which fault comes first.
pub(crate) fn read(state: &State, terms: Terms<'_>, mut info: TaskInfo) -> TaskSpec {
    validate::complete(&mut info, terms.wire_id);
    let fault = validate::task(&info, terms);
    read_checked(state, info, fault)
}

/// Reads tasks that a framework wants launched together.
pub(crate) fn read_group(state: &State, terms: Terms<'_>, group: LaunchGroup) -> GroupSpec {
    let executor = group.executor;
    let mut tasks = group.task_group.tasks;
    let fault = validate::group(&executor, &tasks, terms).err();
    let read = read_executor(&executor);
    let fault = fault.or_else(|| read.as_ref().err().map(ToString::to_string));
    // in order: what is wrong with the executor comes after what is wrong with its tasks
    let read_task = |mut info: TaskInfo| {
        validate::complete(&mut info, terms.wire_id);
        info.executor = None;
        let fault = validate::grouped_task(&info, terms);
        read_checked(state, info, fault)
    };
    GroupSpec {
        tasks: tasks.drain(..).map(read_task).collect(),
        executor: read.unwrap_or_else(|_| ExecutorSpec {
            id: executor.executor_id.value.as_str().into(),
            resources: Resources::default(),
            payload: Bytes::new(),
        }),
        fault: fault.map(|fault| Fault::Shape(fault.into())),
    }
}

fn read_checked(state: &State, mut info: TaskInfo, fault: Option<Fault>) -> TaskSpec {
    let executor = info.executor.take().map(|executor| read_executor(&executor));
    let read = resources::read(&std::mem::take(&mut info.resources));
    let fault = fault.or_else(|| {
        let broken = read.as_ref().err().or(executor.as_ref().and_then(|it| it.as_ref().err()));
        broken.map(|error| Fault::Shape(error.to_string().into()))
    });
    let agent = state.parse_agent(&info.agent_id.value);
    let fault = match fault {
        Some(Fault::Id(_)) => fault,
        _ if agent.is_none() => Some(Fault::Agent(info.agent_id.value.as_str().into())),
        _ => fault,
    };
    TaskSpec {
        id: info.task_id.value.as_str().into(),
        agent,
        resources: read.unwrap_or_default(),
        executor: executor.and_then(Result::ok),
        payload: info.encode_to_vec().into(),
        fault,
    }
}

fn read_executor(info: &ExecutorInfo) -> Result<ExecutorSpec, protocol::resource::ResourceError> {
    let payload = ExecutorInfo { resources: Vec::new(), ..info.clone() };
    Ok(ExecutorSpec {
        id: info.executor_id.value.as_str().into(),
        resources: resources::read(&info.resources)?,
        payload: payload.encode_to_vec().into(),
    })
}

/// The task as its agent has to start it. An executor that is over by now is named all the same, or
/// the agent would take the task for one with a command.
pub(crate) fn write_info(task: &Task, executor: Option<&Executor>) -> TaskInfo {
    TaskInfo { executor: write_executor_of(task, executor), ..write_grouped(task) }
}

/// The task as its agent has to start it in a group: without its executor.
pub(crate) fn write_grouped(task: &Task) -> TaskInfo {
    TaskInfo {
        resources: resources::write(&task.resources, Some(&task.role)),
        ..decode_own(&task.payload)
    }
}

/// A task's executor; in name only if it is over.
pub(crate) fn write_executor_of(task: &Task, executor: Option<&Executor>) -> Option<ExecutorInfo> {
    let named = || {
        let executor_id = task.executor.as_deref()?.into();
        Some(ExecutorInfo { executor_id, ..ExecutorInfo::default() })
    };
    executor.map(write_executor).or_else(named)
}

/// An executor's info, whole.
pub(crate) fn write_executor(executor: &Executor) -> ExecutorInfo {
    ExecutorInfo {
        resources: resources::write(&executor.resources, Some(&executor.role)),
        ..decode_own(&executor.payload)
    }
}

/// The task as operators see it. Its framework is given, since it may be over.
pub(crate) fn write(state: &State, framework: &Framework, task: &Task) -> v1::Task {
    let info: TaskInfo = decode_own(&task.payload);
    let command_user = info.command.as_ref().and_then(|command| command.user.clone());
    v1::Task {
        name: info.name,
        task_id: info.task_id,
        framework_id: (*framework.wire_id).into(),
        executor_id: task.executor.as_ref().map(|executor: &ExecutorId| (**executor).into()),
        agent_id: state.agent_text(task.agent).into(),
        state: task.state as i32,
        resources: resources::write(&task.resources, Some(&task.role)),
        statuses: statuses(state, task),
        status_update_state: task.statuses.last().map(|status| status.state as i32),
        status_update_uuid: task
            .statuses
            .last()
            .and_then(|status| status.update)
            .map(|update| update.0.to_vec()),
        labels: info.labels,
        discovery: info.discovery,
        container: info.container,
        health_check: info.health_check,
        kill_policy: info.kill_policy,
        user: command_user,
        limits: info.limits,
    }
}

/// The statuses that were sent of a task.
pub(crate) fn statuses(state: &State, task: &Task) -> Vec<TaskStatus> {
    let subject = status::Subject::of_task(task);
    let write = |said: &Arc<statemachine::Status>| status::write(state, &subject, said);
    task.statuses.iter().map(write).collect()
}
