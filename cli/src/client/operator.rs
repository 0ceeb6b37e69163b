//! Operator calls of the v1 API, to the leading master.

use bytes::Bytes;
use http::HeaderMap;
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

    /// Makes an operator call about resources of an agent; says what has become of it by then, if the
    /// master tells: `PENDING`, `FINISHED`, or how the agent went. It is waited for as long as `wait` says.
    pub(crate) async fn convert(
        &self,
        call: &Call,
        wait: Option<&str>,
    ) -> Result<Option<String>, OperatorError> {
        let wait = wait.map(|wait| ("mesolith-wait", wait));
        let (headers, _) = self.send(call, wait).await?;
        let outcome = headers.get("mesolith-outcome").and_then(|it| it.to_str().ok());
        Ok(outcome.map(str::to_owned))
    }

    async fn call(&self, request: &Call) -> Result<Bytes, OperatorError> {
        Ok(self.send(request, None).await?.1)
    }

    async fn send(
        &self,
        request: &Call,
        header: Option<(&str, &str)>,
    ) -> Result<(HeaderMap, Bytes), OperatorError> {
        let call = request.r#type().as_str_name();
        let mut headers =
            vec![("content-type", "application/json"), ("accept", "application/json")];
        headers.extend(header);
        let (address, answer) = self.post("/api/v1", &headers, &json::to_vec(request)).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = wire::body(&address, answer).await?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body).trim().to_owned();
            return Err(OperatorError::Refused { call, status: status.as_u16(), text });
        }
        Ok((headers, body))
    }
}
