//! A framework confirms that it has heard of an operation's end.

use serde::{Deserialize, Serialize};

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::Effect;
use crate::event::Fold;
use crate::id::{FrameworkId, OperationId, OperationKey};
use crate::rejection::Rejection;
use crate::state::State;
use crate::status::UpdateId;
use crate::time::Time;

/// `ACKNOWLEDGE_OPERATION_STATUS`.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledge {
    /// Who.
    pub framework: FrameworkId,
    /// The operation.
    pub operation: OperationId,
    /// The status.
    pub update: UpdateId,
}

/// A framework knows of an operation's end: nothing more is heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationAcknowledged {
    /// The operation.
    #[serde(rename = "k")]
    pub key: OperationKey,
}

impl Decide for Acknowledge {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        if !draft.state().frameworks.contains_key(&self.framework) {
            return Err(Rejection::FrameworkUnknown);
        }
        let key = OperationKey { framework: self.framework, operation: self.operation.clone() };
        let followed = draft.state().operations.get(&key);
        if followed.is_some_and(|it| it.finished_at.is_some() && it.update == self.update) {
            draft.record(OperationAcknowledged { key });
        }
        Ok(Reply::Done)
    }
}

impl Fold for OperationAcknowledged {
    fn fold(&self, state: &mut State, _at: Time, _effects: &mut Vec<Effect>) {
        state.unfollow(&self.key);
    }
}
