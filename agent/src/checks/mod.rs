//! Health checks and general checks of command tasks: run from here, in the task's sandbox.
//!
//! A check knows nothing of what its results mean; that is decided in `decide::check`.

mod probe;

use std::time::Duration;

use protocol::v1;
use tokio::time::{sleep, timeout};

use crate::shim::spec::Credentials;

pub(crate) use probe::{Context, Probe};

/// Longest delay, interval or timeout: the clock's end is beyond it.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// Shortest pause between two tries, whatever a task asks for.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Which of a task's two checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `TaskInfo.health_check`: enough failures kill the task.
    Health,
    /// `TaskInfo.check`: the results are told, and nothing follows.
    General,
}

/// What one try found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A command's exit code.
    Exit(i32),
    /// The status of an HTTP answer.
    Status(u16),
    /// Whether a connection could be made.
    Connected(bool),
    /// The try itself failed, or took too long.
    Nothing,
}

impl Found {
    /// Whether a health check takes this for health.
    pub(crate) fn is_healthy(self) -> bool {
        match self {
            Self::Exit(code) => code == 0,
            Self::Status(status) => (200..400).contains(&status),
            Self::Connected(is_connected) => is_connected,
            Self::Nothing => false,
        }
    }
}

/// A check that a task asks for.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) kind: Kind,
    pub(crate) probe: Probe,
    delay: Duration,
    interval: Duration,
    timeout: Duration,
}

impl Check {
    /// The checks of a task; why not, if this agent cannot make one of them.
    pub(crate) fn all_of(task: &v1::TaskInfo) -> Result<Vec<Self>, &'static str> {
        let mut checks = Vec::new();
        if let Some(health) = &task.health_check {
            checks.push(Self {
                kind: Kind::Health,
                probe: Probe::of_health_check(health)?,
                delay: seconds(health.delay_seconds()),
                interval: seconds(health.interval_seconds()),
                timeout: seconds(health.timeout_seconds()),
            });
        }
        if let Some(check) = &task.check {
            checks.push(Self {
                kind: Kind::General,
                probe: Probe::of_check(check)?,
                delay: seconds(check.delay_seconds()),
                interval: seconds(check.interval_seconds()),
                timeout: seconds(check.timeout_seconds()),
            });
        }
        Ok(checks)
    }

    /// Tries again and again, until `tell` says that nobody listens any more.
    pub(crate) async fn run<T: Future<Output = bool>>(
        self,
        context: Context,
        tell: impl Fn(Kind, Found) -> T,
    ) {
        sleep(self.delay).await;
        loop {
            // A timeout of nothing is none, as for Mesos.
            let limit = if self.timeout.is_zero() { LONGEST } else { self.timeout };
            let found = timeout(limit, self.probe.run(&context)).await;
            if !tell(self.kind, found.unwrap_or(Found::Nothing)).await {
                return;
            }
            sleep(self.interval.max(INTERVAL_MIN)).await;
        }
    }
}

/// A number of seconds as it came: negative ones and nonsense are none.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default().min(LONGEST)
}

/// What a check needs to know of its task's container.
impl Context {
    pub(crate) fn new(
        sandbox: std::path::PathBuf,
        environment: Vec<(String, String)>,
        user: Option<Credentials>,
        ip: String,
    ) -> Self {
        Self { sandbox, environment, user, ip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_any_number() {
        for (number, expected) in [
            (1.5, Duration::from_millis(1500)),
            (0.0, Duration::ZERO),
            (-1.0, Duration::ZERO),
            (f64::NAN, Duration::ZERO),
            (1e18, LONGEST),
        ] {
            assert_eq!(seconds(number), expected, "{number}");
        }
    }

    #[test]
    fn health_is_what_mesos_takes_for_it() {
        for (found, expected) in [
            (Found::Exit(0), true),
            (Found::Exit(1), false),
            (Found::Status(302), true),
            (Found::Status(404), false),
            (Found::Connected(true), true),
            (Found::Connected(false), false),
            (Found::Nothing, false),
        ] {
            assert_eq!(found.is_healthy(), expected, "{found:?}");
        }
    }
}
