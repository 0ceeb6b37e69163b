//! Where containers work: one directory each, with their output in it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::checkpoint::state::ExecutorKey;
use crate::shim::spec::Credentials;

/// Name of the link to an executor's newest sandbox, beside it.
pub(crate) const LATEST: &str = "latest";

/// The sandbox of a container (semantics 268).
pub(crate) fn path(
    work_dir: &Path,
    agent_id: &str,
    executor: &ExecutorKey,
    container_id: &str,
) -> PathBuf {
    runs(work_dir, agent_id, executor).join(container_id)
}

/// Directory of all sandboxes of an executor.
pub(crate) fn runs(work_dir: &Path, agent_id: &str, executor: &ExecutorKey) -> PathBuf {
    work_dir
        .join("slaves")
        .join(agent_id)
        .join("frameworks")
        .join(&executor.framework_id)
        .join("executors")
        .join(&executor.executor_id)
        .join("runs")
}

/// Whether an id can be part of a path: one name, not too long, neither `.` nor `..` (semantics
/// 138).
pub(crate) fn is_name(id: &str) -> bool {
    let is_plain = |character: char| !character.is_control() && !matches!(character, '/' | '\\');
    (1..=255).contains(&id.len()) && id != "." && id != ".." && id.chars().all(is_plain)
}

/// Makes the sandbox with its `stdout` and `stderr`, all owned by `owner`, and points `latest` at
/// it.
pub(crate) fn make(sandbox: &Path, owner: Option<&Credentials>) -> io::Result<()> {
    let parent = sandbox.parent().unwrap_or(sandbox);
    fs::create_dir_all(parent)?;
    match DirBuilder::new().mode(0o755).create(sandbox) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => give(sandbox, owner)?,
    }
    for name in ["stdout", "stderr"] {
        let file = sandbox.join(name);
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&file)?;
        give(&file, owner)?;
    }
    point_latest(parent, sandbox)
}

/// Makes `owner` the owner of a file or directory.
pub(crate) fn give(path: &Path, owner: Option<&Credentials>) -> io::Result<()> {
    match owner {
        Some(owner) => chown(path, Some(owner.user), Some(owner.group)),
        None => Ok(()),
    }
}

fn point_latest(runs: &Path, sandbox: &Path) -> io::Result<()> {
    let Some(name) = sandbox.file_name() else { return Ok(()) };
    let draft = runs.join(format!(".{LATEST}.{}", name.to_string_lossy()));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(name, &draft)?;
    fs::rename(&draft, runs.join(LATEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_can_be_made_twice() {
        let work = tempfile::tempdir().expect("a temporary directory");
        let executor = ExecutorKey { framework_id: "f".to_owned(), executor_id: "e".to_owned() };
        for container in ["c1", "c2", "c2"] {
            let sandbox = path(work.path(), "a", &executor, container);
            make(&sandbox, None).expect("made");
            fs::write(sandbox.join("stdout"), "output").expect("written");
            let latest = runs(work.path(), "a", &executor).join(LATEST);
            assert_eq!(fs::read_link(latest).expect("a link"), Path::new(container));
        }
        let kept = path(work.path(), "a", &executor, "c2").join("stdout");
        assert_eq!(fs::read_to_string(kept).expect("read"), "output");
    }

    #[test]
    fn ids_that_would_leave_their_directory_are_no_names() {
        for id in ["", ".", "..", "a/b", "../a", "a\\b", "a\0b", "a\nb"] {
            assert!(!is_name(id), "{id:?}");
        }
        assert!(!is_name(&"a".repeat(256)));
        for id in ["a", "...", "a.b", "t-1", "ü", &"a".repeat(255)] {
            assert!(is_name(id), "{id:?}");
        }
    }
}
