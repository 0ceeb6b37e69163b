//! What agents have made of what operators asked for: answers of 202 say so, and whoever wants may wait
//! (gaps 30). Mesos leaves them to poll.
//!
//! The decision is in the journal when the answer comes; `FINISHED` says that the agent has written it
//! down, made or removed the directories of volumes, and will have done so after any crash.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use protocol::duration_text;
use statemachine::{AgentId, EventNumber};
use tokio::time::Instant;

use super::body::{Body, Refusal, json, status};
use super::route::parameter;
use crate::master::Master;
use crate::standing::Standing;
use crate::views::json::to_vec;

/// In a request: how long to wait for the outcome.
const WAIT: HeaderName = HeaderName::from_static("mesolith-wait");
/// In an answer: by which name the outcome can be asked for later.
const OPERATION: HeaderName = HeaderName::from_static("mesolith-operation");
/// In an answer: the outcome by then.
const OUTCOME: HeaderName = HeaderName::from_static("mesolith-outcome");

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How often it is looked whether the agent is still there.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Something that an agent was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) agent: AgentId,
    pub(super) directive: EventNumber,
}

/// What the agent has made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing that the leader has heard of.
    Pending,
    /// All of it.
    Finished,
    /// Nothing before it was away for too long; it will when it comes back.
    Unreachable,
    /// Nothing, and it never will: the agent has left or was marked gone, with its resources.
    Gone,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Finished => "FINISHED",
            Self::Unreachable => "UNREACHABLE",
            Self::Gone => "GONE",
        }
    }

    fn of(master: &Master, told: Told) -> Self {
        if master.confirmed.has(told.agent, told.directive) {
            return Self::Finished;
        }
        match master.committed.state().agents.get(&told.agent) {
            None => Self::Gone,
            Some(agent) if agent.unreachable_since.is_some() => Self::Unreachable,
            Some(_) => Self::Pending,
        }
    }

    /// The outcome, once it is not pending, or after so long.
    async fn wait(master: &Master, told: Told, wait: Duration) -> Self {
        let deadline = Instant::now() + wait;
        loop {
            let outcome = Self::of(master, told);
            let leads = matches!(master.stand.now(), Standing::Leading(_));
            if outcome != Self::Pending || !leads || Instant::now() >= deadline {
                return outcome;
            }
            master.confirmed.changed(deadline, LOOK_INTERVAL).await;
        }
    }
}

/// How long a request says that it may wait.
pub(super) fn patience(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    headers.get(WAIT).map(|wait| read_wait(wait.to_str().unwrap_or_default())).transpose()
}

fn read_wait(text: &str) -> Result<Duration, Refusal> {
    let wait = duration_text::parse(text).map_err(|error| {
        Refusal::BadRequest(format!("cannot wait for '{text}', which is no duration: {error}"))
    })?;
    if wait > WAIT_MAX {
        return Err(Refusal::BadRequest(format!("a wait is at most {WAIT_MAX:?}, not {text}")));
    }
    Ok(wait)
}

/// 202, with what has become of it after a wait of this length.
pub(super) async fn accepted(master: &Master, told: Told, wait: Duration) -> Response<Body> {
    let outcome = Outcome::wait(master, told, wait).await;
    let mut response = status(StatusCode::ACCEPTED);
    let headers = response.headers_mut();
    if let Ok(operation) = HeaderValue::from_str(&name(master, told)) {
        headers.insert(OPERATION, operation);
    }
    headers.insert(OUTCOME, HeaderValue::from_static(outcome.name()));
    response
}

/// `GET /outcome?operation=NAME&wait=30secs`.
pub(super) async fn answer(master: &Master, query: &str) -> Result<Response<Body>, Refusal> {
    let text = parameter(query, "operation").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| {
        Refusal::BadRequest(
            "Expecting 'operation=name' in query, as 'Mesolith-Operation' has it".to_owned(),
        )
    })?;
    let told = read_name(master, &text)
        .ok_or_else(|| Refusal::Unknown(format!("No operation found with name '{text}'")))?;
    let wait = match parameter(query, "wait") {
        None => Duration::ZERO,
        Some(wait) => read_wait(&wait)?,
    };
    let outcome = Outcome::wait(master, told, wait).await.name();
    Ok(json(to_vec(&serde_json::json!({"operation": text, "outcome": outcome}))))
}

/// The agent's id and the number of the directive, as in `7c0e…-S0/42`.
fn name(master: &Master, told: Told) -> String {
    let agent = master.committed.state().agent_text(told.agent);
    format!("{agent}/{}", told.directive)
}

/// What a name stands for, if it was given out by now.
fn read_name(master: &Master, text: &str) -> Option<Told> {
    let state = master.committed.state();
    let (agent, number) = text.rsplit_once('/')?;
    let agent = state.parse_agent(agent).filter(|agent| agent.0 < state.cluster.agents)?;
    let directive = EventNumber(number.parse().ok()?);
    (directive <= state.cluster.events).then_some(Told { agent, directive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_durations_and_end() {
        for (text, expected) in [
            ("30secs", Some(Duration::from_secs(30))),
            ("10mins", Some(WAIT_MAX)),
            ("11mins", None),
            ("30", None),
            ("", None),
        ] {
            assert_eq!(read_wait(text).ok(), expected, "{text}");
        }
    }
}
