//! `mesolith replay`: what a master's journal says.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use replay::{Journal, JournalError, VerifyError};

use crate::exit;
use crate::say::{chain, say};

const EXAMPLES: &str = "\
DIR is a master's work directory, or a copy of it. The master may be running; nothing is ever written.

Exit codes: 0 all is well; 1 the journal is damaged; 2 there is no journal that can be read, or wrong usage.

Examples:
  mesolith replay log /var/lib/mesolith
  mesolith replay log --from 1200 --json DIR | jq -r 'select(.task_id == \"t1\") | .event'
  mesolith replay verify DIR";

/// Read a master's journal: every decision that was ever taken
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print every event, one a line: index, time, command, event, and what it touches
    Log(Log),
    /// Check the hash chain, fold all events again, check invariants and compare with snapshots
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Log {
    /// First index to show
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,

    /// Last index to show
    #[arg(long, value_name = "INDEX", default_value_t = u64::MAX, hide_default_value = true)]
    to: u64,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// The master's work directory
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct Verify {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// The master's work directory
    dir: PathBuf,
}

impl Replay {
    pub(super) fn run(&self) -> ExitCode {
        quieten_redb();
        if let Verb::Log(Log { from, to, .. }) = &self.verb
            && from > to
        {
            say(&format!("--from {from} --to {to}: that is no range"));
            return exit::USAGE.into();
        }
        let outcome = match &self.verb {
            Verb::Log(log) => {
                log.print().with_context(|| format!("reading the journal in {}", log.dir.display()))
            }
            Verb::Verify(verify) => verify
                .print()
                .with_context(|| format!("verifying the journal in {}", verify.dir.display())),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&chain(&error));
                exit_code(&error).into()
            }
        }
    }
}

impl Log {
    fn print(&self) -> anyhow::Result<()> {
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

impl Verify {
    fn print(&self) -> anyhow::Result<()> {
        let sound = replay::verify(&Journal::open(&self.dir)?)?;
        let text = if self.json {
            serde_json::to_string(&sound)?
        } else {
            format!(
                "sound: entries {} to {}, {} events\n  \
                 known to be committed  up to {}\n  \
                 snapshots compared     {}\n  \
                 hash of the chain      {}\n  \
                 digest of the state    {}",
                sound.first,
                sound.last,
                sound.events,
                sound.committed,
                sound.snapshots_compared,
                sound.hash,
                sound.digest
            )
        };
        end(writeln!(io::stdout(), "{text}")).unwrap_or(Ok(()))
    }
}

/// redb panics over damaged pages. The reader makes errors of that, which name the file; the panic's own
/// words before them would only frighten.
fn quieten_redb() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", panic::Location::file);
        if file.contains("/redb-") {
            tracing::debug!("{panic}");
        } else {
            default(panic);
        }
    }));
}

/// How a write ends the printing, if it does: whoever closes the pipe has read enough.
fn end(written: io::Result<()>) -> Option<anyhow::Result<()>> {
    match written {
        Ok(()) => None,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Some(Ok(())),
        Err(error) => Some(Err(error.into())),
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let journal = error.downcast_ref().is_some_and(JournalError::is_damage);
    let verify = error.downcast_ref().is_some_and(VerifyError::is_damage);
    if journal || verify { exit::DAMAGED } else { exit::UNREADABLE }
}
