//! Cgroups that nobody needs any more are removed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Cgroups, Subsystem, files};
use crate::containerizer::container_id;

/// How long the kernel may take to see that a group's last process has gone.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(1);

/// Removes a directory with those below it, from which all processes have gone. One that is not
/// there is fine.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    for below in directories(directory)? {
        remove(&below)?;
    }
    let started = Instant::now();
    loop {
        match fs::remove_dir(directory) {
            Err(error) if files::is_gone(&error) => return Ok(()),
            Err(error)
                if error.raw_os_error() == Some(libc::EBUSY) && started.elapsed() < BUSY_LIMIT =>
            {
                std::thread::sleep(PAUSE);
            }
            Err(error) => {
                let text = format!("cannot remove the cgroup {}: {error}", directory.display());
                return Err(io::Error::new(error.kind(), text));
            }
            Ok(()) => return Ok(()),
        }
    }
}

fn directories(above: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(above) {
        Err(error) if files::is_gone(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.file_type()?.is_dir(), entry.path()))) {
            Ok((true, path)) => found.push(path),
            Ok((false, _)) => {}
            Err(error) if files::is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

impl Cgroups {
    /// Ends and removes all that is ours but no container of `known`, in every hierarchy that there
    /// is.
    pub(crate) fn remove_unknown(&self, known: &BTreeSet<String>) -> io::Result<()> {
        let wanted: BTreeSet<PathBuf> = known
            .iter()
            .flat_map(|id| [Some(id.as_str()), container_id::parent(id)])
            .flatten()
            .map(|id| container_id::path(id).collect())
            .collect();
        for subsystem in Subsystem::ALL {
            let top = self.top(subsystem);
            for container in directories(&top)? {
                self.remove_unless(&wanted, &top, &container)?;
                for nested in directories(&container)? {
                    self.remove_unless(&wanted, &top, &nested)?;
                }
            }
        }
        Ok(())
    }

    fn remove_unless(
        &self,
        wanted: &BTreeSet<PathBuf>,
        top: &Path,
        directory: &Path,
    ) -> io::Result<()> {
        let is_wanted = directory.strip_prefix(top).is_ok_and(|name| wanted.contains(name));
        if is_wanted {
            return Ok(());
        }
        tracing::warn!(cgroup = %directory.display(), "removing an unknown cgroup");
        self.end(directory)?;
        remove(directory)
    }

    /// Ends the processes in a directory of any hierarchy and in those below it.
    fn end(&self, directory: &Path) -> io::Result<()> {
        for below in directories(directory)? {
            self.end(&below)?;
        }
        let has_freezer = directory.starts_with(self.top(Subsystem::Freezer));
        if has_freezer {
            super::Tree::new(directory.to_owned(), self.is_unified()).end();
        }
        let started = Instant::now();
        loop {
            let processes = files::processes(directory)?;
            if processes.is_empty() || started.elapsed() > BUSY_LIMIT {
                return Ok(());
            }
            for pid in processes {
                // one that has ended meanwhile needs no signal
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
