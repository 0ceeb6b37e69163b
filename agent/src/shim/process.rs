//! Processes as `/proc` shows them: named so that a reused pid is not mistaken, found as trees,
//! measured.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// One process, told apart from a later one with the same pid by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// Clock ticks between boot and the start of the process (`/proc/<pid>/stat`, field 22).
    pub(crate) start_time_ticks: u64,
}

/// What `/proc/<pid>/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) process: Process,
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    /// Time in user mode, with that of children that ended and were waited for.
    pub(crate) user_ticks: u64,
    /// Time in the kernel, with that of children that ended and were waited for.
    pub(crate) system_ticks: u64,
    pub(crate) threads: u32,
    pub(crate) resident_pages: u64,
}

impl Process {
    /// The process that has this pid now, if any.
    pub(crate) fn find(pid: i32) -> Option<Self> {
        stat(pid).map(|stat| stat.process)
    }

    /// Whether this very process still runs (a zombie does not).
    pub(crate) fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.process == *self && !matches!(stat.state, 'Z' | 'X'))
    }
}

/// Reads `/proc/<pid>/stat`; nothing when there is no such process.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(pid: i32, text: &str) -> Option<Stat> {
    // The command name stands in parentheses and may hold anything, parentheses and spaces too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let signed = |index: usize| fields.get(index).and_then(|field| field.parse::<i32>().ok());
    Some(Stat {
        process: Process { pid, start_time_ticks: number(19)? },
        state: fields.first()?.chars().next()?,
        parent: signed(1)?,
        session: signed(3)?,
        user_ticks: number(11)? + number(13)?,
        system_ticks: number(12)? + number(14)?,
        threads: number(17)? as u32,
        resident_pages: number(21)?,
    })
}

/// Every process there is, by pid: one pass over `/proc`.
pub(crate) fn all() -> io::Result<BTreeMap<i32, Stat>> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(stat) = pid.and_then(stat) {
            processes.insert(stat.process.pid, stat);
        }
    }
    Ok(processes)
}

/// The processes below `root`, without itself, parents before their children.
///
/// Reads only that tree (`/proc/<pid>/task/*/children`), so its cost does not grow with the
/// machine.
pub(crate) fn descendants(root: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut next = 0;
    let mut parent = root;
    loop {
        found.extend(children(parent));
        let Some(pid) = found.get(next) else { return found };
        parent = *pid;
        next += 1;
    }
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_start_time_is_not() {
        let pid = std::process::id() as i32;
        let process = Process::find(pid).expect("this process");
        assert!(process.is_alive());
        assert!(!Process { start_time_ticks: process.start_time_ticks + 1, ..process }.is_alive());
    }

    #[test]
    fn command_names_may_hold_parentheses_and_spaces() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 11 12 1 2 20 0 3 0 500 4096 9 0";
        let stat = parse_stat(7, text).expect("parsed");
        assert_eq!((stat.parent, stat.session, stat.threads), (1, 7, 3));
        assert_eq!((stat.user_ticks, stat.system_ticks, stat.resident_pages), (12, 14, 9));
        assert_eq!(stat.process.start_time_ticks, 500);
    }

    #[test]
    fn damaged_text_is_no_process() {
        for text in ["", "7", "7 (a", "7 (a) S", "7 (a) S x y"] {
            assert_eq!(parse_stat(7, text), None);
        }
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().expect("sleep");
        assert!(descendants(std::process::id() as i32).contains(&(child.id() as i32)));
        child.kill().expect("kill");
        child.wait().expect("wait");
    }
}
