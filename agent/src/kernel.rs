//! The few kernel calls that Rust cannot check, each behind a safe function.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, Pid, fork};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Forks a process that has one thread. The child gets `None`, the parent the child's pid.
///
/// Refuses when there are more threads: the child of such a fork could wait for ever for a lock
/// that a thread which it does not have was holding.
pub(crate) fn fork_single_threaded() -> io::Result<Option<Pid>> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with several threads must not fork"));
    }
    // SAFETY: there is only this thread (checked above, and no other can start one), so the child
    // sees every lock free and every structure whole.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(None),
        ForkResult::Parent { child } => Ok(Some(child)),
    }
}

/// Gives every signal that the Rust runtime or we changed its default action back, for a process
/// about to exec.
pub(crate) fn reset_signal_actions() -> io::Result<()> {
    for name in [Signal::SIGPIPE, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD]
    {
        // SAFETY: the default action runs no code of ours.
        unsafe { signal(name, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// A descriptor that becomes readable when the process ends, whoever its parent is. To be called on
/// a tokio runtime.
pub(crate) fn watch_process(pid: i32) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
    // SAFETY: the descriptor belongs to the AsyncFd from here on; nobody closes or replaces it.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(Into::into)
}

/// Something that becomes readable, such as an eventfd. To be called on a tokio runtime.
pub(crate) fn watch_readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor belongs to the AsyncFd from here on; nobody closes or replaces it.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(Into::into)
}

/// A file of the kernel's that tells by poll (`POLLPRI`) that its content has changed. To be called on
/// a tokio runtime.
pub(crate) fn watch_changes(file: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor belongs to the AsyncFd from here on; nobody closes or replaces it.
    unsafe { AsyncFd::register_with_interest(file, Interest::PRIORITY) }.map_err(Into::into)
}

/// Limits a resource (`RLIMIT_*`) of this process and those it will start.
pub(crate) fn set_resource_limit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel only reads the structure, which outlives the call; an unknown number is an
    // error.
    if unsafe { libc::setrlimit(resource, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
