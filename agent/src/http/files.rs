//! Sandbox files: listed, read in parts, downloaded (semantics 268, 285).

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, HeaderValue};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use nix::unistd::{Gid, Group, Uid, User};
use protocol::files::{self, FileError, Part, Wanted};
use protocol::v1;
use serde_json::Value;
use tokio_util::codec::{BytesCodec, FramedRead};

use super::Api;
use super::reply::{self, Reply};
use super::request::Query;

/// The name of the agent's own log, if there is a file of it.
const LOG: &str = "/slave/log";

/// Where a path leads: a real one below the work directory's sandboxes, or a virtual one for an
/// executor's newest sandbox. Links are followed, but not out of the sandboxes and volumes.
fn resolve(api: &Api, path: &str) -> Result<PathBuf, FileError> {
    if let Some(log) = api.config.external_log_file.as_ref().filter(|_| path == LOG) {
        return Ok(log.clone());
    }
    let agent_id = api.known.read().state.agent_id().to_owned();
    let work_dir = &api.config.work_dir;
    let place = place(work_dir, &agent_id, path).ok_or(FileError::NotFound)?;
    let real = place.canonicalize()?;
    let shown = ["slaves", "volumes/roles"].map(|name| work_dir.join(name).canonicalize());
    let is_shown = shown.iter().flatten().any(|root| real.starts_with(root));
    if is_shown { Ok(real) } else { Err(FileError::NotFound) }
}

fn place(work_dir: &Path, agent_id: &str, path: &str) -> Option<PathBuf> {
    let real = Path::new(path);
    if real.starts_with(work_dir) {
        return Some(real.to_owned());
    }
    let agent = work_dir.join("slaves").join(agent_id);
    let mut parts = path.trim_start_matches('/').splitn(5, '/');
    let mut next = || parts.next().unwrap_or_default();
    let names = [next(), next(), next(), next(), next()];
    let [first, framework, second, executor, rest] = names;
    let rest = match (first, second) {
        ("frameworks", "executors") => rest.to_owned(),
        ("framework", "executor") => format!("runs/{rest}"),
        _ => return None,
    };
    Some(agent.join("frameworks").join(framework).join("executors").join(executor).join(rest))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(FileError::Io(io::Error::other(error))))
}

/// What is in a directory, by name; the paths shown begin with the one asked for.
pub(super) async fn list(api: &Api, path: &str) -> Result<Vec<v1::FileInfo>, FileError> {
    let (real, shown) = (resolve(api, path)?, path.trim_end_matches('/').to_owned());
    blocking(move || files::list(&real, &shown, owner)).await
}

/// The names of a file's user and group, or their numbers if they have none.
fn owner(metadata: &Metadata) -> (String, String) {
    let (user, group) = files::numbers(metadata);
    let known_user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    let known_group = Group::from_gid(Gid::from_raw(metadata.gid())).ok().flatten();
    (known_user.map_or(user, |it| it.name), known_group.map_or(group, |it| it.name))
}

pub(super) async fn read_part(
    api: &Api,
    path: &str,
    offset: u64,
    length: Option<u64>,
) -> Result<Part, FileError> {
    let real = resolve(api, path)?;
    blocking(move || files::read(&real, offset, length)).await
}

pub(super) fn refuse(error: &FileError) -> Reply {
    match error {
        FileError::NotFound => reply::text(StatusCode::NOT_FOUND, ""),
        FileError::Directory => reply::bad_request(error.to_string()),
        FileError::Io(_) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// Which names there are, and what is behind them.
pub(super) fn debug(api: &Api) -> Value {
    let work_dir = &api.config.work_dir;
    let roots = ["slaves", "volumes/roles"].map(|name| work_dir.join(name));
    let roots = roots.iter().map(|root| (root.display().to_string(), root));
    let log = api.config.external_log_file.as_ref().map(|log| (LOG.to_owned(), log));
    let shown = roots.chain(log).map(|(name, real)| (name, real.display().to_string().into()));
    Value::Object(shown.collect())
}

pub(super) async fn browse(api: &Api, query: &Query) -> Reply {
    let path = match files::path_of(query.get("path")) {
        Ok(path) => path,
        Err(refusal) => return reply::bad_request(refusal),
    };
    match list(api, path).await {
        Ok(found) => reply::view(&found.iter().map(files::classic).collect(), query),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn read(api: &Api, query: &Query) -> Reply {
    let asked = Wanted::parse(query.get("path"), query.get("offset"), query.get("length"));
    let wanted = match asked {
        Ok(wanted) => wanted,
        Err(refusal) => return reply::bad_request(refusal),
    };
    let read = match resolve(api, wanted.path()) {
        Ok(real) => blocking(move || wanted.read(&real)).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(shown) => reply::view(&shown, query),
        Err(error) => refuse(&error),
    }
}

pub(super) async fn download(api: &Api, query: &Query) -> Reply {
    let path = match files::path_of(query.get("path")) {
        Ok(path) => path,
        Err(refusal) => return reply::bad_request(refusal),
    };
    let opened = match resolve(api, path) {
        Ok(real) => blocking(move || files::open(&real)).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok((file, size)) => stream(path, file, size),
        Err(error) => refuse(&error),
    }
}

fn stream(path: &str, file: File, size: u64) -> Reply {
    use tokio::io::AsyncReadExt;
    // A log that grows meanwhile must not make the body longer than its length says.
    let content = tokio::fs::File::from_std(file).take(size);
    let frames = FramedRead::new(content, BytesCodec::new())
        .map(|bytes| bytes.map(|bytes| Frame::data(Bytes::from(bytes))));
    let body = UnsyncBoxBody::new(StreamBody::new(frames));
    let mut reply = reply::stream("application/octet-stream", body);
    if let Ok(disposition) = HeaderValue::from_str(&files::disposition(path)) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(place(Path::new("/w"), "a", path), expected.map(PathBuf::from), "{path}");
    }

    #[test]
    fn virtual_paths_lead_to_sandboxes() {
        check("/w/slaves/a/x", Some("/w/slaves/a/x"));
        let run = "/w/slaves/a/frameworks/f/executors/e/runs/latest";
        check("/frameworks/f/executors/e/runs/latest", Some(run));
        check("/framework/f/executor/e/latest", Some(run));
        check("/framework/f/executor/e/latest/d/x", Some(&format!("{run}/d/x")));
        check("/etc/passwd", None);
        check("", None);
    }
}
