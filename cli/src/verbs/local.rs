//! `mesolith local`: a whole cluster in one go.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tempfile::TempDir;

use super::block_on;
use crate::execute::{self, Work};
use crate::exit;
use crate::interrupt::Interrupts;
use crate::local::{Cluster, Plan, Shape, check_own};
use crate::say::say;

const EXAMPLES: &str = "\
Masters listen on --port and every tenth port after it, agents on --agent-port and every tenth after it.
A process that dies is not restarted: that is how to see what a cluster survives.
Ctrl-C or SIGTERM ends all of it, tasks included.

Exit codes: with a COMMAND those of `mesolith execute`; else 0 after Ctrl-C or SIGTERM, 1 when it does not come up.

Examples:
  mesolith local -- 'echo hello from $(hostname)'
  mesolith local --masters 3 --agents 2 --work-dir /tmp/cluster
  mesolith local --masters 3 --agents 2 --json | jq -r '.masters[].address'";

/// Start a whole cluster on this machine, for one command or until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Local {
    /// Masters to start: 1, 3 or 5
    #[arg(long, env = "MESOLITH_LOCAL_MASTERS", value_name = "NUMBER", default_value_t = 1)]
    masters: u16,

    /// Agents to start
    #[arg(long, env = "MESOLITH_LOCAL_AGENTS", value_name = "NUMBER", default_value_t = 1)]
    agents: u16,

    /// Port of the first master
    #[arg(long, env = "MESOLITH_LOCAL_PORT", default_value_t = 5050)]
    port: u16,

    /// Port of the first agent
    #[arg(long, env = "MESOLITH_LOCAL_AGENT_PORT", default_value_t = 5051)]
    agent_port: u16,

    /// Directory of everything the cluster keeps; by default a new one that is removed at the end
    #[arg(long, env = "MESOLITH_LOCAL_WORK_DIR", value_name = "DIR")]
    work_dir: Option<PathBuf>,

    /// Print one line of JSON on stdout once the cluster serves, instead of a table
    #[arg(long)]
    json: bool,

    /// Run this as a task, show its output, end the cluster, and exit as it did
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Local {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.serve()).context("running a local cluster")
    }

    async fn serve(&self) -> anyhow::Result<ExitCode> {
        if self.agents == 0 && !self.command.is_empty() {
            say("--agents 0: there is no agent that could run the command");
            return Ok(exit::USAGE.into());
        }
        let (work_dir, _removed_at_the_end) = self.work_dir()?;
        let shape = Shape {
            masters: self.masters,
            agents: self.agents,
            port: self.port,
            agent_port: self.agent_port,
        };
        let plan = Plan::new(shape, &work_dir)?;
        plan.check_ports()?;
        let masters = plan.masters();
        let mut interrupts = Interrupts::new()?;
        let mut cluster = Cluster::start(plan)?;
        let outcome = tokio::select! {
            outcome = self.work(&mut cluster, &masters) => outcome,
            signal = interrupts.next() => Ok(self.interrupted_exit(signal)),
        };
        cluster.end().await;
        outcome
    }

    async fn work(
        &self,
        cluster: &mut Cluster,
        masters: &[crate::client::Address],
    ) -> anyhow::Result<ExitCode> {
        let report = cluster.ready().await?;
        // With a command, stdout is the command's.
        match (self.json, self.command.is_empty()) {
            (true, _) => report.print_json()?,
            (false, true) => {
                report.print_table()?;
                say("the cluster serves; Ctrl-C ends it");
            }
            (false, false) => {}
        }
        if self.command.is_empty() {
            let never: Infallible = cluster.watch().await;
            match never {}
        }
        let work = Work::default();
        tokio::select! {
            code = execute::run(masters, &work, &self.command) => code.context("executing"),
            never = cluster.watch() => match never {},
        }
    }

    /// For a cluster without a command this is the way to end.
    fn interrupted_exit(&self, signal: u8) -> ExitCode {
        if self.command.is_empty() { ExitCode::SUCCESS } else { (exit::SIGNALLED + signal).into() }
    }

    /// The directory, and what removes it if it is ours alone.
    fn work_dir(&self) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
        if let Some(directory) = &self.work_dir {
            let directory = std::path::absolute(directory)?;
            check_own(&directory)?;
            return Ok((directory, None));
        }
        let temporary = tempfile::Builder::new()
            .prefix("mesolith-")
            .tempdir()
            .context("making a work directory")?;
        Ok((temporary.path().to_owned(), Some(temporary)))
    }
}
