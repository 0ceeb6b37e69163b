//! `/explain`: why a framework is offered what it is (gaps 31). Ours; Mesos has nothing like it.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use statemachine::allocator::{Question, explain};
use statemachine::quota::Amounts;
use statemachine::{Context, State};

use super::body::{Body, Refusal, json};
use super::read;
use super::route::parameter;
use crate::clock;
use crate::config::OfferMinimums;
use crate::master::Master;
use crate::views::explanation;
use crate::views::json::to_vec;

/// Answers `framework_id`, and `role`, `agent_id` and `needs` (`cpus:4;mem:1024`) if they are given.
pub(super) async fn answer(master: &Arc<Master>, parts: &Parts) -> Result<Response<Body>, Refusal> {
    let seen = read::seen(master, parts).await?;
    let asked = seen.clone();
    let question = question_of(seen.state(), parts.uri.query().unwrap_or_default());
    let question = question.map_err(Refusal::BadRequest)?;
    let settings = Arc::new(master.config.settings());
    // a cycle over the whole cluster takes a while
    let query = parts.uri.query().unwrap_or_default();
    let subject = format!("/explain?{query} at {}", seen.index());
    let write = move || {
        let context = Context { now: clock::wall(), seed: 0, principal: None, settings };
        let answers = explain(asked.state(), &context, &question);
        to_vec(&explanation::write(asked.state(), &question, &answers, context.now))
    };
    Ok(seen.mark(json(read::text(master, subject, write).await?)))
}

fn question_of(state: &State, query: &str) -> Result<Question, String> {
    let wire_id = parameter(query, "framework_id")
        .ok_or("explaining needs 'framework_id', as in /explain?framework_id=…")?;
    let framework = state
        .framework_by_wire_id(&wire_id)
        .ok_or_else(|| format!("no framework '{wire_id}' is known"))?;
    let role = parameter(query, "role").map(|role| role.as_str().into());
    if let Some(role) = role.as_ref().filter(|role| !framework.description.roles.contains(role)) {
        return Err(format!("framework '{wire_id}' does not subscribe to role '{role}'"));
    }
    let agent = parameter(query, "agent_id").map(|text| {
        let known = state.parse_agent(&text).filter(|agent| state.agents.contains_key(agent));
        known.ok_or_else(|| format!("no agent '{text}' is known"))
    });
    Ok(Question {
        framework: framework.id,
        role,
        agent: agent.transpose()?,
        needs: needs(parameter(query, "needs").as_deref().unwrap_or_default())?,
    })
}

fn needs(text: &str) -> Result<Amounts, String> {
    let read: OfferMinimums = text.parse().map_err(|error| format!("needs: {error}"))?;
    match <[Amounts; 1]>::try_from(read.0) {
        Ok([needs]) => Ok(needs),
        Err(none) if none.is_empty() => Ok(Amounts::new()),
        Err(_) => Err(format!("needs: '{text}' names alternatives")),
    }
}
