//! A master becomes leader.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::connection::Connection;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::Role;
use crate::rejection::Rejection;
use crate::settings::Retention;
use crate::state::State;
use crate::time::Time;

/// The first command of every leader.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// Its Raft term.
    pub term: u64,
    /// Its Raft node.
    pub leader: u64,
    /// The cluster's id, made when the quorum was formed.
    pub cluster: Arc<str>,
}

/// A master became leader. Whoever was connected to the old one is awaited; all other deadlines run
/// on (gaps 4, 8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderElected {
    /// Its Raft term.
    #[serde(rename = "t")]
    pub term: u64,
    /// Its Raft node.
    #[serde(rename = "l")]
    pub leader: u64,
    /// The cluster's id.
    #[serde(rename = "i")]
    pub cluster: Arc<str>,
    /// How long frameworks are awaited.
    #[serde(rename = "f")]
    pub frameworks_until: Time,
    /// How long agents are awaited.
    #[serde(rename = "a")]
    pub agents_until: Time,
    /// What is kept of what is over.
    #[serde(rename = "r")]
    pub retention: Retention,
    /// Weights of roles in thousandths, if none were there yet (semantics 189).
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<(Role, u64)>,
}

impl Decide for Lead {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let known = &draft.state().cluster;
        if !known.id.is_empty() && known.id != self.cluster {
            return Err(Rejection::Invalid(
                format!("the journal is of cluster {}, not {}", known.id, self.cluster).into(),
            ));
        }
        let context = draft.context();
        let are_first = draft.state().weights.is_empty();
        let weights = if are_first { context.settings.weights.clone() } else { Vec::new() };
        draft.record(LeaderElected {
            term: self.term,
            leader: self.leader,
            cluster: self.cluster.clone(),
            frameworks_until: context.now.after_ms(context.settings.framework_reconnect_timeout_ms),
            agents_until: context.now.after_ms(context.settings.agent_reregister_timeout_ms),
            retention: context.settings.retention,
            weights,
        });
        Ok(Reply::Done)
    }
}

impl Fold for LeaderElected {
    fn fold(&self, state: &mut State, at: Time, _effects: &mut Vec<Effect>) {
        state.cluster.id = self.cluster.clone();
        state.cluster.term = self.term;
        state.cluster.leader = self.leader;
        state.cluster.elected_at = at;
        state.cluster.retention = self.retention;
        state.plan_forgetting(at);
        state.weights.extend(self.weights.iter().cloned());
        let frameworks: Vec<_> = state
            .frameworks
            .values()
            .filter(|framework| framework.connection.is_connected())
            .map(|framework| framework.id)
            .collect();
        for framework in frameworks {
            let until = self.frameworks_until;
            state.connect_framework(framework, Connection::Awaited { until });
        }
        let agents: Vec<_> = state
            .agents
            .values()
            .filter(|agent| agent.connection.is_connected())
            .map(|agent| agent.id)
            .collect();
        for agent in agents {
            let until = self.agents_until;
            state.connect_agent(agent, Connection::Awaited { until });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::id::Role;
    use crate::testing::World;

    /// semantics 189
    #[test]
    fn weights_of_the_flags_count_while_there_are_none() {
        let mut world = World::new();
        world.settings.weights = vec![("a".into(), 2000)];
        world.lead(2);
        assert_eq!(world.state.weights.get(&Role::from("a")), Some(&2000));
        world.settings.weights = vec![("a".into(), 500), ("b".into(), 500)];
        world.lead(3);
        assert_eq!(world.state.weights.len(), 1);
        assert_eq!(world.state.weights.get(&Role::from("a")), Some(&2000));
    }
}
