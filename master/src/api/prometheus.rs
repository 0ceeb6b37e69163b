//! `/metrics` for Prometheus: the same numbers under names that it can hold.

use std::sync::Arc;

use http::Response;

use statemachine::State;

use super::body::{Body, Refusal, whole};
use super::read;
use crate::master::Master;
use crate::metrics;

/// Answers with the metrics of this master, leader or not.
pub(super) async fn answer(master: &Arc<Master>) -> Result<Response<Body>, Refusal> {
    let write =
        |master: &Master, state: &State| Some(metrics::snapshot(master, state).prometheus().into());
    let (_, text) = read::view(master, "metrics for Prometheus".to_owned(), write).await?;
    Ok(whole("text/plain; version=0.0.4; charset=utf-8", text.unwrap_or_default()))
}
