//! `mesolith agent drain`, `deactivate`, `reactivate` and `gone`: what operators do to one agent.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use protocol::google;
use protocol::v1::DrainState;
use protocol::v1::master::call::{
    DeactivateAgent, DrainAgent, MarkAgentGone, ReactivateAgent, Type,
};
use protocol::v1::master::response::get_agents::Agent;
use protocol::v1::master::{Call, call};
use serde::Serialize;

use super::{Masters, block_on};
use crate::client::{Leader, OperatorError};

/// How often a drain that is waited for is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// One agent.
#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    masters: Masters,

    /// The agent's id, as `mesolith agent list` prints it
    #[arg(value_name = "ID")]
    agent_id: String,

    /// Print the agent as JSON instead of a sentence
    #[arg(long)]
    json: bool,
}

/// What becomes of the agent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    Deactivate,
    Reactivate,
    Gone,
}

#[derive(Debug, Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    change: Change,

    /// Longest grace period of any task, such as 10mins or 30secs; without it each has its own
    #[arg(long, value_name = "DURATION", value_parser = protocol::duration_text::parse)]
    max_grace_period: Option<Duration>,

    /// Mark the agent gone once it is drained
    #[arg(long)]
    mark_gone: bool,

    /// Wait until the agent is drained
    #[arg(long)]
    wait: bool,

    /// Call the drain off, as far as tasks have not been told to end, and offer the agent again
    #[arg(long, conflicts_with_all = ["max_grace_period", "mark_gone", "wait"])]
    cancel: bool,
}

/// What has become of the agent.
#[derive(Debug, PartialEq, Serialize)]
struct Outcome<'a> {
    agent_id: &'a str,
    state: &'static str,
}

impl Change {
    pub(super) fn run(self, wish: Wish) -> anyhow::Result<ExitCode> {
        let agent_id = self.agent_id.as_str().into();
        let (r#type, state) = match wish {
            Wish::Deactivate => (Type::DeactivateAgent, "DEACTIVATED"),
            Wish::Reactivate => (Type::ReactivateAgent, "ACTIVE"),
            Wish::Gone => (Type::MarkAgentGone, "GONE"),
        };
        let mut call = Call { r#type: Some(r#type.into()), ..Call::default() };
        match wish {
            Wish::Deactivate => call.deactivate_agent = Some(DeactivateAgent { agent_id }),
            Wish::Reactivate => call.reactivate_agent = Some(ReactivateAgent { agent_id }),
            Wish::Gone => call.mark_agent_gone = Some(MarkAgentGone { agent_id }),
        }
        let leader = self.masters.leader();
        block_on(async { Ok(leader.change(&call).await?) })
            .with_context(|| format!("changing agent {}", self.agent_id))?;
        self.print(state)
    }

    fn print(&self, state: &'static str) -> anyhow::Result<ExitCode> {
        let outcome = Outcome { agent_id: &self.agent_id, state };
        let text = if self.json {
            serde_json::to_string_pretty(&outcome)?
        } else {
            format!("agent {} is {}", outcome.agent_id, state.to_lowercase())
        };
        writeln!(std::io::stdout(), "{text}").context("printing the outcome")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Drain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.cancel {
            return self.change.run(Wish::Reactivate);
        }
        let leader = self.change.masters.leader();
        let call = self.call();
        let state = block_on(async {
            leader.change(&call).await?;
            if self.wait { self.drained(&leader).await } else { Ok("DRAINING") }
        });
        let id = &self.change.agent_id;
        self.change.print(state.with_context(|| format!("draining agent {id}"))?)
    }

    fn call(&self) -> Call {
        let period = |it: Duration| google::Duration {
            seconds: i64::try_from(it.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(it.subsec_nanos()).unwrap_or_default(),
        };
        let drain = DrainAgent {
            agent_id: self.change.agent_id.as_str().into(),
            max_grace_period: self.max_grace_period.map(period),
            mark_gone: Some(self.mark_gone),
        };
        let r#type = Some(call::Type::DrainAgent.into());
        Call { r#type, drain_agent: Some(drain), ..Call::default() }
    }

    /// Waits for the drain's end, across changes of leader.
    async fn drained(&self, leader: &Leader) -> anyhow::Result<&'static str> {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let agents = match leader.operate(Type::GetAgents).await {
                Ok(answer) => answer.get_agents.unwrap_or_default(),
                // a master that is asked while it takes over does not know yet; the next one does
                Err(error) => {
                    tracing::warn!(%error, "asking again");
                    continue;
                }
            };
            let id = self.change.agent_id.as_str();
            let is_it =
                |agent: &&Agent| agent.agent_info.id.as_ref().is_some_and(|it| it.value == id);
            let awaited = agents.recovered_agents.iter();
            if awaited.filter_map(|it| it.id.as_ref()).any(|it| it.value == id) {
                continue;
            }
            match agents.agents.iter().find(is_it).map(|agent| &agent.drain_info) {
                Some(Some(info)) if info.state() == DrainState::Drained => return Ok("DRAINED"),
                Some(Some(_)) => {}
                Some(None) => bail!("the drain was called off"),
                // it is unreachable and drains on, or is not there any more: asked once more, the
                // master tells which
                None => match leader.change(&self.call()).await {
                    Err(OperatorError::Refused { .. }) if self.mark_gone => return Ok("GONE"),
                    Err(OperatorError::Refused { .. }) => bail!("the agent is not there any more"),
                    Ok(()) | Err(_) => {}
                },
            }
        }
    }
}
