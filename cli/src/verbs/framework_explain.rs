//! `mesolith framework explain`: why a framework is offered what it is, and no more.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::explanation::{AgentExplanation, Explanation, RoleExplanation};
use serde::Serialize;

use super::{Masters, block_on};
use crate::table::{self, Row};

/// How many agents of one row are named.
const NAMED_MAX: usize = 3;

const EXAMPLES: &str = "\
Examples:
  mesolith framework explain ID
  mesolith framework explain ID --role eng --needs 'cpus:4;mem:1024'
  mesolith framework explain ID --agent 8c1d…-S3 --json";

/// Say what stands between a framework and offers of each agent
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FrameworkExplain {
    #[command(flatten)]
    masters: Masters,

    /// The framework's id
    framework: String,

    /// This role of it only
    #[arg(long)]
    role: Option<String>,

    /// This agent only, by its id
    #[arg(long)]
    agent: Option<String>,

    /// What an offer would have to have, such as 'cpus:4;mem:1024'
    #[arg(long, value_name = "QUANTITIES")]
    needs: Option<String>,

    /// Print the master's whole answer, a JSON object, instead of a table
    #[arg(long)]
    json: bool,
}

/// Agents of which the same can be said.
#[derive(Debug, PartialEq, Serialize)]
struct WhyRow {
    role: String,
    verdict: String,
    agents: usize,
    which: String,
    why: String,
}

impl Row for WhyRow {
    const HEADINGS: &'static [&'static str] = &["ROLE", "VERDICT", "AGENTS", "WHICH", "WHY"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.role.clone(),
            self.verdict.clone(),
            self.agents.to_string(),
            self.which.clone(),
            self.why.clone(),
        ]
    }
}

impl FrameworkExplain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.masters.leader();
        let asked = [
            ("framework_id", Some(&self.framework)),
            ("role", self.role.as_ref()),
            ("agent_id", self.agent.as_ref()),
            ("needs", self.needs.as_ref()),
        ];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?.as_str())));
        let asked: Vec<_> = asked.collect();
        let explanation = block_on(async { Ok(leader.explain(&asked).await?) })
            .with_context(|| format!("explaining the offers of framework {}", self.framework))?;
        let shown = if self.json {
            table::print_object(&explanation)
        } else {
            table::print(&rows(&explanation), false)
        };
        shown.context("printing the explanation")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn rows(explanation: &Explanation) -> Vec<WhyRow> {
    explanation.roles.iter().flat_map(rows_of_role).collect()
}

fn rows_of_role(role: &RoleExplanation) -> Vec<WhyRow> {
    let all = |verdict: &str, why: &str| {
        let (verdict, why) = (verdict.to_owned(), why.to_owned());
        vec![WhyRow { role: role.role.clone(), verdict, agents: 0, which: "-".into(), why }]
    };
    if let Some(obstacle) = &role.obstacle {
        return all("NO_OFFERS", obstacle);
    }
    if role.agents.is_empty() {
        return all("NO_AGENTS", "no agent is registered");
    }
    let mut alike: BTreeMap<&str, Vec<&AgentExplanation>> = BTreeMap::new();
    for agent in &role.agents {
        alike.entry(&agent.verdict).or_default().push(agent);
    }
    alike.into_iter().map(|(verdict, agents)| row(&role.role, verdict, &agents)).collect()
}

fn row(role: &str, verdict: &str, agents: &[&AgentExplanation]) -> WhyRow {
    let mut hosts: Vec<_> =
        agents.iter().take(NAMED_MAX).map(|agent| agent.hostname.as_str()).collect();
    if agents.len() > NAMED_MAX {
        hosts.push("…");
    }
    let why = agents.first().map(|agent| agent.message.as_str()).unwrap_or_default();
    let differ = agents.iter().any(|agent| agent.message != why);
    WhyRow {
        role: role.into(),
        verdict: verdict.into(),
        agents: agents.len(),
        which: hosts.join(","),
        why: if differ { format!("for one: {why}") } else { why.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(host: &str, verdict: &str, message: &str) -> AgentExplanation {
        AgentExplanation {
            agent_id: format!("c-{host}"),
            hostname: host.into(),
            verdict: verdict.into(),
            message: message.into(),
        }
    }

    fn check(obstacle: Option<&str>, agents: Vec<AgentExplanation>, want: &[[&str; 4]]) {
        let obstacle = obstacle.map(Into::into);
        let role = RoleExplanation { role: "a".into(), obstacle, share: None, weight: 1.0, agents };
        let found: Vec<_> = rows_of_role(&role).iter().map(Row::cells).collect();
        let found: Vec<Vec<_>> =
            found.iter().map(|cells| cells.iter().skip(1).map(String::as_str).collect()).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn agents_of_which_the_same_is_said_share_a_row() {
        let taken = |host: &str, by: &str| agent(host, "TAKEN", by);
        let four = vec![taken("h1", "x"), taken("h2", "x"), taken("h3", "x"), taken("h4", "x")];
        check(None, four, &[["TAKEN", "4", "h1,h2,h3,…", "x"]]);
        let mixed = vec![taken("h1", "x"), taken("h2", "y"), agent("h3", "NEXT", "z")];
        check(None, mixed, &[["NEXT", "1", "h3", "z"], ["TAKEN", "2", "h1,h2", "for one: x"]]);
    }

    #[test]
    fn what_holds_for_all_agents_is_said_once() {
        check(Some("away"), Vec::new(), &[["NO_OFFERS", "0", "-", "away"]]);
        check(None, Vec::new(), &[["NO_AGENTS", "0", "-", "no agent is registered"]]);
    }
}
