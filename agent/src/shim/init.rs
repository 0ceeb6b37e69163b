//! The first process of a container that has process ids of its own. It runs the program, reaps what that
//! leaves behind, and takes all the others with it when it ends: the kernel sees to that.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};

use super::program::{become_program, enter_cgroups, report_and_exit, say};
use super::spec::Spec;
use super::tree::raw_status;
use crate::kernel;

/// Has the next process that this one forks be the first of a namespace.
pub(super) fn announce() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWPID)
}

/// Runs the program and ends after it, with its raw wait status written to `status`. What goes wrong before
/// the program runs is written to `failures`.
#[expect(clippy::exit, reason = "a forked child must not return into the shim's own work")]
pub(super) fn run(spec: &Spec, failures: OwnedFd, status: OwnedFd) -> ! {
    let program = prepare(spec).and_then(|()| {
        kernel::fork_single_threaded().map_err(say("cannot fork the container's program"))
    });
    match program {
        Err(failure) => report_and_exit(failures, &failure),
        Ok(None) => {
            drop(status);
            let Err::<Infallible, _>(failure) = become_program(spec);
            report_and_exit(failures, &failure)
        }
        Ok(Some(program)) => {
            // From now on the program alone says whether it could be run.
            drop(failures);
            if let Some(ended) = wait(program) {
                // If nobody reads it the shim is dead, and so are we.
                let _ = File::from(status).write_all(&ended.to_le_bytes());
            }
            std::process::exit(0)
        }
    }
}

/// Makes this process ready to be the first: in its session and cgroups, with a `/proc` that shows what it
/// may see, and tied to its shim.
fn prepare(spec: &Spec) -> Result<(), String> {
    enter_cgroups(spec)?;
    setsid().map_err(say("cannot make a session"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(say("cannot make a mount namespace"))?;
    // what the machine mounts is still seen here, and what is mounted here is seen nowhere else
    let (slave, none) = (MsFlags::MS_SLAVE | MsFlags::MS_REC, None::<&str>);
    mount(none, "/", none, slave, none).map_err(say("cannot keep mounts apart"))?;
    let hardened = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), hardened, none)
        .map_err(say("cannot mount /proc"))?;
    set_pdeathsig(Signal::SIGKILL).map_err(say("cannot tie the container to its shim"))
}

/// Reaps whoever ends, until the program does.
fn wait(program: Pid) -> Option<i32> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) if pid != program => {}
            Ok(ended) => {
                if let Some(status) = raw_status(ended) {
                    return Some(status);
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}
