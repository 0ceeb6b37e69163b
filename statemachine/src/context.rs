//! What a decision needs from the world, brought in as plain values.

use std::sync::Arc;

use crate::id::Principal;
use crate::settings::Settings;
use crate::time::Time;

/// The world as one decision sees it. Made by the leader; the core reads no clock and draws no
/// random number of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Now. The leader never lets it run behind the last batch of the journal.
    pub now: Time,
    /// Fresh randomness for this decision (the allocator's shuffle).
    pub seed: u64,
    /// On whose behalf the command comes, where that is known.
    pub principal: Option<Principal>,
    /// The leader's flags.
    pub settings: Arc<Settings>,
}
