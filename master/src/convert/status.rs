//! Statuses of tasks (semantics K, M).

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use protocol::v1::{self, TaskStatus};
use statemachine::{
    ExecutorId, NamedAgent, Reason, Source, State, Status, TaskId, TaskState, TaskUpdate, UpdateId,
};

use super::{decode_own, from_seconds, seconds, time_info};

/// What is wrong with an update.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StatusError {
    /// It has no id, or one of another length.
    #[error("a status update must carry a uuid of 16 bytes")]
    Uuid,
    /// Its state is not one.
    #[error("a status update must say a state")]
    State,
}

/// Reads an update of an agent. Its payload is all of it but what the core keeps by itself.
pub(crate) fn read(status: TaskStatus) -> Result<Status, StatusError> {
    let state = TaskState::from_number(status.state).ok_or(StatusError::State)?;
    let update = update_id(status.uuid()).ok_or(StatusError::Uuid)?;
    let source = match status.source() {
        v1::task_status::Source::Executor => Source::Executor,
        v1::task_status::Source::Agent | v1::task_status::Source::Master => Source::Agent,
    };
    Ok(Status {
        state,
        source,
        reason: status.reason.map(Reason),
        message: status.message.as_deref().map(Into::into),
        at: from_seconds(status.timestamp()),
        update: Some(update),
        unreachable_at: None,
        healthy: status.healthy,
        data: Bytes::from(status.data.clone().unwrap_or_default()),
        payload: TaskStatus {
            // the message and ids live outside; required ones cannot be left out
            data: None,
            message: None,
            uuid: None,
            agent_id: None,
            ..status
        }
        .encode_to_vec()
        .into(),
    })
}

/// The id of an update: 16 bytes, and nothing else (semantics 194).
pub(crate) fn update_id(uuid: &[u8]) -> Option<UpdateId> {
    uuid.try_into().ok().map(UpdateId)
}

/// Whose status it is.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) task: &'a TaskId,
    pub(crate) agent: Option<NamedAgent>,
    pub(crate) executor: Option<&'a ExecutorId>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of_update(update: &'a TaskUpdate) -> Self {
        Self { task: &update.task, agent: update.agent.clone(), executor: update.executor.as_ref() }
    }

    pub(crate) fn of_task(task: &'a statemachine::task::Task) -> Self {
        Self {
            task: &task.key.task,
            agent: Some(task.agent.into()),
            executor: task.executor.as_ref(),
        }
    }
}

/// A status as frameworks and operators see it.
pub(crate) fn write(state: &State, subject: &Subject<'_>, status: &Arc<Status>) -> TaskStatus {
    let told = decode_or_default(&status.payload);
    // an answer to RECONCILE repeats what a sender said of itself, but in the master's words, and not
    // the executor that an agent makes up for a command
    let executor = subject.executor.map(|executor| (**executor).into());
    TaskStatus {
        task_id: (**subject.task).into(),
        state: status.state as i32,
        source: Some(source(status.source) as i32),
        reason: status.reason.map(|reason| reason.0),
        message: status.message.as_deref().map(str::to_owned),
        data: (!status.data.is_empty()).then(|| status.data.to_vec()),
        agent_id: subject.agent.as_ref().map(|agent| match agent {
            NamedAgent::Ours(agent) => state.agent_text(*agent).into(),
            NamedAgent::Stranger(text) => (**text).into(),
        }),
        executor_id: executor
            .or_else(|| told.executor_id.clone().filter(|_| status.update.is_some())),
        timestamp: Some(
            told.timestamp.filter(|_| status.update.is_some()).unwrap_or(seconds(status.at)),
        ),
        uuid: status.update.map(|update| update.0.to_vec()),
        healthy: status.healthy,
        unreachable_time: status.unreachable_at.map(time_info),
        ..told
    }
}

fn decode_or_default(payload: &[u8]) -> TaskStatus {
    if payload.is_empty() { TaskStatus::default() } else { decode_own(payload) }
}

fn source(source: Source) -> v1::task_status::Source {
    match source {
        Source::Master => v1::task_status::Source::Master,
        Source::Agent => v1::task_status::Source::Agent,
        Source::Executor => v1::task_status::Source::Executor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::json;
    use statemachine::AgentId;

    #[test]
    fn an_update_survives_the_core() {
        let text = r#"{"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",
            "message":"up","agent_id":{"value":"c-S1"},"executor_id":{"value":"x"},
            "timestamp":1795177112.633,"uuid":"7hfX7eLnTiCJIcyvkhQCqg==","healthy":true,
            "data":"aGk=","container_status":{"container_id":{"value":"k"},"executor_pid":7}}"#;
        let sent: TaskStatus = json::from_slice(text.as_bytes()).expect("a status");
        let mut state = State::default();
        state.cluster.id = "c".into();
        let status = Arc::new(read(sent.clone()).expect("an update"));
        let subject = Subject { task: &"t".into(), agent: Some(AgentId(1).into()), executor: None };
        assert_eq!(write(&state, &subject, &status), sent);
    }

    /// semantics 211: an answer has the words of the master, and of the sender what it said of the task's
    /// health, checks and container; but not its uuid or its time.
    #[test]
    fn an_answer_shows_what_a_sender_said_of_its_task() {
        let text = r#"{"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",
            "message":"up","agent_id":{"value":"c-S1"},"executor_id":{"value":"e"},
            "timestamp":5.5,"uuid":"7hfX7eLnTiCJIcyvkhQCqg==","healthy":true,
            "check_status":{"type":"TCP","tcp":{"succeeded":true}},
            "container_status":{"container_id":{"value":"k"},"executor_pid":7}}"#;
        let sent: TaskStatus = json::from_slice(text.as_bytes()).expect("a status");
        let said = read(sent.clone()).expect("an update");
        let at = statemachine::Time(9_000);
        let words = "Reconciliation: Latest task state";
        let mut answer = Status::by_master(said.state, Reason::RECONCILIATION, words, at);
        (answer.healthy, answer.payload) = (said.healthy, said.payload);
        let (task, executor): (TaskId, ExecutorId) = ("t".into(), "e".into());
        let agent = Some(AgentId(1).into());
        let subject = Subject { task: &task, agent, executor: Some(&executor) };
        let mut state = State::default();
        state.cluster.id = "c".into();
        let expected = TaskStatus {
            source: Some(v1::task_status::Source::Master as i32),
            reason: Some(v1::task_status::Reason::Reconciliation as i32),
            message: Some(words.to_owned()),
            timestamp: Some(9.0),
            uuid: None,
            ..sent
        };
        assert_eq!(write(&state, &subject, &Arc::new(answer)), expected);
    }

    #[test]
    fn updates_need_an_id() {
        let status = TaskStatus { state: 1, uuid: Some(vec![1; 15]), ..TaskStatus::default() };
        assert_eq!(read(status), Err(StatusError::Uuid));
    }
}
