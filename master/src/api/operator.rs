//! `POST /api/v1`: what operators ask (semantics 307 to 315, U).

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use protocol::build_info::version;
use protocol::media::ContentType;
use protocol::v1::master::call::Type;
use protocol::v1::master::response::{
    self, GetFlags, GetHealth, GetMaintenanceSchedule, GetMaintenanceStatus, GetMaster, GetMetrics,
    GetQuota, GetRoles, GetVersion, GetWeights,
};
use protocol::v1::master::{Call, Event, Response as Answer, event};
use protocol::v1::{Flag, Metric, Role};
use statemachine::cluster::Tick;
use statemachine::{Rejection, State, framework};
use tokio::sync::oneshot;

use super::body::{Body, Refusal, status, whole};
use super::read;
use super::scheduler::{accepted, read_call};
use super::{agent_calls, files, leader, maintenance, quota, resource_calls, stream, weights};
use crate::convert::{self, resources, seconds};
use crate::effects::{HEARTBEAT_SECONDS, record};
use crate::leader::Ticket;
use crate::master::Master;
use crate::metrics;
use crate::views::{self, operator};

/// Answers one call.
pub(super) async fn answer(
    master: &Arc<Master>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    read::seen(master, parts).await?;
    let call: Call = read_call(parts, &body)?;
    let r#type = check(&call).map_err(|fault| {
        Refusal::BadRequest(format!("Failed to validate master::Call: {fault}"))
    })?;
    let content_type = accepted(&parts.headers)?;
    match r#type {
        Type::Subscribe => {
            let term = leader::leading(master, &parts.uri)?;
            subscribe(master, term, content_type).await
        }
        Type::Teardown => {
            let term = leader::leading(master, &parts.uri)?;
            let wire_id = call.teardown.unwrap_or_default().framework_id.value;
            teardown(master, term, &wire_id).await
        }
        Type::UpdateMaintenanceSchedule | Type::StartMaintenance | Type::StopMaintenance => {
            let term = leader::leading(master, &parts.uri)?;
            maintenance::answer(master, term, call).await
        }
        Type::UpdateWeights => {
            let term = leader::leading(master, &parts.uri)?;
            let infos = call.update_weights.unwrap_or_default().weight_infos;
            weights::update(master, term, &infos).await
        }
        Type::UpdateQuota | Type::SetQuota | Type::RemoveQuota => {
            let term = leader::leading(master, &parts.uri)?;
            quota::answer(master, term, call).await
        }
        Type::ReserveResources
        | Type::UnreserveResources
        | Type::CreateVolumes
        | Type::DestroyVolumes
        | Type::GrowVolume
        | Type::ShrinkVolume => {
            let term = leader::leading(master, &parts.uri)?;
            resource_calls::answer(master, term, &parts.headers, &call).await
        }
        Type::MarkAgentGone | Type::DrainAgent | Type::DeactivateAgent | Type::ReactivateAgent => {
            let term = leader::leading(master, &parts.uri)?;
            agent_calls::answer(master, term, call).await
        }
        Type::ListFiles => Ok(written(content_type, &files::list(master, call).await?)),
        Type::ReadFile => Ok(written(content_type, &files::read(master, call).await?)),
        _ => view(master, r#type, content_type).await,
    }
}

fn written(content_type: ContentType, answer: &Answer) -> Response<Body> {
    whole(content_type.as_str(), content_type.encode(answer))
}

/// Checks that a call has the part that its type needs, even when that is empty (semantics 308).
pub(super) fn check(call: &Call) -> Result<Type, String> {
    let missing = |part: &str| Err(format!("Expecting '{part}' to be present"));
    let Some(r#type) = call.r#type.and_then(|number| Type::try_from(number).ok()) else {
        return missing("type");
    };
    match r#type {
        Type::GetMetrics if call.get_metrics.is_none() => missing("get_metrics"),
        Type::SetLoggingLevel if call.set_logging_level.is_none() => missing("set_logging_level"),
        Type::ListFiles if call.list_files.is_none() => missing("list_files"),
        Type::ReadFile if call.read_file.is_none() => missing("read_file"),
        Type::Teardown if call.teardown.is_none() => missing("teardown"),
        Type::UpdateMaintenanceSchedule if call.update_maintenance_schedule.is_none() => {
            missing("update_maintenance_schedule")
        }
        Type::StartMaintenance if call.start_maintenance.is_none() => missing("start_maintenance"),
        Type::StopMaintenance if call.stop_maintenance.is_none() => missing("stop_maintenance"),
        Type::UpdateWeights if call.update_weights.is_none() => missing("update_weights"),
        Type::UpdateQuota if call.update_quota.is_none() => missing("update_quota"),
        Type::SetQuota if call.set_quota.is_none() => missing("set_quota"),
        Type::RemoveQuota if call.remove_quota.is_none() => missing("remove_quota"),
        Type::ReserveResources if call.reserve_resources.is_none() => missing("reserve_resources"),
        Type::UnreserveResources if call.unreserve_resources.is_none() => {
            missing("unreserve_resources")
        }
        Type::CreateVolumes if call.create_volumes.is_none() => missing("create_volumes"),
        Type::DestroyVolumes if call.destroy_volumes.is_none() => missing("destroy_volumes"),
        Type::GrowVolume if call.grow_volume.is_none() => missing("grow_volume"),
        Type::ShrinkVolume if call.shrink_volume.is_none() => missing("shrink_volume"),
        Type::MarkAgentGone if call.mark_agent_gone.is_none() => missing("mark_agent_gone"),
        Type::DrainAgent if call.drain_agent.is_none() => missing("drain_agent"),
        Type::DeactivateAgent if call.deactivate_agent.is_none() => missing("deactivate_agent"),
        Type::ReactivateAgent if call.reactivate_agent.is_none() => missing("reactivate_agent"),
        _ => Ok(r#type),
    }
}

/// Ends a framework (semantics 292, 310).
pub(super) async fn teardown(
    master: &Master,
    term: u64,
    wire_id: &str,
) -> Result<Response<Body>, Refusal> {
    let unknown = || Refusal::BadRequest("No framework found with specified ID".to_owned());
    let state = master.committed.state();
    let framework = state.framework_by_wire_id(wire_id).ok_or_else(unknown)?.id;
    match leader::ask(master, term, (framework::Teardown { framework }, 0)).await? {
        Ok(_) => Ok(status(StatusCode::OK)),
        Err(Rejection::FrameworkUnknown) => Err(unknown()),
        Err(rejection) => Err(rejection.into()),
    }
}

/// Answers from the committed state, off the threads that serve.
async fn view(
    master: &Arc<Master>,
    r#type: Type,
    content_type: ContentType,
) -> Result<Response<Body>, Refusal> {
    let name = r#type.as_str_name();
    let subject = format!("{name} as {}", content_type.as_str());
    let write = move |master: &Master, state: &State| {
        look(master, state, r#type).map(|answer| content_type.encode(&answer).into())
    };
    match read::view(master, subject, write).await? {
        (seen, Some(body)) => Ok(seen.mark(whole(content_type.as_str(), body))),
        (_, None) => {
            Err(Refusal::NotImplemented(format!("{name} is not supported by this version")))
        }
    }
}

/// The answer to a call that only reads; none for one that this version does not have.
fn look(master: &Master, state: &State, r#type: Type) -> Option<Answer> {
    Some(match r#type {
        Type::GetHealth => Answer {
            get_health: Some(GetHealth { healthy: true }),
            ..of_type(response::Type::GetHealth)
        },
        Type::GetVersion => Answer {
            get_version: Some(GetVersion { version_info: version() }),
            ..of_type(response::Type::GetVersion)
        },
        Type::GetFlags => {
            Answer { get_flags: Some(flags(master)), ..of_type(response::Type::GetFlags) }
        }
        Type::GetMetrics => {
            let metric =
                |(name, value): (&str, f64)| Metric { name: name.to_owned(), value: Some(value) };
            let metrics = metrics::snapshot(master, state).values().map(metric).collect();
            let get_metrics = Some(GetMetrics { metrics });
            Answer { get_metrics, ..of_type(response::Type::GetMetrics) }
        }
        Type::GetMaster => {
            let get_master = GetMaster {
                master_info: Some(master.info()),
                start_time: Some(seconds(master.started)),
                elected_time: Some(seconds(state.cluster.elected_at)),
            };
            Answer { get_master: Some(get_master), ..of_type(response::Type::GetMaster) }
        }
        _ => return cluster_view(state, r#type),
    })
}

/// The answers that the state alone gives.
fn cluster_view(state: &State, r#type: Type) -> Option<Answer> {
    Some(match r#type {
        Type::GetState => {
            let get_state = Some(views::response::state(state));
            Answer { get_state, ..of_type(response::Type::GetState) }
        }
        Type::GetTasks => {
            let get_tasks = Some(views::response::tasks(state));
            Answer { get_tasks, ..of_type(response::Type::GetTasks) }
        }
        Type::GetAgents => {
            let get_agents = Some(views::response::agents(state));
            Answer { get_agents, ..of_type(response::Type::GetAgents) }
        }
        Type::GetFrameworks => {
            let get_frameworks = Some(views::response::frameworks(state));
            Answer { get_frameworks, ..of_type(response::Type::GetFrameworks) }
        }
        Type::GetExecutors => {
            let get_executors = Some(views::response::executors(state));
            Answer { get_executors, ..of_type(response::Type::GetExecutors) }
        }
        Type::GetMaintenanceSchedule => {
            let schedule = convert::maintenance::schedule(state);
            let get_maintenance_schedule = Some(GetMaintenanceSchedule { schedule });
            let of_type = of_type(response::Type::GetMaintenanceSchedule);
            Answer { get_maintenance_schedule, ..of_type }
        }
        Type::GetMaintenanceStatus => {
            let status = convert::maintenance::status(state);
            let get_maintenance_status = Some(GetMaintenanceStatus { status });
            let of_type = of_type(response::Type::GetMaintenanceStatus);
            Answer { get_maintenance_status, ..of_type }
        }
        Type::GetWeights => {
            let get_weights = Some(GetWeights { weight_infos: weights::list(state) });
            Answer { get_weights, ..of_type(response::Type::GetWeights) }
        }
        Type::GetQuota => {
            let get_quota = Some(GetQuota { status: quota::status_of(state) });
            Answer { get_quota, ..of_type(response::Type::GetQuota) }
        }
        Type::GetOperations => {
            let get_operations = Some(views::response::operations(state));
            Answer { get_operations, ..of_type(response::Type::GetOperations) }
        }
        Type::GetRoles => {
            Answer { get_roles: Some(roles(state)), ..of_type(response::Type::GetRoles) }
        }
        _ => return None,
    })
}

fn flags(master: &Master) -> GetFlags {
    let flag = |(name, value): (&str, String)| Flag { name: name.to_owned(), value: Some(value) };
    GetFlags { flags: master.config.flags().into_iter().map(flag).collect() }
}

fn roles(state: &State) -> GetRoles {
    let write = |(name, view): (statemachine::Role, views::roles::RoleView)| {
        let mut held = view.allocated;
        held.add_all(&view.offered);
        let wire_id = |id| state.frameworks.get(id).map(|it| (*it.wire_id).into());
        Role {
            name: name.to_string(),
            weight: view.weight,
            frameworks: view.frameworks.iter().filter_map(wire_id).collect(),
            resources: resources::write(&held, None),
        }
    };
    GetRoles { roles: views::roles::roles(state).into_iter().map(write).collect() }
}

fn of_type(r#type: response::Type) -> Answer {
    Answer { r#type: Some(r#type as i32), ..Answer::default() }
}

/// Opens a stream of events, which begins with the state that they go on from. The leader says
/// which state that is, in the order of its decisions, so that no event is missed or told twice.
async fn subscribe(
    master: &Arc<Master>,
    term: u64,
    content_type: ContentType,
) -> Result<Response<Body>, Refusal> {
    let max = master.config.max_operator_event_stream_subscribers as usize;
    let opened = master.streams.open_operator(term, content_type, max);
    let (sender, receiver) = oneshot::channel();
    let ticket = Ticket::Operator(opened.session, sender);
    let submitted = master.inbox.submit(term, (Tick.into(), 0), None, ticket).await;
    submitted.map_err(|_| leader::lost())?;
    let state = receiver.await.map_err(|_| leader::lost())?;
    let heartbeat = record(content_type, &operator::of_type(event::Type::Heartbeat));
    // those who come at the same moment begin with the same
    let (number, name) = (state.cluster.events.0, content_type.as_str());
    let subject = format!("SUBSCRIBE at {number} as {name}");
    let first = read::text(master, subject, move || begin(&state, content_type)).await?;
    let first = [first, heartbeat.clone()];
    Ok(stream::response(master, opened, content_type, (first, heartbeat)))
}

fn begin(state: &State, content_type: ContentType) -> Bytes {
    let subscribed = event::Subscribed {
        get_state: Some(views::response::state(state)),
        heartbeat_interval_seconds: Some(HEARTBEAT_SECONDS),
    };
    let of_type = operator::of_type(event::Type::Subscribed);
    record(content_type, &Event { subscribed: Some(subscribed), ..of_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// semantics 308
    #[test]
    fn a_call_needs_the_part_that_its_type_names() {
        let bare = |r#type: Type| Call { r#type: Some(r#type as i32), ..Call::default() };
        let reads = [
            Type::Unknown,
            Type::GetHealth,
            Type::GetFlags,
            Type::GetVersion,
            Type::GetLoggingLevel,
            Type::GetState,
            Type::GetAgents,
            Type::GetFrameworks,
            Type::GetExecutors,
            Type::GetOperations,
            Type::GetTasks,
            Type::GetRoles,
            Type::GetWeights,
            Type::GetMaster,
            Type::GetQuota,
            Type::GetMaintenanceStatus,
            Type::GetMaintenanceSchedule,
            Type::Subscribe,
        ];
        let numbers = (0..64).filter_map(|number| Type::try_from(number).ok());
        for r#type in numbers {
            let name = r#type.as_str_name();
            let fault = check(&bare(r#type)).err();
            let part = format!("Expecting '{}' to be present", name.to_lowercase());
            let expected = (!reads.contains(&r#type)).then_some(part);
            assert_eq!(fault, expected, "{name}");
        }
        assert_eq!(check(&Call::default()), Err("Expecting 'type' to be present".to_owned()));
    }
}
