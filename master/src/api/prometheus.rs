//! `/metrics` for Prometheus: the same numbers under names that it can hold.

use std::sync::Arc;

use http::Response;

use super::body::{Body, Refusal, whole};
use crate::master::Master;
use crate::metrics;

/// Answers with the metrics of this master, leader or not.
pub(super) async fn answer(master: &Arc<Master>) -> Result<Response<Body>, Refusal> {
    let asked = master.clone();
    let written = tokio::task::spawn_blocking(move || {
        metrics::snapshot(&asked, &asked.committed.state()).prometheus()
    });
    let text = written.await.map_err(|error| {
        Refusal::Unavailable(format!("the metrics could not be written: {error}"))
    })?;
    Ok(whole("text/plain; version=0.0.4; charset=utf-8", text))
}
