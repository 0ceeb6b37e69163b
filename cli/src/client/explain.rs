//! Asks the leading master why a framework is offered what it is.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::explanation::{EXPLAIN_PATH, Explanation};

use super::http::{self as wire, HttpError};
use super::leader::{Leader, LeaderError};

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// There is nobody to ask.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The answer broke off.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The master does not know.
    #[error("{0}")]
    Refused(String),
    /// The answer is none of ours.
    #[error("the answer is no explanation")]
    Malformed(#[from] serde_json::Error),
}

impl Leader {
    /// Asks with these parameters.
    pub(crate) async fn explain(
        &self,
        asked: &[(&str, &str)],
    ) -> Result<Explanation, ExplainError> {
        let pair = |(name, value): &(&str, &str)| {
            format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
        };
        let query: Vec<_> = asked.iter().map(pair).collect();
        let path = format!("{EXPLAIN_PATH}?{}", query.join("&"));
        let (address, answer) = self.get(&path).await?;
        let status = answer.status();
        let body = wire::body(&address, answer).await?;
        if !status.is_success() {
            return Err(ExplainError::Refused(String::from_utf8_lossy(&body).trim().to_owned()));
        }
        Ok(serde_json::from_slice(&body)?)
    }
}
