//! What runs of a framework that is over is to end, and until its agent says that it has, others cannot have what it
//! uses (gaps 51, decision 0033).

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::Agent;
use crate::id::{AgentId, FrameworkId, Role};
use crate::resources::Resources;
use crate::state::State;

/// What a framework that is over has on an agent. In use, unless the agent is unreachable: then, as with its tasks,
/// nothing of it counts before it is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lingering {
    /// The framework's id on the wire.
    #[serde(rename = "w")]
    pub wire_id: Arc<str>,
    /// What each of its tasks and executors had, and in which role.
    #[serde(rename = "h")]
    pub holds: Vec<(Role, Resources)>,
}

impl Agent {
    /// What is in use here of frameworks that are over, each in its role.
    pub fn lingers(&self) -> impl Iterator<Item = (FrameworkId, &Role, &Resources)> {
        let in_use = self.lingering.iter().filter(move |_| self.counts());
        in_use.flat_map(|(id, it)| it.holds.iter().map(move |(role, held)| (*id, role, held)))
    }
}

impl State {
    /// A framework is over and may still run on an agent: what it had there stays in use.
    pub(crate) fn linger(&mut self, id: AgentId, framework: FrameworkId, what: Lingering) {
        let Some(agent) = self.agent_mut(id) else { return };
        let counts = agent.counts();
        let what = Arc::new(what);
        agent.lingering.insert(framework, what.clone());
        // its tasks left before
        self.emptied.remove(&id);
        for (role, held) in what.holds.iter().filter(|_| counts) {
            self.keep(id, framework, role, held);
        }
    }

    /// Nothing of a framework that is over runs on an agent any more.
    pub(crate) fn settle(&mut self, id: AgentId, framework: FrameworkId) {
        let Some(agent) = self.agent_mut(id) else { return };
        let counts = agent.counts();
        let Some(what) = agent.lingering.remove(&framework) else { return };
        for (role, held) in what.holds.iter().filter(|_| counts) {
            self.vacate(id, framework, role, held);
        }
        self.book.retain_roles(framework, &[]);
        self.note_emptied(id);
    }

    /// An agent goes for good, with all that it runs.
    pub(crate) fn drop_lingering(&mut self, id: AgentId) {
        for (framework, _) in self.lingering_on(id) {
            self.settle(id, framework);
        }
    }

    /// An agent is about to be unreachable: what lingers there is not in use before it is back.
    pub(crate) fn suspend_lingering(&mut self, id: AgentId) {
        for (framework, what) in self.lingering_on(id) {
            for (role, held) in &what.holds {
                self.vacate(id, framework, role, held);
            }
        }
    }

    /// An agent that was unreachable is back, and runs what lingers there: that is in use again. Others may have got
    /// what a task had that its agent had not brought back at once ([`State::may_return`]).
    pub(crate) fn restore_lingering(&mut self, id: AgentId) {
        for (framework, what) in self.lingering_on(id) {
            let mut holds = Vec::new();
            for (role, held) in &what.holds {
                if self.agents.get(&id).is_some_and(|agent| agent.has_free(held)) {
                    self.keep(id, framework, role, held);
                    holds.push((role.clone(), held.clone()));
                }
            }
            let what = Lingering { wire_id: what.wire_id.clone(), holds };
            if let Some(agent) = self.agent_mut(id) {
                agent.lingering.insert(framework, Arc::new(what));
            }
        }
    }

    fn lingering_on(&self, id: AgentId) -> OrdMap<FrameworkId, Arc<Lingering>> {
        self.agents.get(&id).map(|agent| agent.lingering.clone()).unwrap_or_default()
    }
}
