//! `mesolith agent list`: the agents, and how much of them is in use.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::v1::Resource;
use protocol::v1::master::call::Type;
use protocol::v1::master::response::get_agents::Agent;
use serde::Serialize;

use super::{Listing, block_on};
use crate::table::{self, Row, or_dash};

const EXAMPLES: &str = "\
Examples:
  mesolith agent list
  mesolith agent list --json | jq -r '.[] | select(.active) | .hostname'";

/// List agents
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AgentList {
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, PartialEq, Serialize)]
struct AgentRow {
    agent_id: String,
    hostname: String,
    port: i32,
    active: bool,
    cpus: Usage,
    mem: Usage,
    disk: Usage,
}

/// Megabytes of memory and disk, shares of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Usage {
    total: f64,
    used: f64,
}

impl Row for AgentRow {
    const HEADINGS: &'static [&'static str] =
        &["AGENT", "HOST", "PORT", "STATE", "CPUS", "MEM", "DISK"];

    fn cells(&self) -> Vec<String> {
        let usage = |usage: Usage| format!("{}/{}", usage.used, usage.total);
        vec![
            or_dash(&self.agent_id),
            self.hostname.clone(),
            self.port.to_string(),
            if self.active { "ACTIVE" } else { "INACTIVE" }.into(),
            usage(self.cpus),
            usage(self.mem),
            usage(self.disk),
        ]
    }
}

impl AgentList {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.listing.leader();
        let response = block_on(async { Ok(leader.operate(Type::GetAgents).await?) })
            .context("listing agents")?;
        let agents = response.get_agents.unwrap_or_default().agents;
        let rows: Vec<AgentRow> = agents.into_iter().map(row).collect();
        table::print(&rows, self.listing.json).context("printing agents")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn row(agent: Agent) -> AgentRow {
    let usage = |name| Usage {
        total: amount(&agent.total_resources, name),
        used: amount(&agent.allocated_resources, name),
    };
    AgentRow {
        cpus: usage("cpus"),
        mem: usage("mem"),
        disk: usage("disk"),
        port: agent.agent_info.port(),
        agent_id: agent.agent_info.id.map(|id| id.value).unwrap_or_default(),
        hostname: agent.agent_info.hostname,
        active: agent.active,
    }
}

/// Sum of the scalars with this name, with the three decimals that scalars have.
fn amount(resources: &[Resource], name: &str) -> f64 {
    let named = resources.iter().filter(|resource| resource.name == name);
    let sum: f64 = named.filter_map(|resource| resource.scalar).map(|scalar| scalar.value).sum();
    // An empty sum is -0, which people would see.
    (sum * 1000.0).round() / 1000.0 + 0.0
}
