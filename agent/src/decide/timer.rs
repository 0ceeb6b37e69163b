//! Moments that were waited for.

use std::time::Duration;

use protocol::v1::task_status::Reason;
use protocol::{duration_text, v1};

use super::Turn;
use super::live::{Farewell, Timer, UPDATE_RETRY_FIRST, UPDATE_RETRY_MAX, Verdict};
use crate::checkpoint::state::{ExecutorKey, TaskKey};

impl Turn<'_> {
    pub(super) fn due(&mut self, timer: Timer) {
        match timer {
            Timer::Retry { task, uuid } => self.retry(&task, &uuid),
            Timer::Registration { executor, container_id, is_again } => {
                self.registration_is_due(&executor, &container_id, is_again);
            }
            Timer::Shutdown { executor, container_id } => {
                if self.is_current(&executor, &container_id) {
                    self.kill_container(&executor, Duration::ZERO);
                }
            }
            Timer::Linger { executor, container_id } => {
                if self.is_current(&executor, &container_id) {
                    self.end_if_idle(&executor);
                }
            }
            Timer::Farewell => self.farewell(Farewell::Needless),
        }
    }

    /// Without a stream there is no try: a new one begins with every update that is owed.
    fn retry(&mut self, key: &TaskKey, uuid: &[u8]) {
        let oldest = self.state.tasks.get(key).and_then(|task| task.unacknowledged.front());
        let is_owed = oldest.and_then(|status| status.uuid.as_deref()) == Some(uuid);
        if is_owed && self.live.is_connected {
            let pause = self.live.retries.get(key).copied().unwrap_or(UPDATE_RETRY_FIRST);
            self.live.retries.insert(key.clone(), (pause * 2).min(UPDATE_RETRY_MAX));
            self.send_oldest(key);
        }
    }

    fn is_current(&self, key: &ExecutorKey, container_id: &str) -> bool {
        let executor = self.state.executors.get(key);
        executor
            .is_some_and(|executor| executor.container_id == container_id && !executor.has_ended)
    }

    /// An executor that does not subscribe in time is ended, and its tasks with it (semantics 252,
    /// 269).
    fn registration_is_due(&mut self, key: &ExecutorKey, container_id: &str, is_again: bool) {
        let has_subscribed = self.live.executors.get(key).is_some_and(|live| live.has_subscribed);
        if has_subscribed || !self.is_current(key, container_id) {
            return;
        }
        let verdict = if is_again {
            self.late_again(key)
        } else {
            let limit = duration_text::format(self.settings.registration_timeout);
            Verdict {
                state: v1::TaskState::TaskFailed,
                reason: Reason::ExecutorRegistrationTimeout,
                message: format!("Executor did not register within {limit}"),
                limitation: None,
            }
        };
        if let Some(live) = self.live.executors.get_mut(key) {
            live.verdict = Some(verdict);
        }
        self.kill_container(key, Duration::ZERO);
    }

    fn late_again(&self, key: &ExecutorKey) -> Verdict {
        let limit = duration_text::format(self.settings.reregistration_timeout);
        Verdict {
            state: self.gone_state(&key.framework_id),
            reason: Reason::ExecutorReregistrationTimeout,
            message: format!(
                "Executor did not register again within {limit} after the agent restarted"
            ),
            limitation: None,
        }
    }
}
