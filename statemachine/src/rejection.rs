//! Why a command was refused. A refusal is not an event: nothing happened.

use std::sync::Arc;

/// A refusal, in the words that the caller hears.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No framework has this id, or it is over.
    #[error("Framework cannot be found")]
    FrameworkUnknown,
    /// The framework is over and may not come back (semantics 59; clients match on the text).
    #[error("Framework has been removed")]
    FrameworkRemoved,
    /// The framework is known but has no stream, or the call came over an older one.
    #[error("Framework is not subscribed")]
    FrameworkNotSubscribed,
    /// The `FrameworkInfo` or its change is not acceptable.
    #[error("{0}")]
    FrameworkInvalid(Arc<str>),
    /// No agent has this id in this cluster; it will never be accepted again under it.
    #[error("agent {0} is not known to this cluster")]
    AgentUnknown(Arc<str>),
    /// The agent may not be part of the cluster: it is to end what it runs, and itself.
    #[error("{0}")]
    AgentDismissed(Arc<str>),
    /// The news comes over a connection that is not the agent's current one.
    #[error("agent {0} is not connected by this stream")]
    AgentNotConnected(Arc<str>),
    /// The update cannot be taken; the agent will repeat it.
    #[error("{0}")]
    UpdateRefused(Arc<str>),
    /// What it needs is in use.
    #[error("{0}")]
    Conflict(Arc<str>),
    /// Not for this state of the cluster.
    #[error("{0}")]
    Invalid(Arc<str>),
}
