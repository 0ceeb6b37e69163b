//! Where containers work: one directory each, with their output in it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::{Parent, container_id};
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

/// The sandbox of a task's container in its executor's.
pub(crate) fn nested(parent: &Path, container_id: &str) -> PathBuf {
    parent.join("containers").join(container_id::own(container_id))
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
    make_files(sandbox, owner, owner)?;
    let Some(name) = sandbox.file_name() else { return Ok(()) };
    point(&parent.join(LATEST), Path::new(name), name)
}

/// Makes the sandbox of a task's container, owned by `owner`, in that of its executor, whose output
/// belongs to `parent_owner`, and points `tasks/<task>` there at it.
///
/// The executor's own directory stays the agent's: tasks that may write to it could have the agent
/// follow links of theirs.
pub(crate) fn make_nested(
    sandbox: &Path,
    owner: Option<&Credentials>,
    parent: &Parent,
    parent_owner: Option<&Credentials>,
) -> io::Result<()> {
    let runs = parent.sandbox.parent().unwrap_or(&parent.sandbox);
    let (Some(name), Some(own)) = (parent.sandbox.file_name(), sandbox.file_name()) else {
        return Ok(());
    };
    make_files(&parent.sandbox, None, parent_owner)?;
    point(&runs.join(LATEST), Path::new(name), own)?;
    make_files(sandbox, owner, owner)?;
    let tasks = parent.sandbox.join("tasks");
    fs::create_dir_all(&tasks)?;
    point(&tasks.join(&parent.task_id), &Path::new("../containers").join(own), own)
}

fn make_files(
    sandbox: &Path,
    owner: Option<&Credentials>,
    owner_of_files: Option<&Credentials>,
) -> io::Result<()> {
    fs::create_dir_all(sandbox.parent().unwrap_or(sandbox))?;
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
        give(&file, owner_of_files)?;
    }
    Ok(())
}

/// Makes `owner` the owner of a file or directory.
pub(crate) fn give(path: &Path, owner: Option<&Credentials>) -> io::Result<()> {
    match owner {
        Some(owner) => chown(path, Some(owner.user), Some(owner.group)),
        None => Ok(()),
    }
}

/// Makes a link, or changes where it points, at once. `name` is that of whom this is done for: others
/// may do the same meanwhile.
fn point(link: &Path, target: &Path, name: &OsStr) -> io::Result<()> {
    let draft = link.with_file_name(format!(".draft.{}", name.to_string_lossy()));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, &draft)?;
    fs::rename(&draft, link)
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
    fn tasks_of_a_group_have_sandboxes_in_that_of_their_executor() {
        let work = tempfile::tempdir().expect("a temporary directory");
        let executor = ExecutorKey { framework_id: "f".to_owned(), executor_id: "e".to_owned() };
        let whole = path(work.path(), "a", &executor, "c");
        // the second task has the id of the first, which is over
        for (container_id, task_id) in [("c.1", "t"), ("c.2", "t"), ("c.2", "t"), ("c.3", "u")] {
            let parent = Parent {
                sandbox: whole.clone(),
                user: String::new(),
                resources: Vec::new(),
                task_id: task_id.to_owned(),
            };
            let own = nested(&whole, container_id);
            make_nested(&own, None, &parent, None).expect("made");
            let through = whole.join("tasks").join(task_id).canonicalize().expect("a link");
            assert_eq!(through, own.canonicalize().expect("a sandbox"));
            assert!(through.join("stdout").exists() && whole.join("stderr").exists());
        }
        assert!(runs(work.path(), "a", &executor).join(LATEST).join("containers/1").exists());
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
