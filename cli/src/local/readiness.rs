//! Waits until a cluster serves: a leader is elected, and all agents are registered with it.

use std::time::Duration;

use protocol::v1::master::call::Type;
use tokio::time::{Instant, sleep};

use crate::client::{Address, Leader};

/// How long a cluster may take to serve.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two questions.
const QUESTION_PAUSE: Duration = Duration::from_millis(50);

/// The cluster did not come up.
#[derive(Debug, thiserror::Error)]
#[error("the cluster does not serve after {READY_TIMEOUT:?}: {0}")]
pub(crate) struct NotReady(String);

/// Returns once `agents` agents are active.
pub(super) async fn wait(masters: &[Address], agents: usize) -> Result<(), NotReady> {
    let deadline = Instant::now() + READY_TIMEOUT;
    let leader = Leader::among(masters);
    loop {
        let obstacle = match leader.operate(Type::GetAgents).await {
            Ok(response) => {
                let known = response.get_agents.unwrap_or_default().agents;
                let active = known.iter().filter(|agent| agent.active).count();
                if active >= agents {
                    return Ok(());
                }
                format!("{active} of {agents} agents are registered")
            }
            Err(error) => format!("{:#}", anyhow::Error::from(error)),
        };
        if Instant::now() >= deadline {
            return Err(NotReady(obstacle));
        }
        sleep(QUESTION_PAUSE).await;
    }
}
