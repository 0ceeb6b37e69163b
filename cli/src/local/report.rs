//! What a cluster consists of, for people and programs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::plan::{Kind, Member};
use crate::client::Address;
use crate::table::{self, Row};

/// One process that was started.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Process {
    #[serde(skip)]
    kind: Kind,
    name: String,
    address: Address,
    pid: i32,
    work_dir: PathBuf,
    log: PathBuf,
    /// The whole command line, to start it again by hand.
    command: Vec<String>,
}

/// All of a cluster's processes.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    work_dir: PathBuf,
    masters: Vec<Process>,
    agents: Vec<Process>,
}

impl Process {
    pub(super) fn new(member: &Member, pid: i32) -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| "mesolith".into());
        let mut command = vec![program.to_string_lossy().into_owned()];
        command.extend(member.arguments.iter().map(|word| word.to_string_lossy().into_owned()));
        Self {
            kind: member.kind,
            name: member.name.clone(),
            address: member.address.clone(),
            pid,
            work_dir: member.work_dir.clone(),
            log: member.log.clone(),
            command,
        }
    }
}

impl Report {
    pub(super) fn new(work_dir: &Path, processes: Vec<Process>) -> Self {
        let is_master = |process: &Process| process.kind == Kind::Master;
        let (masters, agents) = processes.into_iter().partition(is_master);
        Self { work_dir: work_dir.to_owned(), masters, agents }
    }

    /// One line of JSON on stdout.
    pub(crate) fn print_json(&self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, self)?;
        writeln!(stdout)?;
        stdout.flush()
    }

    /// A table on stdout.
    pub(crate) fn print_table(&self) -> io::Result<()> {
        let rows: Vec<_> = self.masters.iter().chain(&self.agents).cloned().collect();
        table::print(&rows, false)?;
        io::stdout().flush()
    }
}

impl Row for Process {
    const HEADINGS: &'static [&'static str] = &["NAME", "ADDRESS", "PID", "WORK DIRECTORY", "LOG"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.address.to_string(),
            self.pid.to_string(),
            self.work_dir.display().to_string(),
            self.log.display().to_string(),
        ]
    }
}
