//! The kernel's cgroups as tests look at them: without any of the agent's own code.

use std::fs;
use std::path::{Path, PathBuf};

use super::poll;

const MOUNT: &str = "/sys/fs/cgroup";

/// Directories of a root in every hierarchy that there is.
fn tops(root: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir(MOUNT).into_iter().flatten().flatten().map(|it| it.path());
    let places = hierarchies.chain([PathBuf::from(MOUNT)]).map(|hierarchy| hierarchy.join(root));
    places.filter(|place| place.is_dir()).collect()
}

/// All directories below one, those at the bottom first.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let inner =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink());
    inner.flat_map(|inner| below(&inner).into_iter().chain([inner])).collect()
}

/// The cgroups of a root in which processes can be, in all hierarchies: those of containers.
pub(crate) fn of_containers(root: &str) -> Vec<PathBuf> {
    let depth = |path: &Path| path.components().count();
    let all = tops(root).into_iter().flat_map(|top| {
        let least = depth(&top) + 2;
        below(&top).into_iter().filter(move |path| depth(path) >= least)
    });
    all.collect()
}

/// The directory of a container in the hierarchy that has this file.
pub(crate) fn holding(root: &str, container_id: &str, file: &str) -> PathBuf {
    let found = of_containers(root).into_iter().find(|path| {
        path.file_name().is_some_and(|name| name == container_id) && path.join(file).exists()
    });
    found.unwrap_or_else(|| panic!("no cgroup of {container_id} has {file}"))
}

/// The content of the first file of these that there is, as one hierarchy or the other calls it.
pub(crate) fn read(directory: &Path, file: &str) -> String {
    fs::read_to_string(directory.join(file)).unwrap_or_default().trim().to_owned()
}

/// Removes a root with all below it, once what is dying there is dead.
pub(crate) fn remove(root: &str) {
    for top in tops(root) {
        for directory in below(&top).into_iter().chain([top]) {
            for pid in read(&directory, "cgroup.procs").lines() {
                let _ = std::process::Command::new("kill").args(["-9", pid]).status();
            }
            poll("end of a cgroup", || {
                let _ = fs::remove_dir(&directory);
                (!directory.exists()).then_some(())
            });
        }
    }
}

/// Whether this machine lets the test's agent hold containers to anything. Says loudly if not.
pub(crate) fn can_be_had(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    let hierarchies = ["memory", "cpu", "pids", "freezer"];
    let v1 = hierarchies.iter().all(|name| Path::new(MOUNT).join(name).join("tasks").exists());
    let unified = fs::read_to_string(Path::new(MOUNT).join("cgroup.controllers"));
    let unified = unified.unwrap_or_default();
    let v2 = ["memory", "cpu", "pids"].iter().all(|name| unified.contains(name));
    let can = root && (v1 || v2);
    if !can {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!(
                "SKIPPED {test}: it needs root, and cgroups of memory, cpu, pids and freezer"
            );
        }
    }
    can
}
