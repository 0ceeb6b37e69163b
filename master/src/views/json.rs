//! Views as JSON.

use serde::Serialize;

/// Writes a view. Names are strings and memory takes all, so nothing can fail here.
pub(crate) fn to_vec(view: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(view).unwrap_or_else(|error| {
        tracing::error!(%error, "a view could not be written");
        Vec::new()
    })
}
