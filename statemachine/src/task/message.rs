//! Messages between schedulers and executors. They change nothing and Mesos promises nothing about
//! them (semantics 208), so they are passed on and not journalled (docs/decisions/0005).

use std::sync::Arc;

use bytes::Bytes;

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::{Directive, FrameworkMessage};
use crate::id::{AgentId, ExecutorId, FrameworkId, Session};
use crate::rejection::Rejection;

/// MESSAGE, from a scheduler to an executor.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageExecutor {
    /// Who.
    pub framework: FrameworkId,
    /// Where the executor runs; none if that is no agent of this cluster.
    pub agent: Option<AgentId>,
    /// To whom.
    pub executor: ExecutorId,
    /// What.
    pub data: Bytes,
}

/// From an executor to its scheduler.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageFramework {
    /// Where the executor runs.
    pub agent: AgentId,
    /// Over which stream it came.
    pub session: Session,
    /// The framework's wire id.
    pub framework: Arc<str>,
    /// Who.
    pub executor: ExecutorId,
    /// What.
    pub data: Bytes,
}

impl Decide for MessageExecutor {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let directive = Directive::Message {
            framework: self.framework,
            executor: self.executor.clone(),
            data: self.data.clone(),
        };
        if let Some(agent) = self.agent {
            draft.direct(agent, directive);
        }
        Ok(Reply::Done)
    }
}

impl Decide for MessageFramework {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let framework = draft.state().framework_by_wire_id(&self.framework);
        if let Some(framework) = framework.map(|framework| framework.id) {
            let message = FrameworkMessage::Message {
                agent: self.agent,
                executor: self.executor.clone(),
                data: self.data.clone(),
            };
            draft.tell(framework, message);
        }
        Ok(Reply::Done)
    }
}
