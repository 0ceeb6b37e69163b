//! `mesolith replay log`: every event, a line each.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use replay::Journal;

use super::end;
use crate::say::say;

#[derive(Debug, Args)]
pub(super) struct Log {
    /// First index to show
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    pub(super) from: u64,

    /// Last index to show
    #[arg(long, value_name = "INDEX", default_value_t = u64::MAX, hide_default_value = true)]
    pub(super) to: u64,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// The master's work directory
    pub(super) dir: PathBuf,
}

impl Log {
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let journal = Journal::open(&self.dir)?;
        match journal.last() {
            Some(last) if last >= self.from => {}
            Some(last) => say(&format!("the journal ends at {last}")),
            None => say("the journal holds nothing yet"),
        }
        let mut stdout = BufWriter::new(io::stdout().lock());
        for line in replay::log(&journal, self.from..=self.to)? {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    // What could be read is shown before what could not.
                    stdout.flush()?;
                    return Err(error.into());
                }
            };
            let written = if self.json {
                writeln!(stdout, "{}", serde_json::to_string(&line)?)
            } else {
                writeln!(stdout, "{line}")
            };
            if let Some(end) = end(written) {
                return end;
            }
        }
        end(stdout.flush()).unwrap_or(Ok(()))
    }
}
