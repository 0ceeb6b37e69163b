//! `mesolith execute`: a command as a task of a cluster.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{Masters, block_on};
use crate::execute::{Work, run};

const EXAMPLES: &str = "\
One word is run by the shell, several are a program and its arguments.
Its stdout and stderr are copied to ours while it runs; Ctrl-C kills it.

Exit codes: the command's own; 128 and the signal that ended it; 125 when it did not run to its end;
1 when there is no cluster to run it.

Examples:
  mesolith execute 'echo hello from $(hostname)'
  mesolith execute --cpus 0.5 --mem 64 --env LIMIT=3 'sleep $LIMIT'
  mesolith execute --uri https://example.org/tools.tar.gz -- ./tools/run --fast";

/// Run a command as a task, show its output and exit as it did
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Execute {
    #[command(flatten)]
    masters: Masters,

    #[command(flatten)]
    work: Work,

    /// The command
    #[arg(required = true, value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

impl Execute {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let masters = self.masters.addresses();
        block_on(run(masters, &self.work, &self.command)).context("executing")
    }
}
