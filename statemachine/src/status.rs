//! Task states and status updates, as far as the core understands them.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// State of a task. Numbers are those of v1 `TaskState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the v1 ones")]
pub enum TaskState {
    Starting = 0,
    Running = 1,
    Finished = 2,
    Failed = 3,
    Killed = 4,
    Lost = 5,
    Staging = 6,
    Error = 7,
    Killing = 8,
    Dropped = 9,
    Unreachable = 10,
    Gone = 11,
    GoneByOperator = 12,
    Unknown = 13,
}

impl TaskState {
    /// Every state, in order of its number.
    pub const ALL: [Self; 14] = [
        Self::Starting,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Killed,
        Self::Lost,
        Self::Staging,
        Self::Error,
        Self::Killing,
        Self::Dropped,
        Self::Unreachable,
        Self::Gone,
        Self::GoneByOperator,
        Self::Unknown,
    ];

    /// The state with this v1 number.
    pub fn from_number(number: i32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number)).copied()
    }

    /// Whether a task in this state will never run again and holds nothing.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Finished
            | Self::Failed
            | Self::Killed
            | Self::Lost
            | Self::Error
            | Self::Dropped
            | Self::Gone
            | Self::GoneByOperator => true,
            Self::Starting
            | Self::Running
            | Self::Staging
            | Self::Killing
            | Self::Unreachable
            | Self::Unknown => false,
        }
    }
}

impl Serialize for TaskState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for TaskState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::from_number(i32::from(number))
            .ok_or_else(|| serde::de::Error::custom(format!("no task state has number {number}")))
    }
}

/// Who reports a state. Numbers are those of v1 `TaskStatus.Source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// The master made it.
    #[serde(rename = "m")]
    Master = 0,
    /// The agent made it.
    #[serde(rename = "a")]
    Agent = 1,
    /// The executor made it.
    #[serde(rename = "e")]
    Executor = 2,
}

/// Why, as the number of v1 `TaskStatus.Reason`; those that the master gives by itself are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(pub i32);

/// Id of one status update, made by whoever reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpdateId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// One status of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What it says.
    #[serde(rename = "s")]
    pub state: TaskState,
    /// Who says it.
    #[serde(rename = "o")]
    pub source: Source,
    /// Why.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// In words.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<str>>,
    /// When its sender made it.
    #[serde(rename = "t")]
    pub at: Time,
    /// Set on updates that must be acknowledged (those of agents and executors).
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateId>,
    /// When the agent became unreachable, on updates that say so.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub unreachable_at: Option<Time>,
    /// Healthy or not, where a check has told.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// The encoded v1 `TaskStatus` as its sender made it, without `data`; empty when the master made
    /// the status.
    #[serde(rename = "p", default, skip_serializing_if = "Bytes::is_empty")]
    pub payload: Bytes,
    /// What the sender attached for the framework alone; not kept once it is acknowledged.
    #[serde(rename = "d", default, skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}

impl Reason {
    /// `REASON_RECONCILIATION`.
    pub const RECONCILIATION: Self = Self(9);
    /// `REASON_AGENT_DISCONNECTED`.
    pub const AGENT_DISCONNECTED: Self = Self(10);
    /// `REASON_AGENT_REMOVED`.
    pub const AGENT_REMOVED: Self = Self(11);
    /// `REASON_AGENT_REMOVED_BY_OPERATOR`.
    pub const AGENT_REMOVED_BY_OPERATOR: Self = Self(31);
    /// `REASON_AGENT_DRAINING`.
    pub const AGENT_DRAINING: Self = Self(34);
    /// `REASON_AGENT_REREGISTERED`.
    pub const AGENT_REREGISTERED: Self = Self(32);
    /// `REASON_FRAMEWORK_REMOVED`.
    pub const FRAMEWORK_REMOVED: Self = Self(3);
    /// `REASON_INVALID_OFFERS`.
    pub const INVALID_OFFERS: Self = Self(6);
    /// `REASON_TASK_INVALID`.
    pub const TASK_INVALID: Self = Self(14);
    /// `REASON_TASK_GROUP_INVALID`.
    pub const TASK_GROUP_INVALID: Self = Self(25);
    /// `REASON_TASK_CHECK_STATUS_UPDATED`.
    pub const TASK_CHECK_STATUS_UPDATED: Self = Self(28);
    /// `REASON_TASK_HEALTH_CHECK_STATUS_UPDATED`.
    pub const TASK_HEALTH_CHECK_STATUS_UPDATED: Self = Self(29);
}

impl Status {
    /// Whether it says what a check has found.
    pub fn is_of_check(&self) -> bool {
        let reasons = [Reason::TASK_CHECK_STATUS_UPDATED, Reason::TASK_HEALTH_CHECK_STATUS_UPDATED];
        self.reason.is_some_and(|reason| reasons.contains(&reason))
    }

    /// A status that the master makes: it carries no update id and must not be acknowledged.
    pub fn by_master(state: TaskState, reason: Reason, message: &str, at: Time) -> Self {
        Self {
            state,
            source: Source::Master,
            reason: Some(reason),
            message: Some(message.into()),
            at,
            update: None,
            unreachable_at: None,
            healthy: None,
            payload: Bytes::new(),
            data: Bytes::new(),
        }
    }
}
