//! Ids as the core keeps them: small numbers for what the master names, shared text for what
//! frameworks name. Their wire form is text and is made at the edges with [`State::agent_text`]
//! and its siblings.
//!
//! [`State::agent_text`]: crate::State::agent_text

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($inner:ty)),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

numbers! {
    /// A framework. Its wire id is text of its own ([`crate::framework::Framework::wire_id`]), since a
    /// client may bring any id with it (semantics 58).
    FrameworkId(u32),
    /// An agent; on the wire `<cluster>-S<number>` (semantics 57).
    AgentId(u32),
    /// An offer; on the wire `<cluster>-O<number>` (semantics 57).
    OfferId(u64),
    /// One connection of a framework or agent to one leader. Unique within the cluster's life, so
    /// that news of an old connection's end cannot hurt a newer one.
    Session(u64),
    /// How many events had been folded when something was decided: grows by one with each event,
    /// equal on every replica. Directives to agents are numbered with it.
    EventNumber(u64),
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

texts! {
    /// A task's id, unique among its framework's live tasks.
    TaskId,
    /// An executor's id, unique among its framework's executors on one agent.
    ExecutorId,
    /// An operation's id, which its framework chose; unique among the framework's operations.
    OperationId,
    /// A role's name, such as `*` or `eng/web`.
    Role,
    /// Who is calling, or on whose behalf something is held.
    Principal,
}

impl Role {
    /// Whether this is a sub-role of `other`, at any depth (semantics 136).
    pub fn is_below(&self, other: &Self) -> bool {
        self.strip_prefix(&**other).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether this is `other` or a sub-role of it.
    pub fn is_within(&self, other: &Self) -> bool {
        self == other || self.is_below(other)
    }

    /// How many levels its name has: 1 for `eng`, 2 for `eng/web`.
    pub fn depth(&self) -> usize {
        self.split('/').count()
    }

    /// The role right above.
    pub fn parent(&self) -> Option<Self> {
        self.rsplit_once('/').map(|(parent, _)| Self::from(parent))
    }

    /// All roles above, outermost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        self.match_indices('/').map(|(end, _)| Self::from(&self[..end]))
    }
}

/// An agent as a framework names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedAgent {
    /// One of this cluster's, whether or not it is known.
    Ours(AgentId),
    /// No agent of this cluster's making.
    Stranger(Arc<str>),
}

impl NamedAgent {
    /// The agent, if it is one of this cluster's.
    pub fn ours(&self) -> Option<AgentId> {
        match self {
            Self::Ours(agent) => Some(*agent),
            Self::Stranger(_) => None,
        }
    }
}

impl From<AgentId> for NamedAgent {
    fn from(agent: AgentId) -> Self {
        Self::Ours(agent)
    }
}

/// A task, cluster-wide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// Framework it belongs to; first, so that a framework's tasks are one range of the map.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// Its id there.
    #[serde(rename = "t")]
    pub task: TaskId,
}

/// An operation that has an id, cluster-wide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OperationKey {
    /// Framework that asked for it; first, so that a framework's operations are one range of the map.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// Its id there.
    #[serde(rename = "o")]
    pub operation: OperationId,
}

/// An executor, cluster-wide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExecutorKey {
    /// Agent it runs on; first, so that an agent's executors are one range of the map.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// Framework it belongs to.
    #[serde(rename = "f")]
    pub framework: FrameworkId,
    /// Its id there.
    #[serde(rename = "e")]
    pub executor: ExecutorId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: &str, parent: Option<&str>, ancestors: &[&str]) {
        let role = Role::from(role);
        assert_eq!(role.parent().as_deref(), parent);
        let found: Vec<_> = role.ancestors().collect();
        assert_eq!(found, ancestors.iter().map(|role| Role::from(*role)).collect::<Vec<_>>());
        assert!(found.iter().all(|ancestor| role.is_below(ancestor)));
    }

    #[test]
    fn roles_lie_below_their_prefixes() {
        check("*", None, &[]);
        check("eng", None, &[]);
        check("eng/web", Some("eng"), &["eng"]);
        check("a/b/c", Some("a/b"), &["a", "a/b"]);
        assert!(!Role::from("ab").is_below(&"a".into()), "semantics 136");
        assert!(!Role::from("a").is_below(&"a".into()), "semantics 136");
    }
}
