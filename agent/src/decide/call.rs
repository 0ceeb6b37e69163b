//! What executors ask (POST /api/v1/executor), after its shape was checked.

use protocol::agents::{ExecutorMessage, FrameworkMessage, from_agent};
use protocol::v1;
use protocol::v1::executor::{self, event};
use tokio::sync::{mpsc, oneshot};

use super::live::Stream;
use super::{Effect, Turn};
use crate::checkpoint::state::ExecutorKey;

/// A call whose shape is right: each kind has what it needs.
#[derive(Debug)]
pub(crate) struct ExecutorCall {
    pub(crate) executor: ExecutorKey,
    pub(crate) ask: Ask,
}

/// See [`ExecutorCall`].
#[derive(Debug)]
pub(crate) enum Ask {
    Subscribe(executor::call::Subscribe),
    Update(Box<v1::TaskStatus>),
    Message(Vec<u8>),
}

/// What an executor is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 202.
    Accepted,
    /// 200, and these events.
    Subscribed { number: u64, events: mpsc::Receiver<executor::Event> },
    /// 400 with this text.
    Invalid(&'static str),
    /// 403 with this text.
    Forbidden(&'static str),
}

impl Turn<'_> {
    /// Answers an executor, in the order of checks of semantics 253.
    pub(super) fn call(&mut self, call: ExecutorCall, reply: oneshot::Sender<Answer>) {
        let ExecutorCall { executor, ask } = call;
        let answer = self.answer(&executor, ask);
        self.effect(Effect::Answer(reply, answer));
    }

    fn answer(&mut self, key: &ExecutorKey, ask: Ask) -> Answer {
        if !self.state.frameworks.contains_key(&key.framework_id) {
            return Answer::Invalid("Framework cannot be found");
        }
        let known = self.state.executors.get(key);
        if known.is_none_or(|executor| executor.has_ended || !executor.is_custom()) {
            return Answer::Invalid("Executor cannot be found");
        }
        let has_stream = self.live.executors.get(key).is_some_and(|live| live.stream.is_some());
        match ask {
            Ask::Subscribe(subscribe) => self.subscribe(key, subscribe),
            _ if !has_stream => Answer::Forbidden("Executor is not subscribed"),
            Ask::Update(status) => {
                self.executor_update(key, *status);
                Answer::Accepted
            }
            Ask::Message(data) => {
                self.live.counts.valid_framework_messages += 1;
                self.send(from_agent::Message::ExecutorMessage(ExecutorMessage {
                    framework_id: key.framework_id.clone(),
                    executor_id: key.executor_id.clone(),
                    data: data.into(),
                }));
                Answer::Accepted
            }
        }
    }

    /// A framework's message to an executor; dropped if it does not listen (semantics 208).
    pub(super) fn framework_message(&mut self, message: FrameworkMessage) {
        let FrameworkMessage { framework_id, executor_id, data } = message;
        let key = ExecutorKey { framework_id, executor_id };
        let Some(stream) = self.live.executors.get(&key).and_then(|live| live.stream.clone())
        else {
            self.live.counts.invalid_framework_messages += 1;
            return;
        };
        self.live.counts.valid_framework_messages += 1;
        let message = event::Message { data: data.to_vec() };
        self.tell(
            &key,
            &stream,
            executor::Event {
                r#type: Some(event::Type::Message.into()),
                message: Some(message),
                ..Default::default()
            },
        );
    }

    pub(super) fn tell(&mut self, key: &ExecutorKey, stream: &Stream, event: executor::Event) {
        let (executor, stream) = (key.clone(), stream.clone());
        self.effect(Effect::Tell { executor, stream, event: Box::new(event) });
    }

    /// An executor's stream is closed, unless a newer one has taken its place.
    pub(super) fn unsubscribed(&mut self, key: &ExecutorKey, number: u64) {
        if let Some(live) = self.live.executors.get_mut(key)
            && live.stream.as_ref().is_some_and(|stream| stream.number == number)
        {
            live.stream = None;
        }
    }
}
