//! Sets of capabilities, as bits: bit n is the capability with v1 number n.

use serde::{Deserialize, Serialize};

/// What a framework or an agent understands. Numbers above 63 are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// The set with one more capability, by its v1 number.
    #[must_use]
    pub fn with(self, number: i32) -> Self {
        match u32::try_from(number) {
            Ok(bit @ 0..64) => Self(self.0 | 1 << bit),
            _ => self,
        }
    }

    /// Whether the capability with this v1 number is there.
    pub fn has(self, number: i32) -> bool {
        u32::try_from(number).is_ok_and(|bit| bit < 64 && self.0 & (1 << bit) != 0)
    }
}

/// v1 `AgentInfo.Capability.Type` numbers that decisions look at.
pub mod agent {
    /// Takes reservations for roles below others.
    pub const HIERARCHICAL_ROLE: i32 = 2;
    /// Takes several reservations on one resource.
    pub const RESERVATION_REFINEMENT: i32 = 3;
    /// Keeps volumes that change their size.
    pub const RESIZE_VOLUME: i32 = 5;
    /// Confirms operations that have an id.
    pub const AGENT_OPERATION_FEEDBACK: i32 = 6;
    /// Can be told to drain.
    pub const AGENT_DRAINING: i32 = 7;
    /// Bounds tasks above what they request.
    pub const TASK_RESOURCE_LIMITS: i32 = 8;
}

/// v1 `FrameworkInfo.Capability.Type` numbers that decisions look at.
pub mod framework {
    /// Takes revocable resources.
    pub const REVOCABLE_RESOURCES: i32 = 1;
    /// Wants to see `TASK_KILLING`.
    pub const TASK_KILLING_STATE: i32 = 2;
    /// Takes offers of agents with GPUs.
    pub const GPU_RESOURCES: i32 = 3;
    /// Takes shared volumes.
    pub const SHARED_RESOURCES: i32 = 4;
    /// Tells lost tasks apart.
    pub const PARTITION_AWARE: i32 = 5;
    /// Has a list of roles.
    pub const MULTI_ROLE: i32 = 6;
    /// Understands reservation stacks.
    pub const RESERVATION_REFINEMENT: i32 = 7;
    /// Takes offers of remote regions.
    pub const REGION_AWARE: i32 = 8;
}
