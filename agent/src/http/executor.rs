//! POST /api/v1/executor: what executors say, and the stream by which they hear.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::{Request, StatusCode};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, Incoming};
use protocol::media::ContentType;
use protocol::v1::executor::{Call, Event, call, event};
use protocol::v1::task_status::Source;
use protocol::{recordio, v1};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::Api;
use super::reply::{self, Reply};
use super::request::{self, Streams};
use crate::checkpoint::state::ExecutorKey;
use crate::decide::{Answer, Ask, ExecutorCall, Input};

/// How often a silent stream shows that it lives (surface 17).
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30 * 60);

pub(super) async fn handle(api: &Api, request: Request<Incoming>) -> Reply {
    let posted = match request::read_call::<Call>(request, Streams::None).await {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    if posted.call.r#type == Some(call::Type::Heartbeat.into()) {
        return reply::accepted();
    }
    let call = match validate(posted.call) {
        Ok(Some(call)) => call,
        Ok(None) => return reply::not_implemented(),
        Err(problem) => {
            return reply::bad_request(format!("Failed to validate Executor::Call: {problem}"));
        }
    };
    let executor = call.executor.clone();
    let (reply, answer) = oneshot::channel();
    let asked = api.inputs.send(Input::Call { call: Box::new(call), reply }).await;
    match (asked, answer.await) {
        (Ok(()), Ok(answer)) => respond(api, executor, answer, posted.answer_as),
        _ => reply::text(StatusCode::SERVICE_UNAVAILABLE, "The agent is ending"),
    }
}

fn respond(api: &Api, executor: ExecutorKey, answer: Answer, content_type: ContentType) -> Reply {
    match answer {
        Answer::Accepted => reply::accepted(),
        Answer::Invalid(message) => reply::bad_request(message),
        Answer::Forbidden(message) => reply::text(StatusCode::FORBIDDEN, message),
        Answer::Subscribed { number, events } => {
            let first = tokio::time::Instant::now() + HEARTBEAT_INTERVAL;
            let mut heartbeat = interval_at(first, HEARTBEAT_INTERVAL);
            heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let inputs = api.inputs.clone();
            let records = Records { events, heartbeat, content_type, executor, number, inputs };
            reply::stream(content_type.as_str(), UnsyncBoxBody::new(StreamBody::new(records)))
        }
    }
}

/// Checks the shape of a call (semantics 158); nothing for a type that no agent serves.
fn validate(call: Call) -> Result<Option<ExecutorCall>, String> {
    let executor =
        ExecutorKey { framework_id: call.framework_id.value, executor_id: call.executor_id.value };
    let missing = |name: &str| format!("Expecting '{name}' to be present");
    let kind = call.r#type.ok_or_else(|| missing("type"))?;
    let kind = call::Type::try_from(kind).map_err(|_| missing("type"))?;
    let ask = match kind {
        call::Type::Subscribe => {
            let subscribe = call.subscribe.ok_or_else(|| missing("subscribe"))?;
            for update in &subscribe.unacknowledged_updates {
                validate_status(&update.status, &executor)?;
            }
            Ask::Subscribe(subscribe)
        }
        call::Type::Update => {
            let update = call.update.ok_or_else(|| missing("update"))?;
            validate_status(&update.status, &executor)?;
            Ask::Update(Box::new(update.status))
        }
        call::Type::Message => Ask::Message(call.message.ok_or_else(|| missing("message"))?.data),
        call::Type::Unknown | call::Type::Heartbeat => return Ok(None),
    };
    Ok(Some(ExecutorCall { executor, ask }))
}

fn validate_status(status: &v1::TaskStatus, executor: &ExecutorKey) -> Result<(), String> {
    let uuid = status.uuid.as_deref().ok_or("Expecting 'uuid' to be present")?;
    let uuid = uuid::Uuid::from_slice(uuid).map_err(|_| "'uuid' is not of 16 bytes")?;
    // The version nibble tells a real uuid from any other 16 bytes (semantics 323).
    if !(1..=8).contains(&uuid.get_version_num()) {
        return Err("'uuid' has no valid version".to_owned());
    }
    if status.source != Some(Source::Executor.into()) {
        return Err("Expecting 'source' to be SOURCE_EXECUTOR".to_owned());
    }
    if status.state() == v1::TaskState::TaskStaging {
        return Err("TASK_STAGING is no state that an executor may report".to_owned());
    }
    if let Some(check) = &status.check_status {
        use v1::check_info::Type;
        let fits = match check.r#type() {
            Type::Command => check.command.is_some(),
            Type::Http => check.http.is_some(),
            Type::Tcp => check.tcp.is_some(),
            Type::Unknown => false,
        };
        if !fits {
            return Err("'check_status' does not hold what its type names".to_owned());
        }
    }
    match &status.executor_id {
        Some(id) if id.value != executor.executor_id => Err(format!(
            "'executor_id' of the status is '{id}', and of the call '{}'",
            executor.executor_id
        )),
        _ => Ok(()),
    }
}

/// An executor's stream: one record per chunk (clients depend on it).
struct Records {
    events: mpsc::Receiver<Event>,
    heartbeat: Interval,
    content_type: ContentType,
    executor: ExecutorKey,
    number: u64,
    inputs: mpsc::Sender<Input>,
}

impl Stream for Records {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let event = match self.events.poll_recv(context) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(event)) => event,
            Poll::Pending => {
                if self.heartbeat.poll_tick(context).is_pending() {
                    return Poll::Pending;
                }
                Event { r#type: Some(event::Type::Heartbeat.into()), ..Event::default() }
            }
        };
        let record = recordio::encode(&self.content_type.encode(&event));
        Poll::Ready(Some(Ok(Frame::data(record))))
    }
}

impl Drop for Records {
    /// The connection is gone: the executor is no longer told anything. Should the loop be too busy
    /// to hear of it, it notices when it next tells the executor something.
    fn drop(&mut self) {
        let (executor, stream) = (self.executor.clone(), self.number);
        let _ = self.inputs.try_send(Input::Unsubscribed { executor, stream });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> v1::TaskStatus {
        v1::TaskStatus {
            task_id: "t".into(),
            state: v1::TaskState::TaskRunning.into(),
            source: Some(Source::Executor.into()),
            uuid: Some(uuid::Uuid::new_v4().as_bytes().to_vec()),
            ..Default::default()
        }
    }

    fn check(change: impl FnOnce(&mut v1::TaskStatus), is_valid: bool) {
        let mut status = status();
        change(&mut status);
        let executor = ExecutorKey { framework_id: "f".to_owned(), executor_id: "e".to_owned() };
        let result = validate_status(&status, &executor);
        assert_eq!(result.is_ok(), is_valid, "{result:?}");
    }

    /// semantics 158
    #[test]
    fn updates_are_held_to_their_shape() {
        check(|_| {}, true);
        check(|status| status.executor_id = Some("e".into()), true);
        check(|status| status.executor_id = Some("other".into()), false);
        check(|status| status.uuid = None, false);
        check(|status| status.uuid = Some(vec![1; 15]), false);
        check(|status| status.uuid = Some(vec![0; 16]), false);
        check(|status| status.source = None, false);
        check(|status| status.source = Some(Source::Agent.into()), false);
        check(|status| status.state = v1::TaskState::TaskStaging.into(), false);
        for kind in [v1::check_info::Type::Command, v1::check_info::Type::Unknown] {
            let of = |command| v1::CheckStatusInfo {
                r#type: Some(kind.into()),
                command,
                ..Default::default()
            };
            let whole = kind == v1::check_info::Type::Command;
            check(|status| status.check_status = Some(of(None)), false);
            let command = v1::check_status_info::Command::default();
            check(|status| status.check_status = Some(of(Some(command))), whole);
        }
    }

    #[test]
    fn calls_need_what_their_type_names() {
        for kind in [call::Type::Subscribe, call::Type::Update, call::Type::Message] {
            let call = Call { r#type: Some(kind.into()), ..Call::default() };
            assert!(validate(call).is_err(), "{kind:?}");
        }
        assert!(validate(Call::default()).is_err());
        let unknown = Call { r#type: Some(call::Type::Unknown.into()), ..Call::default() };
        assert!(validate(unknown).is_ok_and(|call| call.is_none()));
    }
}
