//! Isolator: volumes of type `SANDBOX_PATH`, which tasks of one executor share through its sandbox
//! (PARENT), or which are directories of a sandbox under a second name (SELF). They appear as links.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, fchown};
use protocol::v1;
use protocol::v1::volume::source::{self, sandbox_path};

use super::user::SwitchUser;
use super::volumes::place;
use super::{Container, IsolateError, Isolator};
use crate::shim::spec::{Credentials, Spec};

/// Links directories of sandboxes into sandboxes.
#[derive(Debug)]
pub(crate) struct SandboxPaths {
    users: SwitchUser,
}

/// Whether a volume is one that this isolator makes.
pub(super) fn is_one(volume: &v1::Volume) -> bool {
    volume.source.as_ref().is_some_and(|it| it.r#type() == source::Type::SandboxPath)
}

impl SandboxPaths {
    pub(crate) fn new(switch_user: bool) -> Self {
        Self { users: SwitchUser::new(switch_user) }
    }

    fn link(&self, container: &Container, volume: &v1::Volume) -> Result<(), IsolateError> {
        let wanted = volume.source.as_ref().and_then(|source| source.sandbox_path.as_ref());
        let Some(wanted) = wanted else { return Ok(()) };
        let inside = &volume.container_path;
        if volume.mode() != v1::volume::Mode::Rw {
            // a link cannot hold to it
            return Err(IsolateError::Refused(format!("the volume '{inside}' must be writable")));
        }
        let root = match (wanted.r#type(), &container.parent) {
            (sandbox_path::Type::Self_, _) => &container.sandbox,
            (sandbox_path::Type::Parent, Some(parent)) => &parent.sandbox,
            (sandbox_path::Type::Parent, None) => {
                return Err(IsolateError::Refused(format!(
                    "the volume '{inside}' is of a parent that the container does not have"
                )));
            }
            (sandbox_path::Type::Unknown, _) => {
                return Err(IsolateError::Refused(format!("the volume '{inside}' has no type")));
            }
        };
        let link = place(&container.sandbox, inside)?;
        place(root, &wanted.path)?;
        let owner = self.users.credentials(&container.user)?;
        let failed = |source: io::Error| IsolateError::Io {
            doing: format!("cannot make the volume '{inside}'"),
            source,
        };
        let directory =
            make_below(root, Path::new(&wanted.path), owner.as_ref()).map_err(failed)?;
        if let Some(above) = link.parent() {
            std::fs::create_dir_all(above).map_err(failed)?;
        }
        match symlink(directory, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result.map_err(failed),
        }
    }
}

impl Isolator for SandboxPaths {
    fn name(&self) -> &'static str {
        "volume/sandbox_path"
    }

    fn prepare(&self, container: &Container, _spec: &mut Spec) -> Result<(), IsolateError> {
        let volumes = container.info.iter().flat_map(|info| &info.volumes);
        volumes.filter(|volume| is_one(volume)).try_for_each(|volume| self.link(container, volume))
    }
}

/// Makes a directory below `root` where it is missing. Other tasks may write to what lies between: no
/// link is followed, and only what is new changes its owner.
fn make_below(root: &Path, path: &Path, owner: Option<&Credentials>) -> io::Result<PathBuf> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut directory: OwnedFd = openat(AT_FDCWD, root, flags, Mode::empty())?;
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        let made = mkdirat(&directory, name, Mode::from_bits_truncate(0o755));
        let next = match made {
            Ok(()) | Err(nix::Error::EEXIST) => openat(&directory, name, flags, Mode::empty())?,
            Err(error) => return Err(error.into()),
        };
        if let (Ok(()), Some(owner)) = (made, owner) {
            fchown(&next, Some(Uid::from_raw(owner.user)), Some(Gid::from_raw(owner.group)))?;
        }
        directory = next;
    }
    Ok(root.join(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use protocol::v1::volume::source::SandboxPath;

    use super::super::Parent;
    use super::*;

    /// Makes one volume, of its parent or of itself, in a container with a parent or without.
    fn link(
        work: &Path,
        (r#type, path): (sandbox_path::Type, &str),
        (mode, has_parent): (v1::volume::Mode, bool),
    ) -> Result<(), IsolateError> {
        let sandbox = work.join("containers/c");
        fs::create_dir_all(&sandbox).expect("a sandbox");
        let parent = has_parent.then(|| Parent {
            sandbox: work.to_owned(),
            user: String::new(),
            resources: Vec::new(),
            task_id: "t".to_owned(),
        });
        let container = Container { id: "p.c".to_owned(), sandbox, parent, ..Container::default() };
        let sandbox_path = SandboxPath { r#type: Some(r#type.into()), path: path.to_owned() };
        let source = v1::volume::Source {
            r#type: Some(source::Type::SandboxPath.into()),
            sandbox_path: Some(sandbox_path),
            ..Default::default()
        };
        let volume = v1::Volume {
            mode: mode.into(),
            container_path: "seen/here".to_owned(),
            source: Some(source),
            ..Default::default()
        };
        assert!(is_one(&volume));
        SandboxPaths::new(false).link(&container, &volume)
    }

    const PARENT: sandbox_path::Type = sandbox_path::Type::Parent;
    const RW: v1::volume::Mode = v1::volume::Mode::Rw;

    #[test]
    fn volumes_are_directories_of_sandboxes() {
        let work = tempfile::tempdir().expect("a temporary directory");
        for _ in 0..2 {
            link(work.path(), (PARENT, "shared/data"), (RW, true)).expect("linked");
        }
        let seen = work.path().join("containers/c/seen/here");
        fs::write(seen.join("file"), "x").expect("written");
        assert!(work.path().join("shared/data/file").exists());
        let work = tempfile::tempdir().expect("a temporary directory");
        link(work.path(), (sandbox_path::Type::Self_, "own"), (RW, false)).expect("linked");
        assert!(work.path().join("containers/c/own").is_dir());
    }

    #[test]
    fn what_cannot_be_held_to_is_refused() {
        let work = tempfile::tempdir().expect("a temporary directory");
        let refused = |wanted, how| {
            let error = link(work.path(), wanted, how).expect_err("refused");
            assert!(matches!(error, IsolateError::Refused(_)), "{error}");
        };
        refused((PARENT, "shared"), (RW, false));
        refused((PARENT, "shared"), (v1::volume::Mode::Ro, true));
        refused((PARENT, "../shared"), (RW, true));
        refused((PARENT, "/etc"), (RW, true));
        refused((sandbox_path::Type::Unknown, "shared"), (RW, true));
    }

    #[test]
    fn links_of_other_tasks_are_not_followed() {
        let work = tempfile::tempdir().expect("a temporary directory");
        let outside = tempfile::tempdir().expect("a temporary directory");
        symlink(outside.path(), work.path().join("shared")).expect("a link");
        link(work.path(), (PARENT, "shared/data"), (RW, true)).expect_err("not followed");
        assert_eq!(fs::read_dir(outside.path()).expect("a directory").count(), 0);
    }
}
