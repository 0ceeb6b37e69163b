//! `mesolith framework list`: who is subscribed, and who was.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::v1::master::call::Type;
use protocol::v1::master::response::{GetFrameworks, get_frameworks::Framework};
use serde::Serialize;

use super::{Listing, block_on};
use crate::table::{self, Row, or_dash};

const EXAMPLES: &str = "\
Examples:
  mesolith framework list
  mesolith framework list --all --json";

/// List frameworks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FrameworkList {
    #[command(flatten)]
    listing: Listing,

    /// Frameworks that are over too
    #[arg(long, short)]
    all: bool,
}

#[derive(Debug, PartialEq, Serialize)]
struct FrameworkRow {
    framework_id: String,
    name: String,
    state: &'static str,
    roles: Vec<String>,
    principal: String,
}

impl Row for FrameworkRow {
    const HEADINGS: &'static [&'static str] = &["FRAMEWORK", "NAME", "STATE", "ROLES", "PRINCIPAL"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.framework_id.clone(),
            or_dash(&self.name),
            self.state.into(),
            or_dash(&self.roles.join(",")),
            or_dash(&self.principal),
        ]
    }
}

impl FrameworkList {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.listing.leader();
        let response = block_on(async { Ok(leader.operate(Type::GetFrameworks).await?) })
            .context("listing frameworks")?;
        let rows = self.rows(response.get_frameworks.unwrap_or_default());
        table::print(&rows, self.listing.json).context("printing frameworks")?;
        Ok(ExitCode::SUCCESS)
    }

    fn rows(&self, frameworks: GetFrameworks) -> Vec<FrameworkRow> {
        let live = frameworks.frameworks.into_iter().map(|framework| {
            let state = match (framework.connected, framework.active) {
                (false, _) => "DISCONNECTED",
                (true, false) => "INACTIVE",
                (true, true) => "ACTIVE",
            };
            row(framework, state)
        });
        let completed = frameworks.completed_frameworks.into_iter().filter(|_| self.all);
        live.chain(completed.map(|framework| row(framework, "COMPLETED"))).collect()
    }
}

fn row(framework: Framework, state: &'static str) -> FrameworkRow {
    let info = framework.framework_info;
    #[allow(deprecated, reason = "frameworks of the old format have one role, in this field")]
    let role = info.role;
    let roles = if info.roles.is_empty() { role.into_iter().collect() } else { info.roles };
    FrameworkRow {
        framework_id: info.id.map(|id| id.value).unwrap_or_default(),
        name: info.name,
        state,
        roles,
        principal: info.principal.unwrap_or_default(),
    }
}
