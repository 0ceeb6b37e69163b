//! The verbs of the command line, one file each.

mod agent;
mod agent_change;
mod agent_held;
mod agent_list;
mod completions;
mod events;
mod execute;
mod framework_explain;
mod framework_list;
mod framework_teardown;
mod holdings;
mod local;
mod maintenance;
mod master;
mod outcome;
mod quorum;
mod replay;
mod reserve;
mod role;
mod task_list;
mod task_log;
mod volume;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::client::{Address, Leader, TRUST_FILE};
use crate::logging::LoggingLevel;

const EXAMPLES: &str = "\
Examples:
  mesolith local -- 'echo hello from $(hostname)'   a whole cluster for one command
  mesolith local --masters 3 --agents 2             a cluster that stays until Ctrl-C
  mesolith execute --cpus 0.5 'sleep 5; date'       a task on it, from another terminal
  mesolith task list                                what runs, and what ran
  mesolith events --follow                          every decision, as it is taken
  mesolith replay log DIR                           every decision that was ever taken";

/// A cluster manager that speaks the Apache Mesos v1 API and keeps every decision in a replicated journal
#[derive(Debug, Parser)]
#[command(name = "mesolith", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// How much is logged on stderr: trace, debug, info, warning or error; by default info for daemons
    #[arg(long, global = true, env = "MESOLITH_LOGGING_LEVEL", value_name = "LEVEL")]
    logging_level: Option<LoggingLevel>,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Local(local::Local),
    Execute(execute::Execute),
    /// Look at tasks
    #[command(subcommand)]
    Task(Task),
    Master(Box<master::Master>),
    Agent(Box<agent::Agent>),
    /// Look at frameworks, and end them
    #[command(subcommand)]
    Framework(Framework),
    #[command(visible_aliases = ["quota", "weight"])]
    Role(role::Role),
    Reserve(reserve::Reserve),
    Unreserve(reserve::Unreserve),
    Reservations(reserve::Reservations),
    Volume(volume::Volume),
    Maintenance(maintenance::Maintenance),
    Quorum(quorum::Quorum),
    Events(events::Events),
    Replay(replay::Replay),
    Completions(completions::Completions),
}

/// What to do about tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    List(task_list::TaskList),
    Log(task_log::TaskLog),
}

/// What to do about frameworks.
#[derive(Debug, Subcommand)]
pub(crate) enum Framework {
    List(framework_list::FrameworkList),
    Explain(framework_explain::FrameworkExplain),
    Teardown(framework_teardown::FrameworkTeardown),
}

impl Arguments {
    pub(crate) fn logging_level(&self) -> LoggingLevel {
        self.logging_level.unwrap_or(match &self.verb {
            Verb::Master(_) => LoggingLevel::INFO,
            Verb::Agent(agent) if agent.is_daemon() => LoggingLevel::INFO,
            _ => LoggingLevel::WARNING,
        })
    }
}

/// Daemons' flags may be written with underscores, as Mesos writes them; the words of commands that are to
/// be run are nobody's flags and stay as they are.
pub(crate) fn accept_underscores(words: Vec<OsString>) -> Vec<OsString> {
    let command = Arguments::command();
    let is_verb =
        |word: &&OsString| command.get_subcommands().any(|verb| *verb.get_name() == ***word);
    let verb = words.iter().skip(1).find(is_verb);
    if verb.is_some_and(|verb| verb == "master" || verb == "agent") {
        ::agent::accept_underscores(words)
    } else {
        words
    }
}

impl Verb {
    /// Does it. An error has not been shown yet.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Local(verb) => verb.run(),
            Self::Execute(verb) => verb.run(),
            Self::Task(Task::List(verb)) => verb.run(),
            Self::Task(Task::Log(verb)) => verb.run(),
            Self::Master(verb) => verb.run(),
            Self::Agent(verb) => verb.run(),
            Self::Framework(Framework::List(verb)) => verb.run(),
            Self::Framework(Framework::Explain(verb)) => verb.run(),
            Self::Framework(Framework::Teardown(verb)) => verb.run(),
            Self::Role(verb) => verb.run(),
            Self::Reserve(verb) => verb.run(),
            Self::Unreserve(verb) => verb.run(),
            Self::Reservations(verb) => verb.run(),
            Self::Volume(verb) => verb.run(),
            Self::Maintenance(verb) => verb.run(),
            Self::Quorum(verb) => verb.run(),
            Self::Events(verb) => verb.run(),
            Self::Replay(verb) => Ok(verb.run()),
            Self::Completions(verb) => verb.run(),
        }
    }
}

/// Where the masters are: the flag that all clients of a cluster share.
#[derive(Debug, Args)]
pub(crate) struct Masters {
    /// Masters to ask: host:port, separated by commas; any of them leads to the leader
    #[arg(
        long = "master",
        global = true,
        value_name = "HOST:PORT,...",
        env = "MESOLITH_MASTER",
        value_delimiter = ',',
        default_value = "127.0.0.1:5050"
    )]
    addresses: Vec<Address>,

    /// Speak TLS, and believe those whose certificates this file signs (PEM)
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = TRUST_FILE,
        value_parser = crate::client::believe
    )]
    ssl_ca_file: Option<()>,
}

impl Masters {
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    pub(crate) fn leader(&self) -> Leader {
        Leader::among(&self.addresses)
    }
}

/// Where the masters are, and how a listing is shown.
#[derive(Debug, Args)]
pub(crate) struct Listing {
    #[command(flatten)]
    masters: Masters,

    /// Ask the first of the masters that can be reached, leader or not: what it knows may be a moment old
    #[arg(long)]
    any_master: bool,

    /// Print one JSON array instead of a table
    #[arg(long)]
    json: bool,
}

impl Listing {
    /// Whom to ask.
    fn leader(&self) -> Leader {
        if self.any_master {
            Leader::any_of(&self.masters.addresses)
        } else {
            self.masters.leader()
        }
    }
}

/// Runs a verb's future on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        let words = line.split(' ').map(OsString::from).collect();
        Arguments::try_parse_from(accept_underscores(words))
    }

    #[test]
    fn the_command_line_contradicts_nothing() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn daemons_take_flags_as_mesos_writes_them() {
        let arguments =
            parse("mesolith --logging-level info agent --work_dir=/a_b --master m:5050");
        let Verb::Agent(agent) = arguments.expect("a fine command line").verb else {
            panic!("not an agent")
        };
        assert!(agent.is_daemon());
    }

    #[test]
    fn commands_keep_their_underscores() {
        let arguments = parse("mesolith execute agent --work_dir");
        let Verb::Execute(execute) = arguments.expect("a fine command line").verb else {
            panic!("not execute")
        };
        assert!(format!("{execute:?}").contains("--work_dir"));
    }

    #[test]
    fn an_agent_without_its_flags_is_refused_and_a_listing_needs_none() {
        assert!(parse("mesolith agent").is_err());
        assert!(parse("mesolith agent --work-dir /a").is_err());
        let listing = parse("mesolith agent list --master a:1,b:2");
        let Verb::Agent(agent) = listing.expect("a fine command line").verb else {
            panic!("not an agent")
        };
        assert!(!agent.is_daemon());
    }

    #[test]
    fn operators_find_their_verbs() {
        for line in [
            "mesolith quota set eng --limit cpus:4",
            "mesolith weight set eng --weight 2",
            "mesolith role list --json",
            "mesolith reserve S0 cpus:1;mem:64 --role eng --label a=b --wait",
            "mesolith unreserve S0 cpus:1 --role eng --wait=30secs --json",
            "mesolith reservations S0 --json",
            "mesolith volume create S0 v --role eng --size 64 --path data --shared",
            "mesolith volume shrink S0 v --by 8 --json",
            "mesolith agent drain S0 --cancel",
            "mesolith agent held --json",
            "mesolith agent give-up S0 S1",
            "mesolith agent give-up --all --json",
            "mesolith events --from 3 --follow --event TaskUpdated,AgentGone --json",
            "mesolith framework teardown F --json",
            "mesolith maintenance show",
        ] {
            parse(line).expect(line);
        }
        for line in [
            "mesolith reserve S0 cpus:1",
            "mesolith reserve S0 cpus --role eng",
            "mesolith volume create S0 v --role eng --size 0",
            "mesolith agent drain S0 --cancel --mark-gone",
            "mesolith agent give-up",
            "mesolith agent give-up S0 --all",
            "mesolith events --from soon",
        ] {
            parse(line).expect_err(line);
        }
    }

    #[test]
    fn masters_that_are_no_addresses_are_refused() {
        assert!(parse("mesolith task list --master zk://a:1/mesos").is_err());
        assert!(parse("mesolith task list --master a:x").is_err());
    }
}
