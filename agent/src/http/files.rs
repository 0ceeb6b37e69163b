//! Sandbox files: listed, read in parts, downloaded (semantics 268, 285).

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, HeaderValue};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use nix::unistd::{Gid, Group, Uid, User};
use protocol::v1;
use serde_json::{Value, json};
use tokio_util::codec::{BytesCodec, FramedRead};

use super::Api;
use super::reply::{self, Reply};
use super::request::Query;

/// Longest part of a file that one call reads: 16 pages.
const PART_BYTES: u64 = 16 * 4096;
/// Entries of a directory that are listed.
const LIST_LIMIT: usize = 100_000;

/// Why a file cannot be shown.
#[derive(Debug)]
pub(super) enum FileError {
    NotFound,
    Directory,
    Io(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            _ => Self::Io(error),
        }
    }
}

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Of the whole file.
    pub(super) size: u64,
    pub(super) data: Vec<u8>,
}

/// Where a path leads: a real one below the work directory's sandboxes, or a virtual one for an
/// executor's newest sandbox. Links are followed, but not out of the sandboxes and volumes.
fn resolve(api: &Api, path: &str) -> Result<PathBuf, FileError> {
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
    blocking(move || {
        let mut files = Vec::new();
        for entry in fs::read_dir(&real)?.take(LIST_LIMIT) {
            let entry = entry?;
            let path = format!("{shown}/{}", entry.file_name().to_string_lossy());
            // A file that went meanwhile is not there.
            if let Ok(metadata) = fs::symlink_metadata(entry.path()) {
                files.push(file_info(path, &metadata));
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    })
    .await
}

fn file_info(path: String, metadata: &Metadata) -> v1::FileInfo {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(metadata.gid())).ok().flatten();
    v1::FileInfo {
        path,
        nlink: i32::try_from(metadata.nlink()).ok(),
        size: Some(metadata.size()),
        mtime: modified.map(|time| v1::TimeInfo { nanoseconds: time.as_nanos() as i64 }),
        mode: Some(metadata.mode()),
        uid: Some(user.map_or_else(|| metadata.uid().to_string(), |user| user.name)),
        gid: Some(group.map_or_else(|| metadata.gid().to_string(), |group| group.name)),
    }
}

/// Reads at most `length` bytes from `offset`, and never more than one part; beyond the end there
/// is nothing.
pub(super) async fn read_part(
    api: &Api,
    path: &str,
    offset: u64,
    length: Option<u64>,
) -> Result<Part, FileError> {
    let real = resolve(api, path)?;
    blocking(move || read_file(&real, offset, length.unwrap_or(PART_BYTES).min(PART_BYTES))).await
}

fn read_file(path: &Path, offset: u64, length: u64) -> Result<Part, FileError> {
    let (mut file, size) = open(path)?;
    let mut data = Vec::new();
    if offset < size {
        file.seek(SeekFrom::Start(offset))?;
        file.take(length).read_to_end(&mut data)?;
    }
    Ok(Part { size, data })
}

/// Opens a plain file. Others are not read: a fifo would wait for ever for its writer.
fn open(path: &Path) -> Result<(File, u64), FileError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::Io(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")));
    }
    Ok((File::open(path)?, metadata.size()))
}

pub(super) fn refuse(error: &FileError) -> Reply {
    match error {
        FileError::NotFound => reply::text(StatusCode::NOT_FOUND, ""),
        FileError::Directory => reply::bad_request("Cannot read a directory."),
        FileError::Io(error) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn wanted(query: &Query) -> Result<&str, Box<Reply>> {
    let path = query.get("path").filter(|path| !path.is_empty());
    path.ok_or_else(|| Box::new(reply::bad_request("Expecting 'path=value' in query.")))
}

pub(super) async fn browse(api: &Api, query: &Query) -> Reply {
    let path = match wanted(query) {
        Ok(path) => path,
        Err(refusal) => return *refusal,
    };
    match list(api, path).await {
        Ok(files) => reply::view(&files.iter().map(classic).collect(), query),
        Err(error) => refuse(&error),
    }
}

fn classic(file: &v1::FileInfo) -> Value {
    json!({
        "path": file.path,
        "nlink": file.nlink(),
        "size": file.size(),
        "mtime": file.mtime.as_ref().map_or(0, |time| time.nanoseconds / 1_000_000_000),
        "mode": mode_text(file.mode()),
        "uid": file.uid(),
        "gid": file.gid(),
    })
}

/// A mode as `ls` shows it.
fn mode_text(mode: u32) -> String {
    let kind = match mode & libc::S_IFMT {
        libc::S_IFDIR => 'd',
        libc::S_IFLNK => 'l',
        libc::S_IFIFO => 'p',
        libc::S_IFSOCK => 's',
        libc::S_IFCHR => 'c',
        libc::S_IFBLK => 'b',
        _ => '-',
    };
    let bit = |place: u32| {
        let letter = ['r', 'w', 'x'][(8 - place) as usize % 3];
        if mode & (1 << place) == 0 { '-' } else { letter }
    };
    std::iter::once(kind).chain((0..9).rev().map(bit)).collect()
}

/// A number of a query that may be -1 or absent, which both mean none.
fn number(query: &Query, name: &str) -> Result<Option<u64>, Box<Reply>> {
    match query.get(name) {
        None | Some("-1") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Box::new(reply::bad_request(format!("Failed to parse {name}: '{text}' is no number")))
        }),
    }
}

/// Without an offset, only the file's size is told, as `offset`.
pub(super) async fn read(api: &Api, query: &Query) -> Reply {
    let asked = (wanted(query), number(query, "offset"), number(query, "length"));
    let (path, offset, length) = match asked {
        (Ok(path), Ok(offset), Ok(length)) => (path, offset, length),
        (Err(refusal), ..) | (_, Err(refusal), _) | (.., Err(refusal)) => return *refusal,
    };
    let limit = if offset.is_none() { Some(0) } else { length };
    match read_part(api, path, offset.unwrap_or(0), limit).await {
        Ok(part) => {
            let data = String::from_utf8_lossy(&part.data);
            let shown = json!({ "offset": offset.unwrap_or(part.size), "data": data });
            reply::view(&shown, query)
        }
        Err(error) => refuse(&error),
    }
}

pub(super) async fn download(api: &Api, query: &Query) -> Reply {
    let path = match wanted(query) {
        Ok(path) => path,
        Err(refusal) => return *refusal,
    };
    let opened = match resolve(api, path) {
        Ok(real) => blocking(move || open(&real)).await,
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
    let name = path.rsplit('/').next().unwrap_or_default().replace('"', "'");
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    if let Ok(disposition) = disposition {
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

    #[test]
    fn modes_look_as_in_a_listing() {
        assert_eq!(mode_text(0o100_644), "-rw-r--r--");
        assert_eq!(mode_text(0o040_755), "drwxr-xr-x");
        assert_eq!(mode_text(0o120_777), "lrwxrwxrwx");
    }

    #[test]
    fn parts_are_read_within_the_file() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("f");
        fs::write(&file, "0123456789").expect("written");
        for (offset, length, expected) in [(0, 4, "0123"), (8, 4, "89"), (10, 4, ""), (99, 4, "")] {
            let part = read_file(&file, offset, length).expect("read");
            assert_eq!((part.size, part.data.as_slice()), (10, expected.as_bytes()));
        }
        assert!(matches!(read_file(directory.path(), 0, 1), Err(FileError::Directory)));
    }
}
