//! Maintenance, as operators ask for it over the v1 API and over the endpoints from before it
//! (semantics 242 to 245).

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use protocol::json::{self, JsonError};
use protocol::v1::MachineId;
use protocol::v1::maintenance::Schedule;
use protocol::v1::master::Call;
use protocol::v1::master::call::Type;
use statemachine::Command;
use statemachine::maintenance::{StartMaintenance, StopMaintenance, UpdateSchedule};

use super::body::{self, Body, Refusal, status};
use super::route::Endpoint;
use super::{leader, read};
use crate::convert::maintenance as convert;
use crate::master::Master;
use crate::views::json::to_vec;

/// Carries out a v1 call that changes something.
pub(super) async fn answer(
    master: &Master,
    term: u64,
    call: Call,
) -> Result<Response<Body>, Refusal> {
    change(master, term, command(call)).await
}

/// What a call of its type asks for.
pub(super) fn command(call: Call) -> Command {
    match call.r#type() {
        Type::StartMaintenance => {
            let start = call.start_maintenance.unwrap_or_default();
            StartMaintenance { machines: convert::read_machines(&start.machines) }.into()
        }
        Type::StopMaintenance => {
            let stop = call.stop_maintenance.unwrap_or_default();
            StopMaintenance { machines: convert::read_machines(&stop.machines) }.into()
        }
        _ => {
            let update = call.update_maintenance_schedule.unwrap_or_default();
            UpdateSchedule { windows: convert::read_schedule(&update.schedule) }.into()
        }
    }
}

/// Answers one of the endpoints.
pub(super) async fn classic(
    master: &Master,
    endpoint: Endpoint,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response<Body>, Refusal> {
    let reads = parts.method == Method::GET;
    let allowed = match endpoint {
        Endpoint::MaintenanceSchedule if reads => {
            let seen = read::seen(master, parts).await?;
            return Ok(seen.mark(body::json(to_vec(&convert::schedule(seen.state())))));
        }
        Endpoint::MaintenanceStatus if reads => {
            let seen = read::seen(master, parts).await?;
            return Ok(seen.mark(body::json(to_vec(&convert::status(seen.state())))));
        }
        Endpoint::MaintenanceStatus => "GET",
        _ => "POST",
    };
    if parts.method.as_str() != allowed {
        return Err(Refusal::MethodNotAllowed(allowed, parts.method.to_string()));
    }
    let term = leader::leading(master, &parts.uri)?;
    let command = match endpoint {
        Endpoint::MaintenanceSchedule => {
            let schedule: Schedule = json::from_slice(body)
                .map_err(|error: JsonError| Refusal::BadRequest(error.to_string()))?;
            UpdateSchedule { windows: convert::read_schedule(&schedule) }.into()
        }
        Endpoint::MachineDown => StartMaintenance { machines: machines(body)? }.into(),
        _ => StopMaintenance { machines: machines(body)? }.into(),
    };
    change(master, term, command).await
}

/// Machines as a JSON array (semantics 19).
fn machines(body: &[u8]) -> Result<Vec<statemachine::maintenance::Machine>, Refusal> {
    let ids: Vec<MachineId> = json::list_from_slice(body)
        .map_err(|error: JsonError| Refusal::BadRequest(error.to_string()))?;
    Ok(convert::read_machines(&ids))
}

async fn change(master: &Master, term: u64, command: Command) -> Result<Response<Body>, Refusal> {
    leader::ask(master, term, (command, 0)).await??;
    Ok(status(StatusCode::OK))
}
