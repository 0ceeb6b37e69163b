//! What operators ask of single agents: `MARK_AGENT_GONE`, `DRAIN_AGENT`, `DEACTIVATE_AGENT` and
//! `REACTIVATE_AGENT` (semantics 228, 236, 240).

use http::{Response, StatusCode};
use protocol::google::Duration;
use protocol::v1::master::Call;
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
    let is_gone = call.mark_agent_gone.is_some();
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

/// The agent that a call names; empty for calls that name none.
fn agent_id(call: &Call) -> &str {
    let gone = call.mark_agent_gone.as_ref().map(|it| &it.agent_id);
    let drain = call.drain_agent.as_ref().map(|it| &it.agent_id);
    let deactivate = call.deactivate_agent.as_ref().map(|it| &it.agent_id);
    let reactivate = call.reactivate_agent.as_ref().map(|it| &it.agent_id);
    gone.or(drain).or(deactivate).or(reactivate).map_or("", |id| &id.value)
}

fn command(agent: AgentId, call: &Call) -> Result<Command, String> {
    if let Some(drain) = &call.drain_agent {
        let max_grace_ns = drain.max_grace_period.as_ref().map(nanoseconds).transpose()?;
        let mark_gone = drain.mark_gone();
        return Ok(DrainAgent { agent, max_grace_ns, mark_gone }.into());
    }
    Ok(if call.deactivate_agent.is_some() {
        Deactivate { agent }.into()
    } else if call.reactivate_agent.is_some() {
        Reactivate { agent }.into()
    } else {
        MarkGone { agent }.into()
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
}
