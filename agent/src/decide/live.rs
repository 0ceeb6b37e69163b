//! What the agent knows only while it runs: streams, timers, updates on their way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use protocol::v1;
use protocol::v1::executor;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::End;
use super::check::Checked;
use crate::checkpoint::state::{ExecutorKey, TaskKey};
use crate::shim::process::Process;

/// Pause before an unacknowledged update is sent again; it doubles each time (semantics 191).
pub(crate) const UPDATE_RETRY_FIRST: Duration = Duration::from_secs(10);
/// Longest pause between two tries.
pub(crate) const UPDATE_RETRY_MAX: Duration = Duration::from_secs(10 * 60);

/// Forgotten tasks that are remembered for each executor.
const ENDED: usize = 1_000;

/// Everything that a restart of the agent may forget.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) is_connected: bool,
    /// Host of the leader that the agent is connected to, as that one names it.
    pub(crate) master_hostname: Option<String>,
    pub(crate) executors: BTreeMap<ExecutorKey, LiveExecutor>,
    /// Containers that run or are being made, by id.
    pub(crate) containers: BTreeMap<String, LiveContainer>,
    /// Executors whose resources changed in this turn.
    pub(crate) resized: BTreeSet<ExecutorKey>,
    /// What the agent would lend out revocably.
    pub(crate) estimate: Vec<v1::Resource>,
    /// What of that it told the leader last.
    pub(crate) told_estimate: Vec<v1::Resource>,
    /// How long the oldest update of a task has been waiting.
    pub(crate) retries: BTreeMap<TaskKey, Duration>,
    pub(crate) timers: Timers,
    /// Frameworks that the leader wants to hear the end of.
    pub(crate) stopping: BTreeSet<String>,
    /// The agent ends once its containers have.
    pub(crate) leaving: Option<Leaving>,
    last_stream: u64,
    pub(crate) counts: Counts,
}

/// Totals for metrics.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) valid_status_updates: u64,
    pub(crate) invalid_status_updates: u64,
    pub(crate) valid_framework_messages: u64,
    pub(crate) invalid_framework_messages: u64,
    pub(crate) container_launch_errors: u64,
    pub(crate) executors_terminated: u64,
    pub(crate) executors_preempted: u64,
    /// Tasks that ended, by the state they ended in.
    pub(crate) ended: BTreeMap<v1::TaskState, u64>,
}

/// One container while it runs or is being made.
#[derive(Debug, Default)]
pub(crate) struct LiveContainer {
    /// Its first process, once it runs.
    pub(crate) process: Option<Process>,
    /// Grace of a kill that came before it ran.
    pub(crate) kill_at_start: Option<Duration>,
    /// What the checks of its task found.
    pub(crate) checked: Checked,
}

/// One executor while its container runs or is being made.
#[derive(Debug, Default)]
pub(crate) struct LiveExecutor {
    pub(crate) stream: Option<Stream>,
    pub(crate) has_subscribed: bool,
    /// Tasks that the executor was given and that are not forgotten.
    pub(crate) delivered: BTreeSet<String>,
    pub(crate) was_given_any: bool,
    /// Its last tasks that are forgotten: what it still says of them is dropped (semantics 193).
    ended: VecDeque<String>,
    /// Kills that it could not be told yet.
    pub(crate) kills: BTreeMap<String, Option<v1::KillPolicy>>,
    /// Why its tasks failed, when the agent ended it.
    pub(crate) verdict: Option<Verdict>,
}

impl LiveExecutor {
    /// The executor has this task.
    pub(crate) fn gave(&mut self, task_id: &str) {
        self.delivered.insert(task_id.to_owned());
        self.was_given_any = true;
    }

    /// The task's end was acknowledged.
    pub(crate) fn forget(&mut self, task_id: &str) {
        self.delivered.remove(task_id);
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(task_id.to_owned());
    }

    /// Whether the task is one that ended not long ago.
    pub(crate) fn had(&self, task_id: &str) -> bool {
        self.ended.iter().any(|ended| ended == task_id)
    }
}

/// An agent on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Leaving {
    pub(crate) end: End,
    pub(crate) farewell: Farewell,
}

/// What the master and an agent that ends have to say to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It was the master's wish, or the master did not answer in time.
    Needless,
    /// The agent unregisters, and the master has not said that this is so.
    Owed,
    /// The master has said so.
    Taken,
}

/// How the tasks of an executor that the agent ends are to be reported.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) state: v1::TaskState,
    pub(crate) reason: v1::task_status::Reason,
    pub(crate) message: String,
    /// What there was too much of.
    pub(crate) limitation: Option<v1::TaskResourceLimitation>,
}

/// An executor's open stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) number: u64,
    pub(crate) sender: mpsc::Sender<executor::Event>,
}

/// What a moment is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The update with this uuid is not acknowledged yet.
    Retry { task: TaskKey, uuid: Vec<u8> },
    /// The executor in this container has not subscribed.
    Registration { executor: ExecutorKey, container_id: String, is_again: bool },
    /// The executor in this container was told to shut down.
    Shutdown { executor: ExecutorKey, container_id: String },
    /// The default executor of this name in the books has had no container since the timer was set.
    Linger { executor: ExecutorKey, container_id: String },
    /// The master has not said that the agent is unregistered.
    Farewell,
}

/// Moments that are waited for, in order.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<(Instant, u64), Timer>,
    count: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.count += 1;
        self.due.insert((at, self.count), timer);
    }

    /// The next moment.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes one timer whose moment has come.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}

impl Live {
    /// A number for a new stream of an executor.
    pub(crate) fn next_stream(&mut self) -> u64 {
        self.last_stream += 1;
        self.last_stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_their_order() {
        let now = Instant::now();
        let timer = |id: &str| Timer::Shutdown {
            executor: ExecutorKey { framework_id: "f".to_owned(), executor_id: id.to_owned() },
            container_id: "c".to_owned(),
        };
        let mut timers = Timers::default();
        let second = Duration::from_secs(1);
        timers.set(now + second, timer("later"));
        timers.set(now, timer("a"));
        timers.set(now, timer("b"));
        assert_eq!(timers.next(), Some(now));
        assert_eq!(timers.take_due(now), Some(timer("a")));
        assert_eq!(timers.take_due(now), Some(timer("b")));
        assert_eq!(timers.take_due(now), None);
        assert_eq!(timers.take_due(now + second), Some(timer("later")));
        assert_eq!(timers.next(), None);
    }
}
