//! The endpoints from before the v1 API. Those that only read take any method (semantics 318).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use protocol::v1::VersionInfo;
use protocol::{build_info, jsonp};
use statemachine::State;

use super::body::{Body, Refusal, json, redirect, status, whole};
use super::read;
use super::route::{Endpoint, parameter};
use super::{leader, maintenance, operator, outcome, quota, resource_calls, weights};
use crate::convert::seconds;
use crate::master::Master;
use crate::metrics;
use crate::views::classic::{self, Host, Page};
use crate::views::json::to_vec;

/// Tasks that `/tasks` shows unless it is asked for more or less.
const TASKS_SHOWN: usize = 100;

/// Answers one request.
pub(super) async fn answer(
    master: &Arc<Master>,
    endpoint: Endpoint,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response<Body>, Refusal> {
    match endpoint {
        // what every master answers itself (semantics 319)
        Endpoint::Health => return Ok(status(StatusCode::OK)),
        Endpoint::Redirect => {
            return Ok(redirect(&format!("//{}", leader::leader(master)?)));
        }
        Endpoint::Version | Endpoint::Flags | Endpoint::MetricsSnapshot => {}
        Endpoint::MaintenanceSchedule
        | Endpoint::MaintenanceStatus
        | Endpoint::MachineDown
        | Endpoint::MachineUp => {
            return maintenance::classic(master, endpoint, parts, body).await;
        }
        Endpoint::Teardown => {
            let term = leader::leading(master, &parts.uri)?;
            if parts.method != Method::POST {
                return Err(Refusal::MethodNotAllowed("POST", parts.method.to_string()));
            }
            let form = std::str::from_utf8(body).unwrap_or_default();
            let Some(wire_id) = parameter(form, "frameworkId") else {
                let text = "Missing 'frameworkId' query parameter in the request body";
                return Err(Refusal::BadRequest(text.to_owned()));
            };
            return operator::teardown(master, term, &wire_id).await;
        }
        Endpoint::Quota => return quota::classic(master, parts, body).await,
        Endpoint::Weights => return weights::answer(master, parts, body).await,
        Endpoint::Reserve
        | Endpoint::Unreserve
        | Endpoint::CreateVolumes
        | Endpoint::DestroyVolumes => {
            return resource_calls::answer_form(master, endpoint, parts, body).await;
        }
        Endpoint::Outcome => {
            leader::readable(master, &parts.uri)?;
            return outcome::answer(master, parts.uri.query().unwrap_or_default()).await;
        }
        _ => drop(read::seen(master, parts).await?),
    }
    let query = parts.uri.query().unwrap_or_default();
    let subject = format!("{endpoint:?} with '{query}'");
    let asked = query.to_owned();
    let write =
        move |master: &Master, state: &State| Some(write((master, state), endpoint, &asked).into());
    let (seen, written) = read::view(master, subject, write).await?;
    Ok(seen.mark(json_or_jsonp(query, written.unwrap_or_default())?))
}

/// JSON, in a call of the function that the query names, if it does.
pub(super) fn json_or_jsonp(query: &str, body: Bytes) -> Result<Response<Body>, Refusal> {
    let Some(function) = parameter(query, jsonp::PARAMETER) else { return Ok(json(body)) };
    let wrapped = jsonp::wrap(&function, &body);
    let wrapped = wrapped.map_err(|error| Refusal::BadRequest(error.to_string()))?;
    Ok(whole(jsonp::MEDIA_TYPE, wrapped))
}

fn write((master, state): (&Master, &State), endpoint: Endpoint, query: &str) -> Vec<u8> {
    match endpoint {
        Endpoint::Version => to_vec(&Version {
            mesos: build_info::version(),
            mesolith_version: env!("CARGO_PKG_VERSION"),
        }),
        Endpoint::Flags => {
            let flags: BTreeMap<_, _> = master.config.flags().into_iter().collect();
            to_vec(&serde_json::json!({ "flags": flags }))
        }
        Endpoint::MetricsSnapshot => {
            let metrics = metrics::snapshot(master, state);
            to_vec(&metrics.values().collect::<BTreeMap<_, _>>())
        }
        Endpoint::State => classic::state(state, &host(master)),
        Endpoint::StateSummary => {
            let hostname = master.config.public_hostname();
            classic::summary(state, &hostname, master.config.cluster.as_deref())
        }
        Endpoint::Slaves => {
            to_vec(&classic::slaves(state, parameter(query, "slave_id").as_deref()))
        }
        Endpoint::Frameworks => {
            to_vec(&classic::frameworks(state, parameter(query, "framework_id").as_deref()))
        }
        Endpoint::Tasks => to_vec(&classic::tasks(state, &page(query))),
        Endpoint::Roles => to_vec(&classic::roles(state)),
        Endpoint::Health
        | Endpoint::Redirect
        | Endpoint::Teardown
        | Endpoint::MaintenanceSchedule
        | Endpoint::MaintenanceStatus
        | Endpoint::MachineDown
        | Endpoint::MachineUp
        | Endpoint::Quota
        | Endpoint::Weights
        | Endpoint::Reserve
        | Endpoint::Unreserve
        | Endpoint::CreateVolumes
        | Endpoint::DestroyVolumes
        | Endpoint::Outcome => Vec::new(),
    }
}

/// `/version`: Mesos's, and our own beside it.
#[derive(serde::Serialize)]
struct Version {
    #[serde(flatten)]
    mesos: VersionInfo,
    mesolith_version: &'static str,
}

fn page(query: &str) -> Page {
    let number = |name: &str| parameter(query, name).and_then(|text| text.parse().ok());
    Page {
        limit: number("limit").unwrap_or(TASKS_SHOWN),
        offset: number("offset").unwrap_or(0),
        ascending: parameter(query, "order").as_deref() == Some("asc"),
        framework_id: parameter(query, "framework_id"),
        task_id: parameter(query, "task_id"),
    }
}

fn host(master: &Master) -> Host {
    Host {
        version: protocol::API_VERSION,
        started: seconds(master.started),
        id: master.journal.identity().cluster_id,
        pid: master.pid(),
        hostname: master.config.public_hostname(),
        port: master.config.advertised().1,
        cluster: master.config.cluster.clone(),
        domain: master.config.domain.clone(),
        flags: master.config.flags().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: (usize, usize, bool)) {
        let Page { limit, offset, ascending, .. } = page(query);
        assert_eq!((limit, offset, ascending), expected, "{query}");
    }

    /// semantics 291: any order but `asc` is descending.
    #[test]
    fn pages_have_a_hundred_tasks_newest_first() {
        check("", (100, 0, false));
        check("limit=5&offset=7&order=asc", (5, 7, true));
        check("order=des", (100, 0, false));
        check("order=ASC&limit=x", (100, 0, false));
    }
}
