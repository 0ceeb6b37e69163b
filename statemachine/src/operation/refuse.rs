//! An operation that cannot be carried out: its framework is told, if it gave it an id.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{OperationState, OperationUpdate};
use crate::draft::Draft;
use crate::effect::{Effect, FrameworkMessage};
use crate::event::Fold;
use crate::id::OperationKey;
use crate::state::State;
use crate::time::Time;

/// An operation was not carried out (semantics 87, 91).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRefused {
    /// The operation, which is not followed.
    #[serde(rename = "k")]
    pub key: OperationKey,
    /// Why.
    #[serde(rename = "m")]
    pub message: Arc<str>,
}

/// Says why an operation is not carried out.
pub(crate) fn refuse(draft: &mut Draft<'_>, key: OperationKey, why: &dyn std::fmt::Display) {
    draft.record(OperationRefused { key, message: why.to_string().into() });
}

impl Fold for OperationRefused {
    fn fold(&self, state: &mut State, _at: Time, effects: &mut Vec<Effect>) {
        let update = OperationUpdate {
            message: Some(self.message.clone()),
            ..OperationUpdate::plain(self.key.operation.clone(), OperationState::Error)
        };
        state.tell(self.key.framework, FrameworkMessage::OperationUpdated(update), effects);
    }
}
