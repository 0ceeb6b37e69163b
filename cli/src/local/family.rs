//! The processes that we started and those that they left behind: all are waited for and killed here.
//!
//! Tasks outlive their agent, so they must be found again when the cluster ends. We are therefore made
//! the one to whom the kernel gives orphans, and whatever was started below us stays below us.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal as SignalNumber, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

use super::plan::Member;
use crate::daemon::PARENT_PID;

/// How long members may take to end by themselves.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the kernel may take to end what was killed.
const DEATH: Duration = Duration::from_secs(10);
/// Pause between two rounds of killing.
const ROUND_PAUSE: Duration = Duration::from_millis(20);

/// Our children, by their number.
#[derive(Debug)]
pub(super) struct Family {
    members: BTreeMap<Pid, String>,
    deaths: Signal,
}

/// A member that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) name: String,
    pub(super) pid: Pid,
    /// Such as `exit status 1` or `SIGKILL`.
    pub(super) how: String,
}

impl Family {
    pub(super) fn new() -> io::Result<Self> {
        prctl::set_child_subreaper(true)?;
        Ok(Self { members: BTreeMap::new(), deaths: signal(SignalKind::child())? })
    }

    /// Starts a member: this very program, with its log as stdout and stderr.
    pub(super) fn start(&mut self, member: &Member) -> io::Result<Pid> {
        let log = File::options().create(true).append(true).open(&member.log)?;
        let child = Command::new(std::env::current_exe()?)
            .args(&member.arguments)
            .args([PARENT_PID, &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        self.members.insert(pid, member.name.clone());
        Ok(pid)
    }

    /// The next member to end. Cancel safe; to be awaited all the time, since orphans are reaped here.
    pub(super) async fn next_death(&mut self) -> Death {
        loop {
            if let Some(death) = self.reap() {
                return death;
            }
            self.deaths.recv().await;
        }
    }

    /// Ends everything: members first, then whatever is left below us.
    pub(super) async fn end(mut self) {
        for pid in self.members.keys() {
            // It may have ended by itself meanwhile.
            let _ = kill(*pid, SignalNumber::SIGTERM);
        }
        let deadline = Instant::now() + FAREWELL;
        while !self.members.is_empty() {
            if timeout_at(deadline, self.next_death()).await.is_err() {
                break;
            }
        }
        let deadline = Instant::now() + DEATH;
        while kill_descendants() && Instant::now() < deadline {
            while self.reap().is_some() {}
            sleep(ROUND_PAUSE).await;
        }
    }

    /// Takes the status of every child that has ended, until one of them is a member.
    fn reap(&mut self) -> Option<Death> {
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::EINTR) => continue,
                Err(_) | Ok(WaitStatus::StillAlive) => return None,
                Ok(status) => status,
            };
            let Some((pid, how)) = end_of(status) else {
                continue;
            };
            if let Some(name) = self.members.remove(&pid) {
                return Some(Death { name, pid, how });
            }
        }
    }
}

fn end_of(status: WaitStatus) -> Option<(Pid, String)> {
    match status {
        WaitStatus::Exited(pid, code) => Some((pid, format!("exit status {code}"))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, signal.as_str().to_owned())),
        _ => None,
    }
}

/// Kills all that is below us; says whether there was anything.
fn kill_descendants() -> bool {
    let found = descendants(Pid::this());
    for pid in &found {
        // It may have ended by itself meanwhile.
        let _ = kill(*pid, SignalNumber::SIGKILL);
    }
    !found.is_empty()
}

/// All processes below one.
fn descendants(root: Pid) -> BTreeSet<Pid> {
    let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for pid in numbers.map(Pid::from_raw) {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        let new = children.remove(&pid).unwrap_or_default();
        open.extend(&new);
        found.extend(new);
    }
    found
}

/// The parent that `/proc/<pid>/stat` names, none when the process has ended meanwhile.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state and the parent follow it.
    let (_, rest) = stat.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    Some(Pid::from_raw(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grandchildren_are_descendants() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let stdout = shell.stdout.take().expect("a pipe");
        io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).expect("a line");
        let grandchild = Pid::from_raw(line.trim().parse().expect("a number"));
        let child = Pid::from_raw(shell.id() as i32);
        let found = descendants(Pid::this());
        assert!(found.contains(&child) && found.contains(&grandchild), "{found:?}");
        assert_eq!(descendants(child), BTreeSet::from([grandchild]));
        kill(grandchild, SignalNumber::SIGKILL).expect("the grandchild lives");
        shell.wait().expect("our child");
        assert_eq!(parent(child), None);
    }
}
