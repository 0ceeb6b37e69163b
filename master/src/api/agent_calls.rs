//! What operators ask of single agents: `MARK_AGENT_GONE`, `DRAIN_AGENT`, `DEACTIVATE_AGENT` and
//! `REACTIVATE_AGENT` (semantics 228, 236, 240).

use http::{Response, StatusCode};
use protocol::google::Duration;
use protocol::v1::master::call::Type;
use protocol::v1::master::{Call, call};
use statemachine::agent::{Deactivate, DrainAgent, MarkGone, Reactivate};
use statemachine::{AgentId, Command, Rejection};

use super::body::{Body, Refusal, status};
use super::leader;
use crate::master::Master;

/// Carries out the one of these that the call is.
pub(super) async fn answer(
    master: &Master,
    term: u64,
    call: Call,
) -> Result<Response<Body>, Refusal> {
    let is_gone = call.r#type() == Type::MarkAgentGone;
    let unknown = |name: &str| {
        if is_gone {
            Refusal::Unknown(format!("No agent found with ID '{name}'"))
        } else {
            Refusal::BadRequest("Unknown agent".to_owned())
        }
    };
    let name = agent_id(&call).to_owned();
    let agent = master.committed.state().parse_agent(&name).ok_or_else(|| unknown(&name))?;
    let command = command(agent, &call).map_err(Refusal::BadRequest)?;
    match leader::ask(master, term, (command, 0)).await? {
        Ok(_) => Ok(status(StatusCode::OK)),
        Err(Rejection::AgentUnknown(_)) => Err(unknown(&name)),
        Err(rejection) => Err(rejection.into()),
    }
}

/// The agent that a call names, in the part of its type; empty for calls that name none.
pub(super) fn agent_id(call: &Call) -> &str {
    let id = match call.r#type() {
        Type::DrainAgent => call.drain_agent.as_ref().map(|it| &it.agent_id),
        Type::DeactivateAgent => call.deactivate_agent.as_ref().map(|it| &it.agent_id),
        Type::ReactivateAgent => call.reactivate_agent.as_ref().map(|it| &it.agent_id),
        _ => call.mark_agent_gone.as_ref().map(|it| &it.agent_id),
    };
    id.map_or("", |id| &id.value)
}

pub(super) fn command(agent: AgentId, call: &Call) -> Result<Command, String> {
    Ok(match call.r#type() {
        Type::DrainAgent => {
            let drain = call.drain_agent.as_ref();
            let max_grace = drain.and_then(|drain| drain.max_grace_period.as_ref());
            let max_grace_ns = max_grace.map(nanoseconds).transpose()?;
            let mark_gone = drain.is_some_and(call::DrainAgent::mark_gone);
            DrainAgent { agent, max_grace_ns, mark_gone }.into()
        }
        Type::DeactivateAgent => Deactivate { agent }.into(),
        Type::ReactivateAgent => Reactivate { agent }.into(),
        _ => MarkGone { agent }.into(),
    })
}

/// A grace period, as far as `DurationInfo` can say it again.
fn nanoseconds(period: &Duration) -> Result<u64, String> {
    let seconds = period.seconds.checked_mul(1_000_000_000);
    let total = seconds.and_then(|seconds| seconds.checked_add(i64::from(period.nanos)));
    total.and_then(|total| u64::try_from(total).ok()).ok_or_else(|| {
        format!(
            "'max_grace_period' must be between 0 and 292 years, not {} s and {} ns",
            period.seconds, period.nanos
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, nanos: i32, expected: Option<u64>) {
        assert_eq!(nanoseconds(&Duration { seconds, nanos }).ok(), expected, "{seconds} {nanos}");
    }

    /// semantics 21
    #[test]
    fn grace_periods_are_not_negative_and_not_endless() {
        check(0, 0, Some(0));
        check(600, 5, Some(600_000_000_005));
        check(-1, 0, None);
        check(0, -1, None);
        check(i64::MAX, 0, None);
        check(9_223_372_036, 999_999_999, None);
    }

    /// A call that brings the parts of other types as well does what its own says.
    #[test]
    fn the_type_of_a_call_says_what_it_is() {
        let agent = AgentId(7);
        let all = ["mark_agent_gone", "drain_agent", "deactivate_agent", "reactivate_agent"];
        let expected: [Command; 4] = [
            MarkGone { agent }.into(),
            DrainAgent { agent, max_grace_ns: None, mark_gone: false }.into(),
            Deactivate { agent }.into(),
            Reactivate { agent }.into(),
        ];
        for (name, expected) in all.iter().zip(expected) {
            let part = |it: &&str| {
                let id = if it == name { "mine" } else { "another" };
                format!(r#""{it}":{{"agent_id":{{"value":"{id}"}}}}"#)
            };
            let parts: Vec<_> = all.iter().map(part).collect();
            let text = format!(r#"{{"type":"{}",{}}}"#, name.to_uppercase(), parts.join(","));
            let call: Call = protocol::json::from_slice(text.as_bytes()).expect("a call");
            assert_eq!(agent_id(&call), "mine", "{text}");
            assert_eq!(command(agent, &call), Ok(expected), "{text}");
        }
    }
}
