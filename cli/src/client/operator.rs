//! Operator calls of the v1 API, to the leading master.

use bytes::Bytes;
use protocol::json::{self, JsonError};
use protocol::v1::master::{Call, Response, call::Type};

use super::http::{self as wire, HttpError};
use super::leader::{Leader, LeaderError};

/// Why an operator call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// There is nobody to ask.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The answer broke off.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The master refuses.
    #[error("{call} is refused with status {status}: {text}")]
    Refused { call: &'static str, status: u16, text: String },
    /// The answer is not what the API says.
    #[error("{call} has an answer that is no v1 response")]
    Malformed { call: &'static str, source: JsonError },
}

impl Leader {
    /// Makes an operator call that needs no arguments.
    pub(crate) async fn operate(&self, kind: Type) -> Result<Response, OperatorError> {
        let body = self.call(&Call { r#type: Some(kind.into()), ..Call::default() }).await?;
        let call = kind.as_str_name();
        json::from_slice(&body).map_err(|source| OperatorError::Malformed { call, source })
    }

    /// Makes an operator call that changes something, and is answered without words.
    pub(crate) async fn change(&self, call: &Call) -> Result<(), OperatorError> {
        self.call(call).await.map(drop)
    }

    async fn call(&self, request: &Call) -> Result<Bytes, OperatorError> {
        let call = request.r#type().as_str_name();
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let (address, answer) = self.post("/api/v1", &headers, &json::to_vec(request)).await?;
        let status = answer.status();
        let body = wire::body(&address, answer).await?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body).trim().to_owned();
            return Err(OperatorError::Refused { call, status: status.as_u16(), text });
        }
        Ok(body)
    }
}
