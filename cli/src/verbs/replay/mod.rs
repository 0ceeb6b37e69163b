//! `mesolith replay`: what a master's journal says.

mod log;
mod verify;

use std::io::{self, ErrorKind};
use std::panic;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use replay::{JournalError, VerifyError};

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
    Log(log::Log),
    /// Check the hash chain, fold all events again, check invariants and compare with snapshots
    Verify(verify::Verify),
}

impl Replay {
    pub(super) fn run(&self) -> ExitCode {
        quieten_redb();
        if let Verb::Log(log::Log { from, to, .. }) = &self.verb
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
