//! Signals to a whole tree of processes, and the end of it.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::process;
use crate::cgroups::tree::Tree;

/// How long the end of a killed tree is waited for. Longer only lasts a process that the kernel
/// cannot end, such as one that waits for a dead disk; its container's end is reported all the
/// same.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Pause between two looks at a tree that is being killed.
const PAUSE: Duration = Duration::from_millis(1);

/// Sends `signal` to every process below this one.
pub(super) fn signal_all(signal: Signal) {
    for pid in process::descendants(std::process::id() as i32) {
        // One that has ended meanwhile needs no signal.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Sends SIGKILL to every process below this one, and to those of `group` as one.
pub(super) fn kill_all(group: Option<&Tree>) {
    signal_all(Signal::SIGKILL);
    // What cannot be killed as one has got its signals.
    let _ = group.map(Tree::kill);
}

/// Kills every process below this one and reaps them, however they fork meanwhile.
///
/// This process is the subreaper, so that none can leave the tree; each round stops what it sees
/// before it kills it, so that a fork bomb runs out of parents. What is left after some rounds is
/// killed as one by the kernel, if it knows who belongs to it: that is sure, but takes longer.
pub(super) fn end_all(group: Option<&Tree>) {
    let started = Instant::now();
    for round in 0_u32.. {
        if started.elapsed() > END_LIMIT {
            return;
        }
        signal_all(Signal::SIGSTOP);
        signal_all(Signal::SIGKILL);
        if reap(None).is_empty_tree && group.is_none_or(Tree::is_empty) {
            return;
        }
        std::thread::sleep(PAUSE);
        if round >= PLAIN_ROUNDS {
            // What cannot be killed as one is killed by the next round.
            let _ = group.map(Tree::kill);
        }
    }
}

/// Rounds in which processes are killed one by one.
const PLAIN_ROUNDS: u32 = 5;

/// What one round of reaping found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reaped {
    /// Raw wait status of the process that was asked after, if it has ended.
    pub(super) status: Option<i32>,
    /// No child is left at all.
    pub(super) is_empty_tree: bool,
}

/// How a process ended, in one number as the kernel has it; nothing if it has not ended.
pub(super) fn raw_status(status: WaitStatus) -> Option<i32> {
    match status {
        WaitStatus::Exited(_, code) => Some(code << 8),
        WaitStatus::Signaled(_, signal, core) => Some(signal as i32 | if core { 0x80 } else { 0 }),
        _ => None,
    }
}

/// Reaps every child that has ended, and says how `main` did.
pub(super) fn reap(main: Option<Pid>) -> Reaped {
    let mut status = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Reaped { status, is_empty_tree: false },
            Ok(ended) if ended.pid() == main => status = raw_status(ended).or(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Reaped { status, is_empty_tree: true },
        }
    }
}
