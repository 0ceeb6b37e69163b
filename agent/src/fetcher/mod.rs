//! Brings what a command names by URI into its sandbox.

mod archive;
mod download;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::v1::command_info::Uri;
use tokio::sync::Semaphore;

pub(crate) use archive::ArchiveError;
pub(crate) use download::DownloadError;

use crate::containerizer::sandbox;
use crate::shim::spec::Credentials;

/// Containers whose URIs are fetched at the same time.
const FETCHES: usize = 64;

/// Why a URI could not be brought into the sandbox.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("'{uri}' is of no scheme that this agent fetches (file, http, https)")]
    Scheme { uri: String },
    #[error("'{uri}' names no file")]
    Name { uri: String },
    #[error("the output file '{output}' is not a path inside the sandbox")]
    Output { output: String },
    #[error("cannot copy '{uri}'")]
    Copy { uri: String, source: io::Error },
    #[error("cannot download '{uri}'")]
    Download { uri: String, source: DownloadError },
    #[error("cannot unpack '{uri}'")]
    Unpack { uri: String, source: ArchiveError },
    #[error("the fetcher was stopped")]
    Stopped,
}

/// Fetches the URIs of commands.
#[derive(Debug)]
pub(crate) struct Fetcher {
    stall_timeout: Duration,
    fetches: Arc<Semaphore>,
    /// How many containers' URIs were fetched, and how many could not be.
    pub(crate) counts: Counts,
}

/// Counters for metrics.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) succeeded: std::sync::atomic::AtomicU64,
    pub(crate) failed: std::sync::atomic::AtomicU64,
}

impl Fetcher {
    /// A download that stands still for `stall_timeout` fails.
    pub(crate) fn new(stall_timeout: Duration) -> Self {
        let fetches = Arc::new(Semaphore::new(FETCHES));
        Self { stall_timeout, fetches, counts: Counts::default() }
    }

    /// Brings every URI into the sandbox, one after the other, and makes `owner` own what came.
    pub(crate) async fn fetch_all(
        &self,
        uris: &[Uri],
        sandbox: &Path,
        owner: Option<&Credentials>,
    ) -> Result<(), FetchError> {
        if uris.is_empty() {
            return Ok(());
        }
        let _permit = self.fetches.acquire().await.map_err(|_| FetchError::Stopped)?;
        let mut result = Ok(());
        for uri in uris {
            result = self.fetch(uri, sandbox, owner).await;
            if result.is_err() {
                break;
            }
        }
        let count = if result.is_ok() { &self.counts.succeeded } else { &self.counts.failed };
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        result
    }

    async fn fetch(
        &self,
        uri: &Uri,
        sandbox: &Path,
        owner: Option<&Credentials>,
    ) -> Result<(), FetchError> {
        let name = output_name(uri)?;
        let file = sandbox.join(&name);
        match source(&uri.value)? {
            Source::File(path) => {
                let (to, doing, reader) = (file.clone(), uri.value.clone(), owner.cloned());
                run_blocking(move || copy(&path, &to, reader.as_ref()))
                    .await?
                    .map_err(|source| FetchError::Copy { uri: doing, source })?;
            }
            Source::Http(address) => {
                let target = create(&file)
                    .map_err(|source| FetchError::Copy { uri: uri.value.clone(), source })?;
                download::download(&address, target, self.stall_timeout)
                    .await
                    .map_err(|source| FetchError::Download { uri: uri.value.clone(), source })?;
            }
        }
        let (uri, sandbox, owner) = (uri.clone(), sandbox.to_owned(), owner.cloned());
        run_blocking(move || finish(&uri, &file, &sandbox, owner.as_ref())).await?
    }
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FetchError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FetchError::Stopped)
}

/// Unpacks or marks executable what has come, and gives it to the container's user.
fn finish(
    uri: &Uri,
    file: &Path,
    sandbox: &Path,
    owner: Option<&Credentials>,
) -> Result<(), FetchError> {
    let copy_failed = |source| FetchError::Copy { uri: uri.value.clone(), source };
    sandbox::give(file, owner).map_err(copy_failed)?;
    if uri.executable() {
        return fs::set_permissions(file, fs::Permissions::from_mode(0o755)).map_err(copy_failed);
    }
    if uri.extract() {
        archive::unpack(file, sandbox, owner)
            .map_err(|source| FetchError::Unpack { uri: uri.value.clone(), source })?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Http(String),
}

fn source(uri: &str) -> Result<Source, FetchError> {
    if let Some(rest) = uri.strip_prefix("file://") {
        // `file://localhost/path` and `file:///path` are the same file.
        return Ok(Source::File(PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest))));
    }
    if uri.starts_with('/') {
        return Ok(Source::File(PathBuf::from(uri)));
    }
    if uri.starts_with("http://") || uri.starts_with("https://") {
        return Ok(Source::Http(uri.to_owned()));
    }
    Err(FetchError::Scheme { uri: uri.to_owned() })
}

/// Where in the sandbox a URI's file goes: its `output_file`, or its last segment.
fn output_name(uri: &Uri) -> Result<PathBuf, FetchError> {
    if let Some(output) = &uri.output_file {
        let path = Path::new(output);
        let is_inside = !output.is_empty()
            && path.components().all(|part| matches!(part, Component::Normal(_)));
        let refused = || FetchError::Output { output: output.clone() };
        return is_inside.then(|| path.to_owned()).ok_or_else(refused);
    }
    let path = uri.value.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let name = path.trim_end_matches('/').rsplit_once('/').map_or("", |(_, name)| name);
    let refused = || FetchError::Name { uri: uri.value.clone() };
    sandbox::is_name(name).then(|| PathBuf::from(name)).ok_or_else(refused)
}

/// A new file at `path`. What was there, a planted link above all, is replaced and not followed.
fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)
}

/// Copies a file that `reader` may read: the agent, which may read all, must not lend its rights.
fn copy(from: &Path, to: &Path, reader: Option<&Credentials>) -> io::Result<()> {
    // A fifo in its place must not be waited for.
    let mut source = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(from)?;
    let metadata = source.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if reader.is_some_and(|reader| !may_read(&metadata, reader)) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "its user may not read it"));
    }
    let mut target = create(to)?;
    io::copy(&mut source, &mut target)?;
    target.set_permissions(fs::Permissions::from_mode(metadata.permissions().mode() & 0o777))
}

/// Whether the file's mode lets this user read it. As in the kernel, the first class that fits
/// decides.
fn may_read(metadata: &fs::Metadata, reader: &Credentials) -> bool {
    let mode = metadata.mode();
    if reader.user == 0 {
        return true;
    }
    if metadata.uid() == reader.user {
        return mode & 0o400 != 0;
    }
    if metadata.gid() == reader.group || reader.groups.contains(&metadata.gid()) {
        return mode & 0o040 != 0;
    }
    mode & 0o004 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: &str, output: Option<&str>) -> Option<PathBuf> {
        let output_file = output.map(str::to_owned);
        output_name(&Uri { value: value.to_owned(), output_file, ..Uri::default() }).ok()
    }

    #[test]
    fn files_are_named_by_their_uri() {
        assert_eq!(name("/a/b.txt", None), Some("b.txt".into()));
        assert_eq!(name("http://h/a/b.tar.gz?x=/y#z", None), Some("b.tar.gz".into()));
        assert_eq!(name("http://h/a", Some("d/e")), Some("d/e".into()));
    }

    #[test]
    fn names_that_lead_out_of_the_sandbox_are_refused() {
        for (value, output) in [
            ("http://h", None),
            ("http://h/", None),
            ("http://h/..", None),
            ("/", None),
            ("/a", Some("../b")),
            ("/a", Some("/b")),
            ("/a", Some("")),
            ("/a", Some("b/../../c")),
        ] {
            assert_eq!(name(value, output), None, "{value} {output:?}");
        }
    }

    #[test]
    fn only_known_schemes_are_fetched() {
        assert_eq!(source("file:///a").ok(), Some(Source::File("/a".into())));
        assert_eq!(source("/a").ok(), Some(Source::File("/a".into())));
        assert!(matches!(source("https://h/a"), Ok(Source::Http(_))));
        for uri in ["ftp://h/a", "hdfs://h/a", "a", ""] {
            assert!(source(uri).is_err(), "{uri}");
        }
    }

    #[tokio::test]
    async fn a_planted_link_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sandbox = directory.path().join("sandbox");
        let victim = directory.path().join("victim");
        let wanted = directory.path().join("wanted");
        fs::create_dir(&sandbox).expect("made");
        fs::write(&victim, "old").expect("written");
        fs::write(&wanted, "new").expect("written");
        std::os::unix::fs::symlink(&victim, sandbox.join("wanted")).expect("linked");
        let uri = Uri { value: wanted.display().to_string(), ..Uri::default() };
        let fetcher = Fetcher::new(Duration::from_secs(5));
        fetcher.fetch_all(&[uri], &sandbox, None).await.expect("fetched");
        assert_eq!(fs::read_to_string(victim).expect("read"), "old");
        assert_eq!(fs::read_to_string(sandbox.join("wanted")).expect("read"), "new");
    }

    #[tokio::test]
    async fn what_cannot_be_fetched_is_named() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let fetcher = Fetcher::new(Duration::from_secs(5));
        for value in ["/no/such/file", "/tmp", "ftp://h/a", "http://127.0.0.1:1/a"] {
            let uri = Uri { value: value.to_owned(), ..Uri::default() };
            let error = fetcher.fetch_all(&[uri], directory.path(), None).await.expect_err(value);
            assert!(error.to_string().contains(value), "{error}");
        }
        assert_eq!(fetcher.counts.failed.load(std::sync::atomic::Ordering::Relaxed), 4);
    }

    #[test]
    fn users_fetch_only_what_they_may_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let (owner, group) = {
            let metadata = file.path().metadata().expect("metadata");
            (metadata.uid(), metadata.gid())
        };
        let stranger = |groups: &[u32]| Credentials {
            user: owner + 1000,
            group: group + 1000,
            groups: groups.to_vec(),
        };
        for (mode, by_stranger, by_member) in
            [(0o600, false, false), (0o640, false, true), (0o604, true, false), (0o644, true, true)]
        {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(file.path(), permissions).expect("changed");
            let metadata = file.path().metadata().expect("metadata");
            assert_eq!(may_read(&metadata, &stranger(&[])), by_stranger, "{mode:o}");
            assert_eq!(may_read(&metadata, &stranger(&[group])), by_member, "{mode:o}");
        }
    }
}
