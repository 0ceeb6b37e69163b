//! The small process above each container: it outlives the agent, ends the container when told to,
//! and keeps how it ended.
//!
//! The agent starts it (this same binary, run again) with the container's runtime directory as its
//! one argument. It claims the container, runs it in a session of its own, tells the agent so on
//! standard output, and from then on listens to the directory's fifo only. It has one thread, so
//! that it may fork, and no runtime, so that it stays small.

mod init;
pub(crate) mod process;
mod program;
pub(crate) mod spec;
mod supervise;
mod tree;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::unistd::setsid;

use process::Process;
use spec::{Exit, RuntimeDirectory};
use supervise::Supervisor;

/// What the shim says on standard output once the container runs or has failed to.
pub(crate) const ANSWER: &[u8] = b"1";

/// Exit status of a shim that did not get its container because somebody else had claimed it.
const NOT_OURS: i32 = 3;
/// Exit status of a shim that could not do its work; why stands in the `exit` file if it could be
/// written.
const BROKEN: i32 = 4;
/// Pause between two tries to keep how a container ended on a disk that is full.
const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// Runs one container and returns the shim's exit status; `arguments` holds the container's runtime
/// directory.
pub fn shim_main(arguments: &[OsString]) -> i32 {
    let [directory] = arguments else { return BROKEN };
    let directory = RuntimeDirectory(PathBuf::from(directory));
    match run(&directory) {
        Ok(status) => status,
        Err(error) => {
            // What nobody watches and nobody can end any more must not run on.
            let group = directory.read_spec().ok().and_then(|spec| spec.tree);
            tree::end_all(group.as_ref());
            let failure = Some(format!("the container's shim failed: {error}"));
            // Nobody is left to hear of a second failure; the agent finds a claim without an exit.
            let _ = directory.record_exit(&Exit { failure, ..Exit::default() });
            BROKEN
        }
    }
}

fn run(directory: &RuntimeDirectory) -> io::Result<i32> {
    // A session of its own keeps the terminal's Ctrl-C and the agent's process group away from it.
    // It fails only for a process group leader, which has what we want already.
    let _ = setsid();
    set_child_subreaper(true)?;
    let spec = directory.read_spec()?;
    // Open before the claim: whoever sees the claim may send orders.
    let control = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(directory.control())?;
    let myself = Process::find(std::process::id() as i32)
        .ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    if !directory.claim(&myself)? {
        return Ok(NOT_OURS);
    }
    let supervisor = Supervisor::new(spec, control)?;
    let exit = match supervisor.start() {
        Ok(running) => {
            directory.record_started(&running.process())?;
            answer();
            running.supervise()?
        }
        Err(failure) => Exit { failure: Some(failure.to_string()), ..Exit::default() },
    };
    if exit.status.is_some() {
        // Nobody else will ever know it: a full disk is waited for.
        when_there_is_room(ROOM_PAUSE, || directory.record_exit(&exit))?;
    } else {
        directory.record_exit(&exit)?;
    }
    answer();
    Ok(0)
}

/// Repeats `write` for as long as it fails for want of room.
fn when_there_is_room(pause: Duration, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        match write().map_err(|error| (error.kind(), error)) {
            Ok(()) => return Ok(()),
            Err((io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _)) => {
                std::thread::sleep(pause);
            }
            Err((_, error)) => return Err(error),
        }
    }
}

/// Wakes the agent; an agent that is gone meanwhile reads the directory instead.
fn answer() {
    let _ = io::stdout().write_all(ANSWER);
    let _ = io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Tells how often was written, and how the last time went.
    fn check(outcomes: &[Result<(), io::ErrorKind>]) -> (usize, Result<(), io::ErrorKind>) {
        let left = RefCell::new(outcomes.iter());
        let last = when_there_is_room(Duration::ZERO, || {
            let outcome = left.borrow_mut().next().expect("an outcome for each try");
            outcome.map_err(io::Error::from)
        });
        let written = outcomes.len() - left.borrow().len();
        (written, last.map_err(|error| error.kind()))
    }

    #[test]
    fn a_full_disk_is_waited_for_and_nothing_else_is() {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, StorageFull};
        assert_eq!(check(&[Ok(())]), (1, Ok(())));
        assert_eq!(check(&[Err(StorageFull), Err(QuotaExceeded), Ok(())]), (3, Ok(())));
        let broken = [Err(StorageFull), Err(PermissionDenied), Ok(())];
        assert_eq!(check(&broken), (2, Err(PermissionDenied)));
    }
}
