//! A container from its start to its end: orders, deadlines, orphans.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::process::Process;
use super::program::{self, Started};
use super::spec::{Exit, Killed, Order, Spec};
use super::tree;

/// Orders are read in pieces of this size; a line that is longer is no order and is dropped.
const ORDER_LIMIT_BYTES: usize = 4096;

/// A shim that is ready to start its container.
pub(super) struct Supervisor {
    spec: Spec,
    control: File,
    signals: SignalFd,
}

/// A shim above its running container.
pub(super) struct Running {
    supervisor: Supervisor,
    process: Process,
    /// Tells how the program ended, if the first process is another.
    status: Option<File>,
    completion_deadline: Option<Instant>,
    killing: Option<Killing>,
    line: Vec<u8>,
}

/// A kill in progress.
#[derive(Debug, Clone, Copy)]
struct Killing {
    reason: Killed,
    first: Instant,
    grace: Duration,
    /// SIGKILL was sent before.
    was_killed: bool,
}

impl Supervisor {
    /// Takes over the signals that a shim acts on.
    pub(super) fn new(spec: Spec, control: File) -> io::Result<Self> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            mask.add(signal);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), None)?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { spec, control, signals })
    }

    /// Starts the container.
    pub(super) fn start(self) -> io::Result<Running> {
        let Started { pid, status } = program::start(&self.spec)?;
        let pid = pid.as_raw();
        // A program that has ended already still is a zombie of ours, so that /proc shows it.
        let process = Process::find(pid)
            .ok_or_else(|| io::Error::other("/proc does not show the container's process"))?;
        let limit = self.spec.max_completion_ms.map(Duration::from_millis);
        // A limit beyond the end of the clock is no limit.
        let completion_deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Ok(Running {
            supervisor: self,
            process,
            status,
            completion_deadline,
            killing: None,
            line: Vec::new(),
        })
    }
}

impl Running {
    pub(super) fn process(&self) -> Process {
        self.process
    }

    /// Waits for the container's first process to end, by itself or by order, ends what it leaves,
    /// and says how.
    pub(super) fn supervise(mut self) -> io::Result<Exit> {
        let main = Pid::from_raw(self.process.pid);
        loop {
            if let Some(status) = tree::reap(Some(main)).status {
                tree::end_all(self.supervisor.spec.tree.as_ref());
                let status = self.status.take().map_or(status, |told| last_word(told, status));
                let killed = self.killing.map(|killing| killing.reason);
                return Ok(Exit { status: Some(status), killed, ..Exit::default() });
            }
            self.meet_deadlines();
            self.wait()?;
            self.read_signals()?;
            self.read_orders()?;
        }
    }

    fn wait(&self) -> io::Result<()> {
        let timeout = match self.next_deadline() {
            None => PollTimeout::NONE,
            Some(deadline) => {
                // Rounded up, or the last millisecond would be spent polling.
                let left = deadline.saturating_duration_since(Instant::now()).as_millis() + 1;
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut descriptors = [
            PollFd::new(self.supervisor.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.supervisor.control.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self.killing {
            Some(killing) => killing.first.checked_add(killing.grace),
            None => self.completion_deadline,
        }
    }

    fn meet_deadlines(&mut self) {
        if self.next_deadline().is_none_or(|deadline| Instant::now() < deadline) {
            return;
        }
        if self.killing.is_some() {
            // Some process may have been forked meanwhile: look again soon, until the first one has
            // ended.
            if let Some(killing) = &mut self.killing {
                killing.grace = killing.first.elapsed() + Duration::from_millis(10);
                let is_again = std::mem::replace(&mut killing.was_killed, true);
                tree::kill_all(self.supervisor.spec.tree.as_ref().filter(|_| is_again));
            }
        } else {
            self.kill(
                Killed::MaxCompletionTime,
                Duration::from_millis(self.supervisor.spec.grace_ms),
            );
        }
    }

    /// Begins to kill, or shortens the grace of a kill that has begun (semantics 262).
    fn kill(&mut self, reason: Killed, grace: Duration) {
        if let Some(killing) = &mut self.killing {
            killing.grace = killing.grace.min(grace);
            return;
        }
        self.killing = Some(Killing { reason, first: Instant::now(), grace, was_killed: false });
        // Without grace there is nothing to ask for: SIGKILL follows at once.
        if !grace.is_zero() {
            tree::signal_all(Signal::SIGTERM);
        }
    }

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.supervisor.signals.read_signal()? {
            // Whoever ends the shim ends the container, in order.
            if signal.ssi_signo == Signal::SIGTERM as u32 {
                self.kill(Killed::Ordered, Duration::from_millis(self.supervisor.spec.grace_ms));
            }
        }
        Ok(())
    }

    fn read_orders(&mut self) -> io::Result<()> {
        let mut buffer = [0; 512];
        loop {
            match self.supervisor.control.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.take_orders(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take_orders(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                self.line.truncate(ORDER_LIMIT_BYTES);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Ok(Order::Kill { grace_ms }) = serde_json::from_slice(&line) {
                self.kill(Killed::Ordered, Duration::from_millis(grace_ms));
            }
        }
    }
}

/// How the program ended, as its first process told; that one's own end if it did not come to tell.
fn last_word(mut told: File, own: i32) -> i32 {
    let mut status = [0; 4];
    match told.read_exact(&mut status) {
        Ok(()) => i32::from_le_bytes(status),
        Err(_) => own,
    }
}
