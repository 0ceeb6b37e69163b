//! All processes of a container as the kernel counts them, to be killed as one: nothing that forks
//! can outrun it, and nothing that leaves its parents can escape it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cgroups_rs::freezer::{FreezerController, FreezerState};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::files;

/// How long one round waits for processes to freeze. Those that sleep in the kernel take longer, and
/// fork nothing meanwhile.
const FREEZE_LIMIT: Duration = Duration::from_millis(100);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// How long the end of all processes is waited for.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A cgroup that all processes of one container are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tree {
    directory: PathBuf,
    is_unified: bool,
}

impl Tree {
    pub(super) fn new(directory: PathBuf, is_unified: bool) -> Self {
        Self { directory, is_unified }
    }

    pub(crate) fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Whether no process is left.
    pub(crate) fn is_empty(&self) -> bool {
        files::processes(&self.directory).is_ok_and(|processes| processes.is_empty())
    }

    /// Sends SIGKILL to all processes at once. What forks just then may be left for another round.
    pub(crate) fn kill(&self) -> io::Result<()> {
        if self.is_unified {
            match fs::write(self.directory.join("cgroup.kill"), "1") {
                // before Linux 5.14
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        self.kill_frozen()
    }

    /// Kills processes that cannot fork meanwhile, since they are frozen.
    fn kill_frozen(&self) -> io::Result<()> {
        let freezer = FreezerController::new(self.directory.clone(), self.is_unified);
        if !self.directory.exists() {
            return Ok(());
        }
        freezer.freeze().map_err(io::Error::other)?;
        let started = Instant::now();
        while matches!(freezer.state(), Ok(FreezerState::Freezing))
            && started.elapsed() < FREEZE_LIMIT
        {
            std::thread::sleep(PAUSE);
        }
        let processes = files::processes(&self.directory);
        for pid in processes.iter().flatten() {
            // one that has ended meanwhile needs no signal
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        // In v1 the frozen do not even die.
        freezer.thaw().map_err(io::Error::other)?;
        processes.map(drop)
    }

    /// Kills until no process is left. False if some do not end, such as those that wait for a dead
    /// disk.
    pub(crate) fn end(&self) -> bool {
        let started = Instant::now();
        while !self.is_empty() {
            if started.elapsed() > END_LIMIT {
                return false;
            }
            if let Err(error) = self.kill() {
                tracing::warn!(cgroup = %self.directory.display(), %error, "cannot kill a cgroup");
            }
            std::thread::sleep(PAUSE);
        }
        true
    }
}
