//! Maintenance, as operators ask for it over the v1 API and over the endpoints from before it
//! (semantics 242 to 245).

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use protocol::json::{self, JsonError};
use protocol::v1::MachineId;
use protocol::v1::maintenance::Schedule;
use protocol::v1::master::Call;
use statemachine::Command;
use statemachine::maintenance::{StartMaintenance, StopMaintenance, UpdateSchedule};

use super::body::{self, Body, Refusal, status};
use super::leader;
use super::route::Endpoint;
use crate::convert::maintenance as convert;
use crate::master::Master;
use crate::views::json::to_vec;

/// Carries out a v1 call that changes something.
pub(super) async fn answer(
    master: &Master,
    term: u64,
    call: Call,
) -> Result<Response<Body>, Refusal> {
    let machines = |ids: &[MachineId]| convert::read_machines(ids);
    let command: Command = if let Some(update) = &call.update_maintenance_schedule {
        UpdateSchedule { windows: convert::read_schedule(&update.schedule) }.into()
    } else if let Some(start) = &call.start_maintenance {
        StartMaintenance { machines: machines(&start.machines) }.into()
    } else {
        let stop = call.stop_maintenance.unwrap_or_default();
        StopMaintenance { machines: machines(&stop.machines) }.into()
    };
    change(master, term, command).await
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
            leader::readable(master, &parts.uri)?;
            let schedule = convert::schedule(&master.committed.state());
            return Ok(body::json(to_vec(&schedule)));
        }
        Endpoint::MaintenanceStatus if reads => {
            leader::readable(master, &parts.uri)?;
            return Ok(body::json(to_vec(&convert::status(&master.committed.state()))));
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
