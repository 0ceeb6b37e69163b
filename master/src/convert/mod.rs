//! Between v1 messages and the core's own types. Nothing is decided here.

pub(crate) mod agent;
pub(crate) mod constraints;
pub(crate) mod framework;
pub(crate) mod kill;
pub(crate) mod maintenance;
pub(crate) mod offer;
pub(crate) mod operation;
pub(crate) mod resources;
pub(crate) mod status;
pub(crate) mod task;

use prost::Message;
use statemachine::Time;

/// Seconds since the epoch, as v1 statuses and the classic endpoints give times.
pub(crate) fn seconds(time: Time) -> f64 {
    time.0 as f64 / 1000.0
}

/// The time that so many seconds since the epoch are; times before it are the epoch itself.
pub(crate) fn from_seconds(seconds: f64) -> Time {
    Time((seconds * 1000.0).round() as u64)
}

/// A v1 `TimeInfo`.
pub(crate) fn time_info(time: Time) -> protocol::v1::TimeInfo {
    let nanoseconds = i64::try_from(time.0).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    protocol::v1::TimeInfo { nanoseconds }
}

/// Reads a message that this crate or the agent encoded; an unreadable one shows as empty, since
/// what is committed cannot be refused any more.
pub(crate) fn decode_own<M: Message + Default>(payload: &[u8]) -> M {
    M::decode(payload).unwrap_or_else(|error| {
        tracing::error!(%error, "a payload in the journal cannot be read");
        M::default()
    })
}
