//! `mesolith agent held` and `mesolith agent give-up`: agents that are away for too long, and that a limit
//! keeps from being called unreachable.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::held::HeldAgent;
use serde::Serialize;

use super::{Listing, Masters, block_on};
use crate::table::{self, Row};

const EXAMPLES: &str = "\
--agent-removal-rate-limit and --recovery-agent-removal-limit of the masters keep agents that are away from
being given up. Nothing of them is offered, but their tasks are not told to be lost or unreachable.

Examples:
  mesolith agent held
  mesolith agent give-up ID ID     these are lost, whatever the limits say
  mesolith agent give-up --all";

/// List agents that are away for too long, and that a limit keeps from being given up
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AgentHeld {
    #[command(flatten)]
    listing: Listing,
}

/// Give agents up that a limit holds back: they are unreachable, and their tasks are told so
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AgentGiveUp {
    #[command(flatten)]
    masters: Masters,

    /// Ids of agents, as `mesolith agent held` prints them
    #[arg(value_name = "ID", required_unless_present = "all")]
    agent_ids: Vec<String>,

    /// All that are held back now
    #[arg(long, conflicts_with = "agent_ids")]
    all: bool,

    /// Print one JSON array instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, PartialEq, Serialize)]
struct HeldRow(HeldAgent);

impl Row for HeldRow {
    const HEADINGS: &'static [&'static str] = &["AGENT", "HOST", "TASKS", "LIMIT"];

    fn cells(&self) -> Vec<String> {
        let Self(agent) = self;
        vec![
            agent.agent_id.clone(),
            agent.hostname.clone(),
            agent.tasks.to_string(),
            agent.limit.clone(),
        ]
    }
}

impl AgentHeld {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.listing.leader();
        let held = block_on(async { Ok(leader.held().await?) }).context("listing agents")?;
        print(held.agents, self.listing.json)
    }
}

impl AgentGiveUp {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.masters.leader();
        let agents = (!self.all).then_some(self.agent_ids.as_slice());
        let given_up = block_on(async { Ok(leader.give_up(agents).await?) });
        print(given_up.context("giving agents up")?.agents, self.json)
    }
}

fn print(agents: Vec<HeldAgent>, json: bool) -> anyhow::Result<ExitCode> {
    let rows: Vec<_> = agents.into_iter().map(HeldRow).collect();
    table::print(&rows, json).context("printing agents")?;
    Ok(ExitCode::SUCCESS)
}
