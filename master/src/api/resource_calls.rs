//! What operators do with the resources of agents: reservations and persistent volumes, over the v1
//! API and the endpoints from before it (semantics 166 to 169).

use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use protocol::v1::Resource;
use protocol::v1::master::Call;
use protocol::v1::master::call::Type;
use statemachine::Reply;
use statemachine::operation::{Operate, Request};

use super::body::{Body, Refusal, status};
use super::leader;
use super::outcome::{self, Told};
use super::route::{Endpoint, parameter};
use crate::convert::operation;
use crate::master::Master;

/// Carries out the one of these that a call is.
pub(super) async fn answer(
    master: &Master,
    term: u64,
    headers: &HeaderMap,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    let (agent, request) = read(call).ok_or_else(|| {
        // only the two that resize may leave it out (semantics 167)
        Refusal::BadRequest("Failed to validate master::Call: 'agent_id' is not set".to_owned())
    })?;
    operate(master, term, headers, (&agent, request)).await
}

/// The agent that a call names, and what to do with its resources, in the part of its type.
pub(super) fn read(call: &Call) -> Option<(String, Request)> {
    let (agent, request) = match call.r#type() {
        Type::ReserveResources => {
            let it = call.reserve_resources.as_ref()?;
            (&it.agent_id, operation::reserve(&it.source, &it.resources, None))
        }
        Type::UnreserveResources => {
            let it = call.unreserve_resources.as_ref()?;
            (&it.agent_id, Request::Unreserve(operation::given(&it.resources, None)))
        }
        Type::CreateVolumes => {
            let it = call.create_volumes.as_ref()?;
            (&it.agent_id, Request::Create(operation::given(&it.volumes, None)))
        }
        Type::DestroyVolumes => {
            let it = call.destroy_volumes.as_ref()?;
            (&it.agent_id, Request::Destroy(operation::given(&it.volumes, None)))
        }
        Type::GrowVolume => {
            let it = call.grow_volume.as_ref()?;
            (it.agent_id.as_ref()?, operation::grow(&it.volume, &it.addition, None))
        }
        _ => {
            let it = call.shrink_volume.as_ref()?;
            (it.agent_id.as_ref()?, operation::shrink(&it.volume, it.subtract, None))
        }
    };
    Some((agent.value.clone(), request))
}

/// The classic form: `slaveId=ID&resources=JSON`, or `volumes=JSON` (semantics 169).
pub(super) async fn answer_form(
    master: &Master,
    endpoint: Endpoint,
    parts: &Parts,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let term = leader::leading(master, &parts.uri)?;
    if parts.method != Method::POST {
        return Err(Refusal::MethodNotAllowed("POST", parts.method.to_string()));
    }
    let form = std::str::from_utf8(body).unwrap_or_default();
    let part = |name: &str| {
        parameter(form, name).ok_or_else(|| {
            Refusal::BadRequest(format!("Missing '{name}' query parameter in the request body"))
        })
    };
    let agent = part("slaveId")?;
    let request = match endpoint {
        Endpoint::Reserve => Request::Reserve(operation::given(&list(&part("resources")?)?, None)),
        Endpoint::Unreserve => {
            Request::Unreserve(operation::given(&list(&part("resources")?)?, None))
        }
        Endpoint::CreateVolumes => {
            Request::Create(operation::given(&list(&part("volumes")?)?, None))
        }
        _ => Request::Destroy(operation::given(&list(&part("volumes")?)?, None)),
    };
    operate(master, term, &parts.headers, (&agent, request)).await
}

fn list(text: &str) -> Result<Vec<Resource>, Refusal> {
    protocol::json::list_from_slice(text.as_bytes())
        .map_err(|error| Refusal::BadRequest(format!("Error in parsing resources: {error}")))
}

/// Decides, and waits for what the agent makes of it as long as the caller wants to (gaps 30).
async fn operate(
    master: &Master,
    term: u64,
    headers: &HeaderMap,
    (agent, request): (&str, Request),
) -> Result<Response<Body>, Refusal> {
    let wait = outcome::patience(headers)?.unwrap_or_default();
    let agent = master.committed.state().parse_agent(agent);
    match leader::ask(master, term, (Operate { agent, request }, 0)).await?? {
        Reply::Converted(agent, directive) => {
            Ok(outcome::accepted(master, Told { agent, directive }, wait).await)
        }
        Reply::Done | Reply::Subscribed(..) | Reply::Registered(_) => {
            Ok(status(StatusCode::ACCEPTED))
        }
    }
}
