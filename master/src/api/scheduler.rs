//! `POST /api/v1/scheduler`: what frameworks ask (semantics C to M).

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use prost::Message;
use protocol::json::JsonMessage;
use protocol::media::{ContentType, DecodeError};
use protocol::pb::Checked;
use protocol::v1::scheduler::Call;
use protocol::v1::scheduler::call::{Subscribe, Type, UpdateFramework};
use statemachine::{
    Command, FrameworkId, Rejection, Session, State, framework, maintenance, offer, operation, task,
};

use super::body::{Body, Refusal, status};
use super::{leader, stream, tally};
use crate::convert;
use crate::effects::{error, record, scheduler_heartbeat};
use crate::leader::Ticket;
use crate::master::Master;
use crate::replica::Frozen;
use crate::validate;

/// The header that ties calls to a stream.
const STREAM_ID: HeaderName = HeaderName::from_static("mesos-stream-id");

/// Answers one call, with the checks in the order of semantics 43.
pub(super) async fn answer(
    master: &Arc<Master>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    let term = leader::leading(master, &parts.uri)?;
    let call: Call = read_call(parts, &body)?;
    let r#type = validate::scheduler_call(&call).map_err(|fault| {
        tally::malformed(&master.counters, &call);
        Refusal::BadRequest(format!("Failed to validate scheduler::Call: {fault}"))
    })?;
    tally::came(&master.counters, counted_as(r#type, &call), &call);
    let is_known = names_known_agent(master, &call);
    let done = carry_out(master, term, parts, (r#type, call, body.len())).await;
    if !matches!(done, Err(Refusal::TooMany(..))) {
        tally::judged(&master.counters, r#type, done.is_ok() && is_known);
    }
    done
}

/// Whether an acknowledgement is of something at an agent that is there (semantics 194): any other is taken, and heeded
/// by nobody.
fn names_known_agent(master: &Master, call: &Call) -> bool {
    call.acknowledge.as_ref().is_none_or(|acknowledge| {
        let state = master.committed.state();
        let agent = state.parse_agent(&acknowledge.agent_id.value);
        agent.is_some_and(|agent| state.agents.contains_key(&agent))
    })
}

/// Does as a call says whose shape is right.
async fn carry_out(
    master: &Arc<Master>,
    term: u64,
    parts: &Parts,
    (r#type, mut call, bytes): (Type, Call, usize),
) -> Result<Response<Body>, Refusal> {
    if let (Type::Subscribe, Some(subscribe)) = (r#type, call.subscribe.take()) {
        return self::subscribe(master, term, parts, (subscribe, bytes)).await;
    }
    let wire_id = call.framework_id.as_ref().map_or("", |id| id.value.as_str()).to_owned();
    let (mut known, mut framework) = caller(master, &wire_id, &parts.headers)?;
    if admit(master, &known.state, framework).await? {
        // it may be over, or subscribed anew, by now
        (known, framework) = caller(master, &wire_id, &parts.headers)?;
    }
    tally::known(&master.counters, framework, r#type, &call);
    if let (Type::UpdateFramework, Some(update)) = (r#type, call.update_framework.take()) {
        return update_framework(master, term, framework, (&update, bytes)).await;
    }
    let Some(command) = command(&known.state, (framework, &wire_id), r#type, call)? else {
        return Ok(status(StatusCode::ACCEPTED));
    };
    leader::ask(master, term, (command, bytes)).await??;
    Ok(status(StatusCode::ACCEPTED))
}

/// The framework that calls, and the state that it is known in.
fn caller(
    master: &Master,
    wire_id: &str,
    headers: &HeaderMap,
) -> Result<(Arc<Frozen>, FrameworkId), Refusal> {
    let known = master.committed.load();
    let checked = check_framework(master, &known.state, wire_id, headers)
        .inspect_err(|_| master.counters.count("dropped_messages"));
    checked.map(|framework| (known, framework))
}

/// Waits until the rate of the framework's principal has a turn for it; says whether that took time
/// (gaps 63).
async fn admit(master: &Master, state: &State, framework: FrameworkId) -> Result<bool, Refusal> {
    let framework = state.frameworks.get(&framework);
    let principal = framework.and_then(|it| it.description.principal.as_deref());
    master.admission.admit(principal).await.map_err(|again| {
        let whose = principal.map_or("without a principal".into(), |it| format!("of '{it}'"));
        let text = format!(
            "Calls of frameworks {whose} come faster than --rate-limits allows, and as many wait as \
             may: this one is not carried out, and may come again in {again:?}"
        );
        Refusal::TooMany(again, text)
    })
}

/// Reads a call of either API: method, content type, then the body (semantics 24 to 28).
pub(super) fn read_call<M>(parts: &Parts, body: &[u8]) -> Result<M, Refusal>
where
    M: JsonMessage + Checked + Message + Default,
{
    if parts.method != Method::POST {
        return Err(Refusal::MethodNotAllowed("POST", parts.method.to_string()));
    }
    let Some(content_type) = parts.headers.get(CONTENT_TYPE) else {
        let text = "Expecting 'Content-Type' to be present".to_owned();
        return Err(Refusal::BadRequest(text));
    };
    let content_type = content_type.to_str().ok().and_then(ContentType::from_header);
    let content_type = content_type.ok_or(Refusal::UnsupportedMediaType)?;
    content_type.decode(body).map_err(|error| {
        Refusal::BadRequest(match error {
            DecodeError::Json(protocol::json::JsonError::Parse(what)) => {
                format!("Failed to parse body into JSON: {what}")
            }
            DecodeError::Json(protocol::json::JsonError::Convert(what)) => {
                format!("Failed to convert JSON into Call protobuf: {what}")
            }
            DecodeError::Protobuf(what) => {
                format!("Failed to parse body into Call protobuf: {what}")
            }
        })
    })
}

/// An ACCEPT that neither launches nor converts anything counts as what it comes to (semantics 82).
fn counted_as(r#type: Type, call: &Call) -> Type {
    use protocol::v1::offer::operation::Type as OperationType;
    let launches_nothing = |it: &protocol::v1::offer::Operation| {
        it.r#type() == OperationType::Launch
            && it.launch.as_ref().is_none_or(|launch| launch.task_infos.is_empty())
    };
    let declines =
        call.accept.as_ref().is_some_and(|it| it.operations.iter().all(launches_nothing));
    if r#type == Type::Accept && declines { Type::Decline } else { r#type }
}

/// The type of an answer (semantics 29, 30).
pub(super) fn accepted(headers: &HeaderMap) -> Result<ContentType, Refusal> {
    let accept = headers.get(ACCEPT).map(|accept| accept.to_str().unwrap_or_default());
    ContentType::accepted_by(accept).ok_or(Refusal::NotAcceptable)
}

async fn subscribe(
    master: &Arc<Master>,
    term: u64,
    parts: &Parts,
    (subscribe, bytes): (Subscribe, usize),
) -> Result<Response<Body>, Refusal> {
    let content_type = accepted(&parts.headers)?;
    if parts.headers.contains_key(STREAM_ID) {
        let text = "Subscribe calls should not include the 'Mesos-Stream-Id' header".to_owned();
        return Err(Refusal::BadRequest(text));
    }
    let (stream_id, opened) = master.streams.open_scheduler(term, content_type);
    let session = opened.session;
    match read_subscribe(&subscribe, session) {
        Ok(command) => {
            let ticket = Ticket::Scheduler(session);
            let submitted = master.inbox.submit(term, (command.into(), bytes), None, ticket).await;
            submitted.map_err(|_| leader::lost())?;
        }
        // refusals after the HTTP checks arrive in the stream (semantics 55)
        Err(fault) => {
            master.streams.tell(session, |content_type| record(content_type, &error(fault)));
            master.streams.end(session);
        }
    }
    // a stream that was opened after leadership had gone would wait for ever
    leader::leading_still(master, term)?;
    let heartbeat = scheduler_heartbeat(content_type);
    let mut response = stream::response(master, opened, content_type, ([], heartbeat));
    if let Ok(stream_id) = HeaderValue::from_str(&stream_id) {
        response.headers_mut().insert(STREAM_ID, stream_id);
    }
    Ok(response)
}

/// What a SUBSCRIBE asks for, or what is wrong with it.
pub(super) fn read_subscribe(
    subscribe: &Subscribe,
    session: Session,
) -> Result<framework::Subscribe, String> {
    let info = &subscribe.framework_info;
    validate::framework(info, &subscribe.suppressed_roles)?;
    let description = convert::framework::read(info);
    let given = subscribe.offer_constraints.as_ref();
    let wire_id = info.id.as_ref().map(|id| id.value.as_str()).filter(|id| !id.is_empty());
    Ok(framework::Subscribe {
        wire_id: wire_id.map(Into::into),
        constraints: convert::constraints::read(&description.roles, given)?,
        description,
        suppressed: subscribe.suppressed_roles.iter().map(|it| it.as_str().into()).collect(),
        session,
    })
}

/// The only call that is answered once it is done (semantics 54, 73).
async fn update_framework(
    master: &Arc<Master>,
    term: u64,
    framework: FrameworkId,
    (update, bytes): (&UpdateFramework, usize),
) -> Result<Response<Body>, Refusal> {
    let command = read_update(framework, update).map_err(Refusal::BadRequest)?;
    leader::ask(master, term, (command, bytes)).await??;
    Ok(status(StatusCode::OK))
}

/// What an `UPDATE_FRAMEWORK` asks for, or what is wrong with it.
pub(super) fn read_update(
    framework: FrameworkId,
    update: &UpdateFramework,
) -> Result<framework::Update, String> {
    let info = &update.framework_info;
    validate::framework(info, &update.suppressed_roles)
        .map_err(|fault| format!("Supplied FrameworkInfo is not valid: {fault}"))?;
    let description = convert::framework::read(info);
    let given = update.offer_constraints.as_ref();
    let constraints = convert::constraints::read(&description.roles, given)
        .map_err(|fault| format!("'UpdateFramework' call is not valid: {fault}"))?;
    let suppressed = update.suppressed_roles.iter().map(|it| it.as_str().into()).collect();
    Ok(framework::Update { framework, description, constraints, suppressed })
}

/// The framework that calls, over its current stream (semantics 50, 52, 53).
fn check_framework(
    master: &Master,
    state: &State,
    wire_id: &str,
    headers: &HeaderMap,
) -> Result<FrameworkId, Refusal> {
    let Some(framework) = state.framework_by_wire_id(wire_id) else {
        return Err(Refusal::BadRequest(Rejection::FrameworkUnknown.to_string()));
    };
    let current = framework.session().and_then(|session| master.streams.stream_id(session));
    let Some(current) = current else {
        return Err(Refusal::Forbidden(Rejection::FrameworkNotSubscribed.to_string()));
    };
    match headers.get(STREAM_ID).map(HeaderValue::as_bytes) {
        None => Err(Refusal::BadRequest(
            "All non-subscribe calls should include the 'Mesos-Stream-Id' header".to_owned(),
        )),
        Some(given) if given == current.as_bytes() => Ok(framework.id),
        Some(given) => Err(Refusal::BadRequest(format!(
            "The stream ID '{}' included in this request didn't match the stream ID currently \
             associated with framework ID {wire_id}",
            given.escape_ascii()
        ))),
    }
}

/// The command that a call comes to; none for calls that mean nothing to this version, which Mesos
/// takes without an answer as well.
pub(super) fn command(
    state: &State,
    (framework, wire_id): (FrameworkId, &str),
    r#type: Type,
    call: Call,
) -> Result<Option<Command>, Refusal> {
    let roles = |roles: Vec<String>| roles.into_iter().map(Into::into).collect();
    let command = match r#type {
        Type::Teardown => framework::Teardown { framework }.into(),
        Type::Revive => {
            let roles = roles(call.revive.unwrap_or_default().roles);
            framework::Revive { framework, roles }.into()
        }
        Type::Suppress => {
            let roles = roles(call.suppress.unwrap_or_default().roles);
            framework::Suppress { framework, roles }.into()
        }
        Type::Accept => accept(state, (framework, wire_id), call).into(),
        Type::Decline => decline(state, framework, call).into(),
        Type::Kill | Type::Shutdown | Type::Acknowledge | Type::Reconcile | Type::Message => {
            return Ok(task_command(state, framework, r#type, call));
        }
        Type::AcceptInverseOffers => {
            let accept = call.accept_inverse_offers.unwrap_or_default();
            let offers = (accept.inverse_offer_ids, accept.filters);
            answer_inverse_offers(state, framework, offers, true).into()
        }
        Type::DeclineInverseOffers => {
            let decline = call.decline_inverse_offers.unwrap_or_default();
            let offers = (decline.inverse_offer_ids, decline.filters);
            answer_inverse_offers(state, framework, offers, false).into()
        }
        Type::Request => return Ok(None),
        Type::AcknowledgeOperationStatus => {
            let acknowledge = call.acknowledge_operation_status.unwrap_or_default();
            let Some(update) = convert::status::update_id(&acknowledge.uuid) else {
                return Ok(None);
            };
            let operation = acknowledge.operation_id.value.into();
            operation::Acknowledge { framework, operation, update }.into()
        }
        Type::ReconcileOperations => {
            let asked = call.reconcile_operations.unwrap_or_default().operations;
            let question = |it: protocol::v1::scheduler::call::reconcile_operations::Operation| {
                let agent = it.agent_id.and_then(|id| state.parse_agent(&id.value));
                operation::Question { operation: it.operation_id.value.into(), agent }
            };
            let operations = asked.into_iter().map(question).collect();
            operation::Reconcile { framework, operations }.into()
        }
        Type::Subscribe | Type::UpdateFramework | Type::Unknown => {
            let name = r#type.as_str_name();
            return Err(Refusal::NotImplemented(format!(
                "{name} is not supported by this version"
            )));
        }
    };
    Ok(Some(command))
}

fn accept(state: &State, (framework, wire_id): (FrameworkId, &str), call: Call) -> offer::Accept {
    let accept = call.accept.unwrap_or_default();
    let reference = |id: protocol::v1::OfferId| offer::OfferReference {
        id: state.parse_offer(&id.value),
        text: id.value.into(),
    };
    let offers: Vec<_> = accept.offer_ids.into_iter().map(reference).collect();
    let first = offers.iter().find_map(|offer| state.offers.get(&offer.id?));
    let terms = validate::Terms::of(state, wire_id, first.map(AsRef::as_ref));
    offer::Accept {
        framework,
        operations: accept
            .operations
            .into_iter()
            .filter_map(|operation| convert::operation::read(state, terms, operation))
            .collect(),
        offers,
        refuse_seconds: accept.filters.as_ref().map(protocol::v1::Filters::refuse_seconds),
    }
}

fn decline(state: &State, framework: FrameworkId, call: Call) -> offer::Decline {
    let decline = call.decline.unwrap_or_default();
    offer::Decline {
        framework,
        offers: decline.offer_ids.iter().filter_map(|id| state.parse_offer(&id.value)).collect(),
        refuse_seconds: decline.filters.as_ref().map(protocol::v1::Filters::refuse_seconds),
    }
}

fn answer_inverse_offers(
    state: &State,
    framework: FrameworkId,
    (ids, filters): (Vec<protocol::v1::OfferId>, Option<protocol::v1::Filters>),
    accepts: bool,
) -> maintenance::AnswerInverseOffers {
    maintenance::AnswerInverseOffers {
        framework,
        offers: ids.iter().filter_map(|id| state.parse_offer(&id.value)).collect(),
        accepts,
        refuse_seconds: filters.as_ref().map(protocol::v1::Filters::refuse_seconds),
    }
}

fn task_command(
    state: &State,
    framework: FrameworkId,
    r#type: Type,
    call: Call,
) -> Option<Command> {
    let agent = |id: &protocol::v1::AgentId| state.parse_agent(&id.value);
    Some(match r#type {
        Type::Kill => {
            let kill = call.kill?;
            task::Kill {
                framework,
                task: kill.task_id.value.into(),
                agent: kill.agent_id.map(|id| state.named_agent(&id.value)),
                policy: kill.kill_policy.map(|it| it.encode_to_vec()).unwrap_or_default().into(),
            }
            .into()
        }
        Type::Shutdown => {
            let shutdown = call.shutdown?;
            let executor = shutdown.executor_id.value.into();
            let agent = agent(&shutdown.agent_id);
            task::ShutdownExecutor { framework, agent, executor }.into()
        }
        Type::Acknowledge => {
            let acknowledge = call.acknowledge?;
            task::Acknowledge {
                framework,
                agent: agent(&acknowledge.agent_id),
                task: acknowledge.task_id.value.into(),
                update: convert::status::update_id(&acknowledge.uuid)?,
            }
            .into()
        }
        Type::Reconcile => {
            let question = |it: protocol::v1::scheduler::call::reconcile::Task| task::Question {
                task: it.task_id.value.into(),
                agent: it.agent_id.map(|id| state.named_agent(&id.value)),
            };
            let tasks = call.reconcile?.tasks.into_iter().map(question).collect();
            task::Reconcile { framework, tasks }.into()
        }
        Type::Message => {
            let message = call.message?;
            task::MessageExecutor {
                framework,
                agent: agent(&message.agent_id),
                executor: message.executor_id.value.into(),
                data: message.data.into(),
            }
            .into()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operations: &str, expected: Type) {
        let text = format!(
            r#"{{"type":"ACCEPT","accept":{{"offer_ids":[],"operations":[{operations}]}}}}"#
        );
        let call: Call = protocol::json::from_slice(text.as_bytes()).expect("a call");
        assert_eq!(counted_as(Type::Accept, &call), expected, "{text}");
    }

    /// semantics 82
    #[test]
    fn what_launches_nothing_is_counted_as_a_decline() {
        let empty = r#"{"type":"LAUNCH","launch":{"task_infos":[]}}"#;
        let task = r#"{"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"}}"#;
        let launch = format!(r#"{{"type":"LAUNCH","launch":{{"task_infos":[{task}]}}}}"#);
        check("", Type::Decline);
        check(empty, Type::Decline);
        check(&launch, Type::Accept);
        check(&format!("{empty},{launch}"), Type::Accept);
        check(r#"{"type":"RESERVE","reserve":{"resources":[]}}"#, Type::Accept);
    }
}
