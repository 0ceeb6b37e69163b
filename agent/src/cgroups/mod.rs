//! Control groups, of the old kind (v1: a hierarchy per subsystem) and the new (v2: one for all),
//! behind one small face.
//!
//! Everything of ours is below `<root>/<agent>`, in each hierarchy:
//!
//! | | v1 | v2 |
//! |---|---|---|
//! | a container | `<mount>/<subsystem>/<root>/<agent>/<id>` | `<mount>/<root>/<agent>/<id>` |
//! | one in it | `<mount>/<subsystem>/<root>/<agent>/<id>/<own>` | `<mount>/<root>/<agent>/<id>/<own>` |
//!
//! `<agent>` tells agents apart that share a machine and a root, so that none cleans up after
//! another: it is the device and inode of the work directory, which stay what they are for as long
//! as cgroups do.
//!
//! Nothing is remembered: what exists is asked of the kernel, so that an agent that is killed at any
//! moment finds all that it left.

pub(crate) mod files;
pub(crate) mod sweep;
pub(crate) mod tree;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::containerizer::container_id;
use tree::Tree;

/// A part of the kernel that groups hold to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subsystem {
    /// First, since what is to be removed has to be killed before.
    Freezer,
    Cpu,
    Cpuacct,
    Memory,
    Pids,
}

impl Subsystem {
    pub(crate) const ALL: [Self; 5] =
        [Self::Freezer, Self::Cpu, Self::Cpuacct, Self::Memory, Self::Pids];

    /// What its hierarchy is called in v1.
    fn v1_name(self) -> &'static str {
        match self {
            Self::Freezer => "freezer",
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// The controller that has to be switched on in v2; nothing where every group has it.
    fn v2_controller(self) -> Option<&'static str> {
        match self {
            Self::Freezer | Self::Cpuacct => None,
            Self::Cpu => Some("cpu"),
            Self::Memory => Some("memory"),
            Self::Pids => Some("pids"),
        }
    }

    /// A file that groups have if and only if they hold to this subsystem.
    fn mark(self, is_unified: bool) -> &'static str {
        match (self, is_unified) {
            (Self::Freezer, false) => "freezer.state",
            (Self::Freezer, true) => "cgroup.freeze",
            (Self::Cpu, false) => "cpu.shares",
            (Self::Cpu, true) => "cpu.weight",
            (Self::Cpuacct, false) => "cpuacct.usage",
            (Self::Cpuacct, true) => "cpu.stat",
            (Self::Memory, false) => "memory.limit_in_bytes",
            (Self::Memory, true) => "memory.max",
            (Self::Pids, _) => "pids.max",
        }
    }
}

/// The hierarchies of this machine, and our place in them.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    /// Where each subsystem's hierarchy is, in the order of [`Subsystem::ALL`].
    hierarchies: [PathBuf; 5],
    /// `<root>/<agent>`.
    base: PathBuf,
    is_unified: bool,
}

impl Cgroups {
    /// Looks where cgroups are mounted. Nothing is made yet. Errors say in words what is missing.
    pub(crate) fn find(mount: &Path, root: &str, work_dir: &Path) -> Result<Self, String> {
        let is_unified = mount.join("cgroup.controllers").exists();
        let has_any = is_unified
            || Subsystem::ALL
                .iter()
                .any(|subsystem| mount.join(subsystem.v1_name()).join("cgroup.procs").exists());
        if !has_any {
            return Err(format!("no cgroups are mounted at {}", mount.display()));
        }
        let identity = fs::metadata(work_dir)
            .map_err(|error| format!("cannot look at {}: {error}", work_dir.display()))?;
        let agent = format!("{:x}-{:x}", identity.dev(), identity.ino());
        let hierarchy = |subsystem: Subsystem| {
            if is_unified {
                return mount.to_owned();
            }
            let mount = mount.join(subsystem.v1_name());
            // subsystems that are mounted together have links to one directory
            mount.canonicalize().unwrap_or(mount)
        };
        let hierarchies = Subsystem::ALL.map(hierarchy);
        Ok(Self { hierarchies, base: Path::new(root).join(agent), is_unified })
    }

    pub(crate) fn is_unified(&self) -> bool {
        self.is_unified
    }

    /// Makes our place in a subsystem's hierarchy, and proves by it that the subsystem can be used.
    /// Errors say in words what is missing.
    pub(crate) fn open(&self, subsystem: Subsystem) -> Result<(), String> {
        let hierarchy = self.hierarchy(subsystem);
        if !hierarchy.join("cgroup.procs").exists() {
            let name = subsystem.v1_name();
            return Err(format!("the subsystem {name} is not mounted at {}", hierarchy.display()));
        }
        let base = self.top(subsystem);
        fs::create_dir_all(&base)
            .map_err(|error| format!("cannot make the cgroup {}: {error}", base.display()))?;
        if self.is_unified
            && let Some(controller) = subsystem.v2_controller()
        {
            let mut above = Some(base.as_path());
            let mut chain = Vec::new();
            while let Some(directory) = above.filter(|above| above.starts_with(hierarchy)) {
                chain.push(directory);
                above = directory.parent();
            }
            for directory in chain.into_iter().rev() {
                switch_on(directory, controller).map_err(|error| {
                    let directory = directory.display();
                    format!("cannot switch on the controller {controller} in {directory}: {error}")
                })?;
            }
        }
        Ok(())
    }

    /// Where all of ours is in a subsystem's hierarchy.
    pub(crate) fn top(&self, subsystem: Subsystem) -> PathBuf {
        self.hierarchy(subsystem).join(&self.base)
    }

    fn hierarchy(&self, subsystem: Subsystem) -> &Path {
        let [freezer, cpu, cpuacct, memory, pids] = &self.hierarchies;
        match subsystem {
            Subsystem::Freezer => freezer,
            Subsystem::Cpu => cpu,
            Subsystem::Cpuacct => cpuacct,
            Subsystem::Memory => memory,
            Subsystem::Pids => pids,
        }
    }

    /// The container's own directory, whether it exists or not.
    pub(crate) fn directory(&self, subsystem: Subsystem, container_id: &str) -> PathBuf {
        let top = self.top(subsystem);
        container_id::path(container_id).fold(top, |directory, part| directory.join(part))
    }

    /// The directory whose limits hold for the container: its own, or that of what it lives in.
    /// Nothing if there is neither.
    pub(crate) fn place(&self, subsystem: Subsystem, container_id: &str) -> Option<PathBuf> {
        let own = self.own(subsystem, container_id);
        own.or_else(|| self.own(subsystem, container_id::parent(container_id)?))
    }

    /// The container's own directory, if that holds to the subsystem.
    pub(crate) fn own(&self, subsystem: Subsystem, container_id: &str) -> Option<PathBuf> {
        let directory = self.directory(subsystem, container_id);
        directory.join(subsystem.mark(self.is_unified)).exists().then_some(directory)
    }

    /// Makes a directory for a container that has limits of its own, so that they can be set.
    pub(crate) fn make(&self, subsystem: Subsystem, container_id: &str) -> io::Result<PathBuf> {
        if let Some(parent) = container_id::parent(container_id) {
            let above = self.directory(subsystem, parent);
            fs::create_dir_all(&above)?;
            if self.is_unified
                && let Some(controller) = subsystem.v2_controller()
            {
                switch_on(&above, controller)?;
            }
        }
        let directory = self.directory(subsystem, container_id);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// The directory into which the processes go of a container that shares the limits of what it
    /// lives in. In v2 it is one of its own, without limits.
    pub(crate) fn make_shared(
        &self,
        subsystem: Subsystem,
        container_id: &str,
    ) -> io::Result<PathBuf> {
        let parent = container_id::parent(container_id).unwrap_or(container_id);
        let id = if self.is_unified { container_id } else { parent };
        let directory = self.directory(subsystem, id);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// The file of a directory by which a process with one thread enters it, by writing `0`.
    ///
    /// In v1 that is `tasks`: a thread that moves itself alone does not have to wait until nobody
    /// forks on the whole machine, which takes longer than all the rest of a launch.
    pub(crate) fn entrance(&self, directory: &Path) -> PathBuf {
        directory.join(if self.is_unified { "cgroup.procs" } else { "tasks" })
    }

    /// The processes of a container as one, to be killed.
    pub(crate) fn tree(&self, container_id: &str) -> Tree {
        Tree::new(self.directory(Subsystem::Freezer, container_id), self.is_unified)
    }

    /// Removes what a container that has ended has left in all hierarchies.
    pub(crate) fn remove(&self, container_id: &str) -> io::Result<()> {
        Subsystem::ALL
            .iter()
            .try_for_each(|subsystem| sweep::remove(&self.directory(*subsystem, container_id)))
    }

    /// Removes our place if it is empty: an agent that ends leaves its containers, and nothing else.
    pub(crate) fn leave(&self) {
        for top in Subsystem::ALL.map(|subsystem| self.top(subsystem)) {
            // Not empty, or not there: either is fine.
            let _ = fs::remove_dir(&top);
            let _ = top.parent().map(fs::remove_dir);
        }
    }
}

/// Lets the groups in a directory have a controller (v2).
fn switch_on(directory: &Path, controller: &str) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    let is_on = fs::read_to_string(&file)?.split_whitespace().any(|on| on == controller);
    if is_on { Ok(()) } else { fs::write(file, format!("+{controller}")) }
}

#[cfg(test)]
mod tests;
