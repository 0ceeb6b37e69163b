//! Isolator: persistent volumes appear in the sandbox, as links to directories that outlive the
//! task.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use protocol::v1;

use super::user::SwitchUser;
use super::{Container, IsolateError, Isolator, sandbox};
use crate::shim::spec::Spec;

/// Links persistent volumes into sandboxes.
#[derive(Debug)]
pub(crate) struct PersistentVolumes {
    work_dir: PathBuf,
    users: SwitchUser,
}

/// One persistent volume of the agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Volume {
    pub(crate) role: String,
    pub(crate) id: String,
}

impl Volume {
    /// The volume that a resource is, if it is one whose names can be part of a path.
    pub(crate) fn of(resource: &v1::Resource) -> Option<Self> {
        let mut resource = resource.clone();
        protocol::resource::upgrade(&mut resource);
        let role = resource.reservations.last().and_then(|reservation| reservation.role.clone())?;
        let persistence = resource.disk.as_ref()?.persistence.as_ref()?;
        let is_safe = sandbox::is_name(&persistence.id) && role.split('/').all(sandbox::is_name);
        is_safe.then(|| Self { role, id: persistence.id.clone() })
    }

    /// Its directory, `<work_dir>/volumes/roles/<role>/<id>`.
    pub(crate) fn directory(&self, work_dir: &Path) -> PathBuf {
        // A role's own separators must not make directories that another role could share.
        let role = self.role.replace('/', " ");
        work_dir.join("volumes/roles").join(role).join(&self.id)
    }
}

impl PersistentVolumes {
    pub(crate) fn new(work_dir: &Path, switch_user: bool) -> Self {
        Self { work_dir: work_dir.to_owned(), users: SwitchUser::new(switch_user) }
    }

    /// Links a resource, if it is a volume, into a sandbox in which processes of `user` may work.
    fn link(
        &self,
        sandbox: &Path,
        user: &str,
        resource: &v1::Resource,
    ) -> Result<(), IsolateError> {
        let Some(volume) = Volume::of(resource) else { return Ok(()) };
        let info = resource.disk.as_ref().and_then(|disk| disk.volume.as_ref());
        let Some(inside) = info.map(|info| info.container_path.clone()) else { return Ok(()) };
        let failed = |source: io::Error| IsolateError::Io {
            doing: format!("cannot link the persistent volume {} to '{inside}'", volume.id),
            source,
        };
        let link = place(sandbox, &inside)?;
        let directory = volume.directory(&self.work_dir);
        fs::create_dir_all(&directory).map_err(failed)?;
        let owner = self.users.credentials(user)?;
        sandbox::give(&directory, owner.as_ref()).map_err(failed)?;
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        match symlink(&directory, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result.map_err(failed),
        }
    }
}

impl Isolator for PersistentVolumes {
    fn name(&self) -> &'static str {
        "filesystem/posix"
    }

    fn prepare(&self, container: &Container, _spec: &mut Spec) -> Result<(), IsolateError> {
        let Container { sandbox, user, share, parent, .. } = container;
        share.resources.iter().try_for_each(|resource| self.link(sandbox, user, resource))?;
        let Some(parent) = parent else { return Ok(()) };
        let mut resources = parent.resources.iter();
        resources.try_for_each(|resource| self.link(&parent.sandbox, &parent.user, resource))
    }
}

/// Where a path inside the container is on this machine; it must not lead out of the sandbox.
pub(super) fn place(sandbox: &Path, inside: &str) -> Result<PathBuf, IsolateError> {
    let is_inside = !inside.is_empty()
        && Path::new(inside).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_inside {
        return Err(IsolateError::Refused(format!(
            "the volume's path '{inside}' is not a path inside the sandbox"
        )));
    }
    Ok(sandbox.join(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(role: &str, id: &str) -> v1::Resource {
        let persistence =
            v1::resource::disk_info::Persistence { id: id.to_owned(), ..Default::default() };
        let disk = v1::resource::DiskInfo { persistence: Some(persistence), ..Default::default() };
        let reservation =
            v1::resource::ReservationInfo { role: Some(role.to_owned()), ..Default::default() };
        v1::Resource { reservations: vec![reservation], disk: Some(disk), ..Default::default() }
    }

    fn check(role: &str, id: &str, expected: Option<&str>) {
        let volume = Volume::of(&volume(role, id));
        let directory = volume.map(|volume| volume.directory(Path::new("/w")));
        assert_eq!(directory, expected.map(PathBuf::from));
    }

    #[test]
    fn volumes_have_a_directory_of_their_own() {
        check("a", "v", Some("/w/volumes/roles/a/v"));
        check("a/b", "v", Some("/w/volumes/roles/a b/v"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_no_volumes() {
        check("a", "..", None);
        check("a/../b", "v", None);
        check("a", "v/w", None);
    }

    #[test]
    fn links_stay_in_the_sandbox() {
        for inside in ["", "/etc", "../x", "a/../../x", "."] {
            assert!(place(Path::new("/s"), inside).is_err(), "{inside}");
        }
        assert_eq!(place(Path::new("/s"), "data/v").expect("inside"), Path::new("/s/data/v"));
    }
}
