//! Isolators that hold containers to what they asked for, by control groups: one per subsystem, and
//! this one, which all of them need.

pub(crate) mod cpu;
pub(crate) mod memory;
pub(crate) mod oom;
pub(crate) mod pids;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Container, IsolateError, Isolator};
use crate::cgroups::{Cgroups, Subsystem};
use crate::shim::spec::Spec;

/// Keeps the processes of each container together so that they can be killed as one, and removes the
/// cgroups of containers that have ended, whoever made them.
#[derive(Debug)]
pub(crate) struct Trees {
    cgroups: Arc<Cgroups>,
    /// Whether containers that are launched from now on are kept together (`--launcher=linux`).
    is_on: bool,
}

impl Trees {
    pub(crate) fn new(cgroups: Arc<Cgroups>, is_on: bool) -> Self {
        Self { cgroups, is_on }
    }
}

impl Isolator for Trees {
    fn name(&self) -> &'static str {
        if self.is_on { "launcher/linux" } else { "launcher/posix" }
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        if !self.is_on {
            return Ok(());
        }
        let tree = self.cgroups.tree(&container.id);
        std::fs::create_dir_all(tree.directory()).map_err(failed(tree.directory()))?;
        enter(spec, self.cgroups.entrance(tree.directory()));
        spec.tree = Some(tree);
        Ok(())
    }

    fn cleanup(&self, container_id: &str) -> Result<(), IsolateError> {
        self.cgroups.remove(container_id).map_err(|source| IsolateError::Io {
            doing: format!("cannot remove the cgroups of {container_id}"),
            source,
        })
    }
}

/// Makes the directory in which a container's processes are held to a subsystem. Tells it if the
/// container has it to itself, so that its limits have to be set.
fn prepare(
    cgroups: &Cgroups,
    subsystem: Subsystem,
    container: &Container,
    spec: &mut Spec,
) -> Result<Option<PathBuf>, IsolateError> {
    let shares = container.shares_cgroups();
    let made = if shares {
        cgroups.make_shared(subsystem, &container.id)
    } else {
        cgroups.make(subsystem, &container.id)
    };
    let directory = made.map_err(failed(&cgroups.directory(subsystem, &container.id)))?;
    enter(spec, cgroups.entrance(&directory));
    Ok((!shares).then_some(directory))
}

/// Has the container's first process enter a cgroup, once.
fn enter(spec: &mut Spec, entrance: PathBuf) {
    if !spec.cgroups.contains(&entrance) {
        spec.cgroups.push(entrance);
    }
}

fn failed(directory: &Path) -> impl FnOnce(io::Error) -> IsolateError {
    let doing = format!("cannot make the cgroup {}", directory.display());
    |source| IsolateError::Io { doing, source }
}

/// What a file of a cgroup could not be made to say.
fn not_set(directory: &Path) -> impl Fn(cgroups_rs::error::Error) -> IsolateError {
    let doing = format!("cannot set a limit of the cgroup {}", directory.display());
    move |error| IsolateError::Io { doing: doing.clone(), source: io::Error::other(error) }
}
