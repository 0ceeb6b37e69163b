//! `/files/…`, `LIST_FILES` and `READ_FILE`: a master's own log, if it is told which file that is
//! (`--external-log-file`; semantics 268, 285). Each master shows its own.

use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use http::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use protocol::files::{self, FileError, Wanted};
use protocol::v1::master::response::{ListFiles, ReadFile, Type};
use protocol::v1::master::{Call, Response as Answer};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_util::codec::{BytesCodec, FramedRead};

use super::body::{Body, Refusal, boxed, whole};
use super::classic::json_or_jsonp;
use super::route::{Files, parameter};
use crate::master::Master;
use crate::views::json::to_vec;

/// The log's name for clients.
const LOG: &str = "/master/log";
const BYTES: &str = "application/octet-stream";

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NotFound => Self::Unknown(String::new()),
            FileError::Directory => Self::BadRequest(error.to_string()),
            FileError::Io(_) => Self::Unavailable(error.to_string()),
        }
    }
}

/// The file that a client's path names.
fn resolve(master: &Master, path: &str) -> Result<PathBuf, FileError> {
    let log = master.config.external_log_file.clone().filter(|_| path == LOG);
    log.ok_or(FileError::NotFound)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| FileError::Io(std::io::Error::other(error)));
    Ok(done.and_then(|done| done)?)
}

/// Answers one request.
pub(super) async fn answer(
    master: &Master,
    endpoint: Files,
    query: &str,
) -> Result<Response<Body>, Refusal> {
    let asked = |name: &str| parameter(query, name);
    let path = asked("path");
    let shown: Value = match endpoint {
        Files::Debug => {
            let log = master.config.external_log_file.as_ref();
            log.map_or_else(|| json!({}), |log| json!({ LOG: log.display().to_string() }))
        }
        Files::Browse => {
            let path = files::path_of(path.as_deref()).map_err(Refusal::BadRequest)?.to_owned();
            let real = resolve(master, &path)?;
            let found = blocking(move || files::list(&real, &path, files::numbers)).await?;
            found.iter().map(files::classic).collect()
        }
        Files::Read => {
            let (offset, length) = (asked("offset"), asked("length"));
            let wanted = Wanted::parse(path.as_deref(), offset.as_deref(), length.as_deref());
            let wanted = wanted.map_err(Refusal::BadRequest)?;
            let real = resolve(master, wanted.path())?;
            blocking(move || wanted.read(&real)).await?
        }
        Files::Download => {
            let path = files::path_of(path.as_deref()).map_err(Refusal::BadRequest)?;
            return download(path, resolve(master, path)?).await;
        }
    };
    json_or_jsonp(query, to_vec(&shown).into())
}

async fn download(path: &str, real: PathBuf) -> Result<Response<Body>, Refusal> {
    let (file, size) = blocking(move || files::open(&real)).await?;
    // a log that grows meanwhile must not make the body longer than its length says
    let content = tokio::fs::File::from_std(file).take(size);
    let frames =
        FramedRead::new(content, BytesCodec::new()).map_ok(|bytes| Frame::data(Bytes::from(bytes)));
    let mut response = whole(BYTES, Bytes::new());
    *response.body_mut() = boxed(StreamBody::new(frames));
    response.headers_mut().insert(CONTENT_LENGTH, size.into());
    if let Ok(disposition) = HeaderValue::from_str(&files::disposition(path)) {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// Answers `LIST_FILES`.
pub(super) async fn list(master: &Master, call: Call) -> Result<Answer, Refusal> {
    let path = call.list_files.unwrap_or_default().path;
    let real = resolve(master, &path)?;
    let file_infos = blocking(move || files::list(&real, &path, files::numbers)).await?;
    let list_files = Some(ListFiles { file_infos });
    Ok(Answer { r#type: Some(Type::ListFiles.into()), list_files, ..Answer::default() })
}

/// Answers `READ_FILE`.
pub(super) async fn read(master: &Master, call: Call) -> Result<Answer, Refusal> {
    let asked = call.read_file.unwrap_or_default();
    let real = resolve(master, &asked.path)?;
    let part = blocking(move || files::read(&real, asked.offset, asked.length)).await?;
    let read_file = Some(ReadFile { size: part.size, data: part.data });
    Ok(Answer { r#type: Some(Type::ReadFile.into()), read_file, ..Answer::default() })
}
