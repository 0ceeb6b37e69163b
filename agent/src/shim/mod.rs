//! The small process above each container: it outlives the agent, ends the container when told to,
//! and keeps how it ended.
//!
//! The agent starts it (this same binary, run again) with the container's runtime directory as its
//! one argument. It claims the container, runs it in a session of its own, tells the agent so on
//! standard output, and from then on listens to the directory's fifo only. It has one thread, so
//! that it may fork, and no runtime, so that it stays small.

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

/// Runs one container and returns the shim's exit status; `arguments` holds the container's runtime
/// directory.
pub fn shim_main(arguments: &[OsString]) -> i32 {
    let [directory] = arguments else { return BROKEN };
    let directory = RuntimeDirectory(PathBuf::from(directory));
    match run(&directory) {
        Ok(status) => status,
        Err(error) => {
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
    directory.record_exit(&exit)?;
    answer();
    Ok(0)
}

/// Wakes the agent; an agent that is gone meanwhile reads the directory instead.
fn answer() {
    let _ = io::stdout().write_all(ANSWER);
    let _ = io::stdout().flush();
}
