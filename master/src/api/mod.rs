//! The HTTP API: wire to command, and nothing else.

mod agent_calls;
mod body;
mod classic;
mod compress;
mod events;
mod explain;
mod files;
#[cfg(test)]
mod garbage;
mod held;
mod leader;
mod maintenance;
mod operator;
mod outcome;
mod prometheus;
mod quota;
pub(crate) mod read;
mod resource_calls;
mod route;
mod scheduler;
mod stream;
mod tally;
mod weights;

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::{Body as _, Incoming};

pub(crate) use body::{Body, boxed};
use body::{BodyError, Refusal, collect};
use route::Route;

use crate::master::Master;

/// Answers one HTTP request.
pub(crate) async fn answer(master: Arc<Master>, request: Request<Incoming>) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let body = match collect(incoming, &parts.headers).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    master.counters.count("http_requests");
    let _answering = master.counters.requests.enter();
    let mut answered = dispatch(&master, &parts, body).await.unwrap_or_else(Refusal::into_response);
    read::mark_now(&master, &mut answered);
    let mut answered = compress::compress(&master, &parts.headers, answered).await;
    if is_head {
        behead(&mut answered);
    }
    answered
}

/// Leaves the head of an answer, which says how long the body would be.
fn behead(answer: &mut Response<Body>) {
    if let Some(length) = answer.body().size_hint().exact() {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *answer.body_mut() = body::empty();
}

async fn dispatch(
    master: &Arc<Master>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    let Some(route) = Route::find(parts.uri.path()) else {
        return Err(Refusal::NotFound);
    };
    match route {
        Route::Scheduler => scheduler::answer(master, parts, body).await,
        Route::Operator => operator::answer(master, parts, body).await,
        Route::Held => held::answer(master, parts, &body).await,
        Route::Explain => explain::answer(master, parts).await,
        Route::Prometheus => prometheus::answer(master).await,
        Route::Events => events::answer(master, parts.uri.query().unwrap_or_default()),
        Route::Files(endpoint) => {
            files::answer(master, endpoint, parts.uri.query().unwrap_or_default()).await
        }
        Route::Classic(endpoint) => classic::answer(master, endpoint, parts, &body).await,
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow => Self::TooSlow,
            BodyError::Broken(what) => Self::BadRequest(what),
        }
    }
}

impl BodyError {
    fn into_response(self) -> Response<Body> {
        Refusal::from(self).into_response()
    }
}
