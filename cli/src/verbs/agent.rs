//! `mesolith agent`: a node of the cluster.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::agent_list::AgentList;
use crate::daemon::{self, Lifeline};

const EXAMPLES: &str = "\
The same --work-dir after a restart keeps the agent and its running tasks.
SIGTERM and Ctrl-C end the agent and leave its tasks running.

Examples:
  mesolith agent --master 10.0.0.1:5050,10.0.0.2:5050,10.0.0.3:5050 --work-dir /var/lib/mesolith-agent
  mesolith agent --master 10.0.0.1:5050 --work-dir DIR --resources 'cpus:8;mem:16384' --attributes 'rack:a'
  mesolith agent list";

/// Run an agent, or look at agents
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Agent {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    config: Option<agent::Config>,

    #[command(flatten)]
    lifeline: Lifeline,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(AgentList),
}

impl Agent {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(Verb::List(list)) = self.verb {
            return list.run();
        }
        let config = self.config.context("an agent needs --master and --work-dir")?;
        daemon::run(&self.lifeline, |shutdown| agent::run(config, shutdown))
            .context("running an agent")
    }

    /// Whether this is the daemon, rather than a question about agents.
    pub(super) fn is_daemon(&self) -> bool {
        self.verb.is_none()
    }
}
