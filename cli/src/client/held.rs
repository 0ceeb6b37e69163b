//! Agents that a limit holds back: which, and giving them up.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::held::{HELD_PATH, HeldAgents};

use super::address::Address;
use super::http::{self as wire, Answer, HttpError};
use super::leader::{Leader, LeaderError};

/// Why a question about them has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeldError {
    /// There is nobody to ask.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The answer broke off.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The master refuses.
    #[error("{0}")]
    Refused(String),
    /// The answer is none of ours.
    #[error("the answer tells of no agents")]
    Malformed(#[from] serde_json::Error),
}

impl Leader {
    /// Who is held back.
    pub(crate) async fn held(&self) -> Result<HeldAgents, HeldError> {
        let (address, answer) = self.get(HELD_PATH).await?;
        read(&address, answer).await
    }

    /// Gives up these agents, or all that are held back; says which were.
    pub(crate) async fn give_up(&self, agents: Option<&[String]>) -> Result<HeldAgents, HeldError> {
        let encode = |it: &String| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string();
        let names = |agents: &[String]| agents.iter().map(encode).collect::<Vec<_>>().join(",");
        let form = agents.map(|agents| format!("agentId={}", names(agents))).unwrap_or_default();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let (address, answer) = self.post(HELD_PATH, &headers, form.as_bytes()).await?;
        read(&address, answer).await
    }
}

async fn read(address: &Address, answer: Answer) -> Result<HeldAgents, HeldError> {
    let status = answer.status();
    let body = wire::body(address, answer).await?;
    if !status.is_success() {
        return Err(HeldError::Refused(String::from_utf8_lossy(&body).trim().to_owned()));
    }
    Ok(serde_json::from_slice(&body)?)
}
