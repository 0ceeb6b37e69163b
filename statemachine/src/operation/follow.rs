//! Operations that have an id: what their frameworks are told of them, until they have acknowledged
//! the end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Conversion;
use crate::effect::{Effect, FrameworkMessage};
use crate::id::{AgentId, EventNumber, FrameworkId, OperationId, OperationKey};
use crate::resources::Resources;
use crate::state::State;
use crate::status::UpdateId;
use crate::time::Time;

/// An operation that its framework gave an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Its framework and id.
    #[serde(rename = "k")]
    pub key: OperationKey,
    /// Whose resources it converted.
    #[serde(rename = "a")]
    pub agent: AgentId,
    /// What it did.
    #[serde(rename = "o")]
    pub kind: Conversion,
    /// What was.
    #[serde(rename = "c")]
    pub consumed: Resources,
    /// What is.
    #[serde(rename = "n")]
    pub converted: Resources,
    /// Number of the directive that tells the agent; finished when the agent has confirmed that.
    #[serde(rename = "d")]
    pub directive: EventNumber,
    /// Names the status that says that it is finished.
    #[serde(rename = "u")]
    pub update: UpdateId,
    /// When it was decided.
    #[serde(rename = "t")]
    pub asked_at: Time,
    /// When the agent had done its part.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// State of an operation, with its number on the v1 wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the v1 ones")]
pub enum OperationState {
    Pending = 1,
    Finished = 2,
    Error = 4,
    Unreachable = 6,
    GoneByOperator = 7,
    Unknown = 9,
}

/// One status of one operation, on its way to a framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationUpdate {
    /// Which.
    pub operation: OperationId,
    /// What has become of it.
    pub state: OperationState,
    /// In words.
    pub message: Option<Arc<str>>,
    /// Where.
    pub agent: Option<AgentId>,
    /// What it made, once it is finished, if nobody could know before: resources that later operations
    /// of the same call can use are no news.
    pub converted: Resources,
    /// Set when it must be acknowledged.
    pub update: Option<UpdateId>,
}

impl OperationUpdate {
    /// A status that says no more than a state.
    pub(super) fn plain(operation: OperationId, state: OperationState) -> Self {
        let (message, agent, converted, update) = (None, None, Resources::default(), None);
        Self { operation, state, message, agent, converted, update }
    }
}

impl Followed {
    /// What has become of it, as far as the agent's own state has no say.
    pub fn state(&self) -> OperationState {
        match self.finished_at {
            Some(_) => OperationState::Finished,
            None => OperationState::Pending,
        }
    }

    /// What is said of it while its agent is out of reach.
    pub(crate) fn unreachable(&self) -> OperationUpdate {
        let state = OperationState::Unreachable;
        let agent = Some(self.agent);
        OperationUpdate { agent, ..OperationUpdate::plain(self.key.operation.clone(), state) }
    }

    /// Its newest status.
    pub(crate) fn status(&self) -> OperationUpdate {
        let finished = self.finished_at.is_some();
        let is_news = finished && !self.kind.is_speculative();
        OperationUpdate {
            agent: Some(self.agent),
            converted: if is_news { self.converted.clone() } else { Resources::default() },
            update: finished.then_some(self.update),
            ..OperationUpdate::plain(self.key.operation.clone(), self.state())
        }
    }
}

impl State {
    /// What frameworks and operators are told of an operation: one that waits for an agent out of reach is that, too.
    pub fn operation_status(&self, followed: &Followed) -> OperationUpdate {
        let agent = self.agents.get(&followed.agent);
        let is_away = agent.is_some_and(|agent| agent.unreachable_since.is_some());
        let waits = followed.finished_at.is_none();
        if is_away && waits { followed.unreachable() } else { followed.status() }
    }

    /// The operations of a framework that have an id, by that.
    pub fn operations_of(&self, framework: FrameworkId) -> impl Iterator<Item = &Arc<Followed>> {
        let first = OperationKey { framework, operation: "".into() };
        let all = self.operations.range(first..).map(|(_, followed)| followed);
        all.take_while(move |followed| followed.key.framework == framework)
    }

    /// Starts to follow an operation, which is pending.
    pub(super) fn follow(&mut self, followed: Arc<Followed>) {
        if let Some(agent) = self.agent_mut(followed.agent) {
            agent.operations.insert(followed.key.clone());
        }
        self.operations.insert(followed.key.clone(), followed);
    }

    /// Ends that.
    pub(crate) fn unfollow(&mut self, key: &OperationKey) {
        if let Some(followed) = self.operations.remove(key)
            && let Some(agent) = self.agent_mut(followed.agent)
        {
            agent.operations.remove(key);
            self.note_emptied(followed.agent);
        }
    }

    /// What is pending on an agent will never be done: it has left.
    pub(crate) fn lose_operations(&mut self, agent: AgentId, effects: &mut Vec<Effect>) {
        self.tell_operations(agent, OperationState::GoneByOperator, effects);
        let pending = self.agents.get(&agent).map(|agent| agent.operations.clone());
        for key in pending.into_iter().flatten() {
            self.unfollow(&key);
        }
    }

    /// Tells the frameworks of operations that are pending on an agent what has become of that.
    pub(crate) fn tell_operations(
        &self,
        agent: AgentId,
        state: OperationState,
        effects: &mut Vec<Effect>,
    ) {
        let pending = self.agents.get(&agent).into_iter().flat_map(|agent| &agent.operations);
        for key in pending {
            let update = OperationUpdate {
                agent: Some(agent),
                ..OperationUpdate::plain(key.operation.clone(), state)
            };
            self.tell(key.framework, FrameworkMessage::OperationUpdated(update), effects);
        }
    }
}
