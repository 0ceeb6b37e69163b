//! Copies a task's stdout and stderr from its agent to ours, as far as they have been written.

use std::io::{self, Write};

use http::StatusCode;
use protocol::pb::{self, ProtobufError};
use protocol::v1::agent::{Call, Response, call};

use super::address::Address;
use super::http::{self as wire, HttpError};

/// Bytes asked for at a time; agents give 64 KiB at most (semantics 285).
const PIECE_BYTES: u64 = 64 << 10;

/// A task's output, and how much of it has been copied.
#[derive(Debug)]
pub(crate) struct Sandbox {
    agent: Address,
    directory: String,
    stdout_bytes: u64,
    stderr_bytes: u64,
}

/// Why output could not be copied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// The agent cannot be reached; its files may be read later.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The agent refuses.
    #[error("agent {agent} refuses to show {path} with status {status}: {text}")]
    Refused { agent: Address, path: String, status: u16, text: String },
    /// The answer is not what the API says.
    #[error("the answer of agent {agent} is no v1 response")]
    Malformed { agent: Address, source: ProtobufError },
    /// Our own stdout or stderr is closed or full.
    #[error("writing the task's output")]
    Write(#[source] io::Error),
}

impl Sandbox {
    /// The sandbox of the newest container of an executor; a command task's executor has the task's id.
    pub(crate) fn new(agent: Address, framework_id: &str, executor_id: &str) -> Self {
        let directory = format!("/framework/{framework_id}/executor/{executor_id}/latest");
        Self { agent, directory, stdout_bytes: 0, stderr_bytes: 0 }
    }

    /// The sandbox of a task's container in that of its executor.
    pub(crate) fn nested(
        agent: Address,
        (framework_id, executor_id): (&str, &str),
        (parent, own): (&str, &str),
    ) -> Self {
        let executor = format!("/framework/{framework_id}/executor/{executor_id}");
        let directory = format!("{executor}/{parent}/containers/{own}");
        Self { agent, directory, stdout_bytes: 0, stderr_bytes: 0 }
    }

    /// Copies what is new. Says whether there was anything.
    pub(crate) async fn copy(&mut self) -> Result<bool, OutputError> {
        let from_stdout = self.stdout_bytes;
        let from_stderr = self.stderr_bytes;
        self.stdout_bytes = self.copy_file("stdout", from_stdout, &mut io::stdout()).await?;
        self.stderr_bytes = self.copy_file("stderr", from_stderr, &mut io::stderr()).await?;
        Ok(self.stdout_bytes > from_stdout || self.stderr_bytes > from_stderr)
    }

    async fn copy_file(
        &self,
        name: &str,
        mut offset: u64,
        to: &mut dyn Write,
    ) -> Result<u64, OutputError> {
        loop {
            let piece = self.read(name, offset).await?;
            if piece.is_empty() {
                return Ok(offset);
            }
            to.write_all(&piece).and_then(|()| to.flush()).map_err(OutputError::Write)?;
            offset += piece.len() as u64;
        }
    }

    /// A piece of one file; empty at its end, and while there is no such file yet.
    async fn read(&self, name: &str, offset: u64) -> Result<Vec<u8>, OutputError> {
        let path = format!("{}/{name}", self.directory);
        let read_file = call::ReadFile { path: path.clone(), offset, length: Some(PIECE_BYTES) };
        let request = Call {
            r#type: Some(call::Type::ReadFile.into()),
            read_file: Some(read_file),
            ..Call::default()
        };
        let media = "application/x-protobuf";
        let headers = [("content-type", media), ("accept", media)];
        let answer = wire::post(&self.agent, "/api/v1", &headers, pb::to_vec(&request)).await?;
        let status = answer.status();
        let body = wire::body(&self.agent, answer).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let agent = self.agent.clone();
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body).trim().to_owned();
            return Err(OutputError::Refused { agent, path, status: status.as_u16(), text });
        }
        let response: Response =
            pb::from_slice(&body).map_err(|source| OutputError::Malformed { agent, source })?;
        Ok(response.read_file.map(|read| read.data).unwrap_or_default())
    }
}
