//! Whether the kernel has killed a process of a cgroup for want of memory within its limit.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::cgroups::files::{self, Numbers};
use crate::kernel;

/// How often, and how long after one another, a kill is looked for that an event has announced.
const LOOKS: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(1);

/// Whether it has happened. One that was killed because the whole machine had no memory left does not
/// count: it kept to its limit.
pub(super) fn has_killed(directory: &Path, is_unified: bool) -> bool {
    let count = |file, name| {
        Numbers::read(directory, file).and_then(|numbers| numbers.get(name)).unwrap_or(0)
    };
    if is_unified {
        return count("memory.events", "oom_kill") > 0 && count("memory.events", "oom") > 0;
    }
    count("memory.oom_control", "oom_kill") > 0
        && files::number(directory, "memory.failcnt").is_some_and(|times| times > 0)
}

/// Waits until it has happened; for ever if the group goes before.
pub(super) async fn killed(directory: &Path, is_unified: bool) {
    let watched =
        if is_unified { watch_unified(directory).await } else { watch_v1(directory).await };
    if let Err(error) = watched {
        // Its end tells all the same; only children that are killed alone go unnoticed until then.
        let directory = directory.display();
        tracing::warn!(%directory, %error, "cannot watch the memory of a cgroup");
        std::future::pending::<()>().await;
    }
}

/// An event file's number goes up at each end of memory, before somebody is killed for it, and when the
/// group goes.
async fn watch_v1(directory: &Path) -> io::Result<()> {
    let events = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    {
        let control = fs::File::open(directory.join("memory.oom_control"))?;
        let order = format!("{} {}", events.as_raw_fd(), control.as_raw_fd());
        fs::write(directory.join("cgroup.event_control"), order)?;
    }
    let events = kernel::watch_readable(events.into())?;
    loop {
        if has_killed(directory, false) {
            return Ok(());
        }
        let mut ready = events.readable().await?;
        let mut number = [0; 8];
        match nix::unistd::read(events.get_ref(), &mut number) {
            Err(nix::Error::EAGAIN) => {
                ready.clear_ready();
                continue;
            }
            read => drop(read?),
        }
        if !directory.exists() {
            std::future::pending::<()>().await;
        }
        // The event comes before the kill that it is about, and there may be none: somebody who was
        // about to end anyway made room.
        for _ in 0..LOOKS {
            if has_killed(directory, false) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The file of events says by poll that it has changed.
async fn watch_unified(directory: &Path) -> io::Result<()> {
    let file = fs::File::open(directory.join("memory.events"))?;
    let events = kernel::watch_changes(file.into())?;
    loop {
        // Reading is what arms the next event: each look opens the file anew, so this one is for that.
        let mut text = [0; 512];
        match nix::sys::uio::pread(events.get_ref(), &mut text, 0) {
            Err(nix::Error::ENODEV) => std::future::pending::<()>().await,
            read => drop(read?),
        }
        if has_killed(directory, true) {
            return Ok(());
        }
        let mut ready = events.ready(tokio::io::Interest::PRIORITY).await?;
        ready.clear_ready();
    }
}
