//! The scheduler API: subscribing, and calls on an open subscription.

use protocol::json;
use protocol::v1::scheduler::{Call, call};
use protocol::v1::{FrameworkId, FrameworkInfo};

use super::address::Address;
use super::events::EventStream;
use super::http::{self as wire, HttpError};
use super::leader::{Leader, LeaderError};

const PATH: &str = "/api/v1/scheduler";
const STREAM_ID: &str = "mesos-stream-id";

/// Why a call was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// There is nobody to call.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The connection failed; whether the call was taken is not known.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The master refuses.
    #[error("the master refuses with status {status}: {text}")]
    Refused { status: u16, text: String },
}

/// A framework's open subscription with one leader.
#[derive(Debug)]
pub(crate) struct Subscription {
    address: Address,
    stream_id: String,
}

impl Leader {
    /// Subscribes a framework; `info.id` is set when it comes back. The first event says under which
    /// id it is known.
    pub(crate) async fn subscribe(
        &self,
        info: &FrameworkInfo,
    ) -> Result<(Subscription, EventStream), CallError> {
        let request = Call {
            r#type: Some(call::Type::Subscribe.into()),
            framework_id: info.id.clone(),
            subscribe: Some(call::Subscribe {
                framework_info: info.clone(),
                ..call::Subscribe::default()
            }),
            ..Call::default()
        };
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let (address, answer) = self.post(PATH, &headers, &json::to_vec(&request)).await?;
        if !answer.status().is_success() {
            return Err(refusal(&address, answer).await);
        }
        let stream_id = answer.headers().get(STREAM_ID).and_then(|value| value.to_str().ok());
        let stream_id = stream_id.unwrap_or_default().to_owned();
        Ok((Subscription { address, stream_id }, EventStream::new(answer.into_body())))
    }
}

impl Subscription {
    /// Makes a call for the framework; `call.framework_id` is filled in here.
    pub(crate) async fn call(
        &self,
        framework: &FrameworkId,
        mut call: Call,
    ) -> Result<(), CallError> {
        call.framework_id = Some(framework.clone());
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json"),
            (STREAM_ID, &self.stream_id),
        ];
        let answer = wire::post(&self.address, PATH, &headers, json::to_vec(&call)).await?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(refusal(&self.address, answer).await)
        }
    }
}

async fn refusal(address: &Address, answer: wire::Answer) -> CallError {
    let status = answer.status().as_u16();
    match wire::body(address, answer).await {
        Ok(text) => {
            CallError::Refused { status, text: String::from_utf8_lossy(&text).trim().to_owned() }
        }
        Err(error) => error.into(),
    }
}
