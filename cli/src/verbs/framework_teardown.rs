//! `mesolith framework teardown`: ends a framework and all that it runs.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::v1::master::Call;
use protocol::v1::master::call::{Teardown, Type};
use serde::Serialize;

use super::{Masters, block_on};

const EXAMPLES: &str = "\
Its tasks are killed, its offers are over, and it may never come back under its id. Its reservations and
volumes stay (`mesolith unreserve`, `mesolith volume destroy`).

Examples:
  mesolith framework teardown ID
  mesolith framework list --json | jq -r '.[].framework_id'   the ids";

/// End a framework for good, with all its tasks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FrameworkTeardown {
    #[command(flatten)]
    masters: Masters,

    /// The framework's id, as `mesolith framework list` prints it
    #[arg(value_name = "ID")]
    framework_id: String,

    /// Print the framework as JSON instead of a sentence
    #[arg(long)]
    json: bool,
}

/// What has become of the framework.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    framework_id: &'a str,
    state: &'static str,
}

impl FrameworkTeardown {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let id = self.framework_id.as_str();
        let call = Call {
            r#type: Some(Type::Teardown.into()),
            teardown: Some(Teardown { framework_id: id.into() }),
            ..Call::default()
        };
        let leader = self.masters.leader();
        block_on(async { Ok(leader.change(&call).await?) })
            .with_context(|| format!("ending framework {id}"))?;
        let text = if self.json {
            serde_json::to_string_pretty(&Outcome { framework_id: id, state: "COMPLETED" })?
        } else {
            format!("framework {id} is over")
        };
        writeln!(std::io::stdout(), "{text}").context("printing the outcome")?;
        Ok(ExitCode::SUCCESS)
    }
}
