//! `mesolith agent`: a node of the cluster.

use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, Args, FromArgMatches, Subcommand};

use super::agent_change::{Change, Drain, Wish};
use super::agent_held::{AgentGiveUp, AgentHeld};
use super::agent_list::AgentList;
use crate::daemon::{self, Lifeline};

const EXAMPLES: &str = "\
The same --work-dir after a restart keeps the agent and its running tasks.
SIGTERM and Ctrl-C end the agent and leave its tasks running. SIGUSR1 ends both for good: the agent
leaves the cluster, and its work directory belongs to a new one after that.

Examples:
  mesolith agent --master 10.0.0.1:5050,10.0.0.2:5050,10.0.0.3:5050 --work-dir /var/lib/mesolith-agent
  mesolith agent --master 10.0.0.1:5050 --work-dir DIR --resources 'cpus:8;mem:16384' --attributes 'rack:a'
  mesolith agent list
  mesolith agent drain ID --max-grace-period 10mins --wait";

const DRAINING: &str = "\
An agent is drained when its frameworks have heard that all its tasks are over. It stays out of
offers until `mesolith agent reactivate`, which also calls off a drain that has not ended.

Examples:
  mesolith agent drain ID                                     each task has its own grace period
  mesolith agent drain ID --max-grace-period 10mins --wait    no task has more than 10 minutes
  mesolith agent drain ID --mark-gone                         the machine will not come back
  mesolith agent drain ID --cancel                            it is to go on after all";

/// Run an agent, or look at agents
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Agent {
    // before the verb, which is taken out of what was given
    #[command(flatten)]
    config: Daemon,

    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    lifeline: Lifeline,
}

/// The daemon's flags; none beside a verb. The environment may have some of them all the same, such as
/// the masters that every command asks.
#[derive(Debug)]
struct Daemon(Option<agent::Config>);

impl Args for Daemon {
    fn augment_args(command: clap::Command) -> clap::Command {
        agent::Config::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        agent::Config::augment_args_for_update(command)
    }
}

impl FromArgMatches for Daemon {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.subcommand_name().is_some() {
            return Ok(Self(None));
        }
        agent::Config::from_arg_matches(matches).map(Some).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(AgentList),
    /// Stop offering an agent, and end its tasks, each after its grace period; then it can be worked on
    #[command(after_help = DRAINING)]
    Drain(Drain),
    /// Stop offering an agent; its tasks run on
    Deactivate(Change),
    /// Offer an agent again; calls a drain off, too, as far as tasks have not been told to end
    Reactivate(Change),
    Held(AgentHeld),
    GiveUp(AgentGiveUp),
    /// Declare an agent lost for good: its tasks are gone, it may never come back under its id
    Gone(Change),
}

impl Agent {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Some(Verb::List(list)) => return list.run(),
            Some(Verb::Held(held)) => return held.run(),
            Some(Verb::GiveUp(give_up)) => return give_up.run(),
            Some(Verb::Drain(drain)) => return drain.run(),
            Some(Verb::Deactivate(change)) => return change.run(Wish::Deactivate),
            Some(Verb::Reactivate(change)) => return change.run(Wish::Reactivate),
            Some(Verb::Gone(change)) => return change.run(Wish::Gone),
            None => {}
        }
        let config = self.config.0.context("an agent needs --master and --work-dir")?;
        daemon::run(&self.lifeline, |shutdown| agent::run(config, shutdown))
            .context("running an agent")
    }

    /// Whether this is the daemon, rather than a question about agents.
    pub(super) fn is_daemon(&self) -> bool {
        self.verb.is_none()
    }
}
