//! `/held-agents`: who is away for too long and is not given up because of a limit (decision 0023), and
//! giving them up all the same. Ours; Mesos has nothing like it.

use http::request::Parts;
use http::{Method, Response};
use protocol::held::{HeldAgent, HeldAgents};
use statemachine::agent::{Agent, GiveUp, Spared};
use statemachine::{AgentId, State};

use super::body::{Body, Refusal, json};
use super::route::parameter;
use super::{leader, read};
use crate::convert::seconds;
use crate::master::Master;
use crate::views::json::to_vec;

/// GET lists them. POST gives up those that the form names, as `agentId=ID,ID`, or all.
pub(super) async fn answer(
    master: &Master,
    parts: &Parts,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    match parts.method {
        Method::GET => {
            let seen = read::seen(master, parts).await?;
            let held = HeldAgents { agents: list(seen.state()) };
            Ok(seen.mark(json(to_vec(&held))))
        }
        Method::POST => {
            let term = leader::leading(master, &parts.uri)?;
            give_up(master, term, body).await
        }
        _ => Err(Refusal::MethodNotAllowed("GET, POST", parts.method.to_string())),
    }
}

fn list(state: &State) -> Vec<HeldAgent> {
    let write = |agent: &Agent| {
        let limit = match agent.spared? {
            Spared::Recovery => "--recovery-agent-removal-limit",
            Spared::Rate => "--agent-removal-rate-limit",
        };
        Some(HeldAgent {
            agent_id: state.agent_text(agent.id),
            hostname: (*agent.description.hostname).into(),
            limit: limit.to_owned(),
            until: agent.connection.deadline().map_or(0.0, seconds),
            tasks: agent.tasks.len(),
        })
    };
    state.agents.values().filter_map(|agent| write(agent)).collect()
}

async fn give_up(master: &Master, term: u64, body: &[u8]) -> Result<Response<Body>, Refusal> {
    let form = std::str::from_utf8(body).unwrap_or_default();
    let (agents, mut held) = {
        let state = master.committed.state();
        let named = parameter(form, "agentId").map(|names| read_ids(&state, &names)).transpose()?;
        let is_held = |agent: &&std::sync::Arc<Agent>| agent.spared.is_some();
        let all = || state.agents.values().filter(is_held).map(|agent| agent.id).collect();
        (named.unwrap_or_else(all), list(&state))
    };
    leader::ask(master, term, (GiveUp { agents }, 0)).await??;
    let state = master.committed.state();
    held.retain(|held| {
        let agent = state.parse_agent(&held.agent_id).and_then(|id| state.agents.get(&id));
        agent.is_none_or(|agent| agent.unreachable_since.is_some())
    });
    Ok(json(to_vec(&HeldAgents { agents: held })))
}

fn read_ids(state: &State, names: &str) -> Result<Vec<AgentId>, Refusal> {
    let read = |name: &str| {
        let id = state.parse_agent(name).filter(|id| state.agents.contains_key(id));
        id.ok_or_else(|| Refusal::Unknown(format!("No agent found with ID '{name}'")))
    };
    names.split(',').map(read).collect()
}
