//! How much of what is over is remembered, and for how long.

use std::time::Duration;

use protocol::duration_text;
use statemachine::Retention;

use super::milliseconds;

/// The flags about frameworks and tasks that are over. The leader's count, and its followers forget with
/// it.
#[derive(Clone, Debug, clap::Args)]
pub struct HistoryFlags {
    /// How many frameworks that are over are remembered.
    #[arg(
        long,
        alias = "max_completed_frameworks",
        env = "MESOLITH_MAX_COMPLETED_FRAMEWORKS",
        default_value_t = 50
    )]
    pub max_completed_frameworks: u32,
    /// How many ended tasks of each framework are remembered.
    #[arg(
        long,
        alias = "max_completed_tasks_per_framework",
        env = "MESOLITH_MAX_COMPLETED_TASKS_PER_FRAMEWORK",
        default_value_t = 1000
    )]
    pub max_completed_tasks_per_framework: u32,
    /// How long a framework that is over is remembered, with its tasks; as long as it is one of the last
    /// by default.
    #[arg(long, alias = "max_completed_framework_age", env = "MESOLITH_MAX_COMPLETED_FRAMEWORK_AGE",
          value_parser = duration_text::parse)]
    pub max_completed_framework_age: Option<Duration>,
    /// How long an ended task is remembered; as long as it is one of its framework's last by default.
    #[arg(long, alias = "max_completed_task_age", env = "MESOLITH_MAX_COMPLETED_TASK_AGE",
          value_parser = duration_text::parse)]
    pub max_completed_task_age: Option<Duration>,
}

impl HistoryFlags {
    /// What the state keeps.
    pub(super) fn retention(&self) -> Retention {
        Retention {
            completed_frameworks: self.max_completed_frameworks,
            completed_tasks_per_framework: self.max_completed_tasks_per_framework,
            completed_framework_age_ms: self.max_completed_framework_age.map(milliseconds),
            completed_task_age_ms: self.max_completed_task_age.map(milliseconds),
        }
    }

    /// Name and value of each, as `/flags` shows them.
    pub(super) fn flags(&self) -> impl Iterator<Item = (&'static str, String)> {
        let tasks = self.max_completed_tasks_per_framework.to_string();
        let values = [
            ("max_completed_frameworks", Some(self.max_completed_frameworks.to_string())),
            ("max_completed_tasks_per_framework", Some(tasks)),
            (
                "max_completed_framework_age",
                self.max_completed_framework_age.map(duration_text::format),
            ),
            ("max_completed_task_age", self.max_completed_task_age.map(duration_text::format)),
        ];
        values.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn without_flags_history_is_as_mesos_has_it() {
        let retention = parse(&[]).expect("flags").settings().retention;
        assert_eq!(retention, Retention::default());
    }

    #[test]
    fn history_goes_by_count_and_age() {
        let config =
            parse(&["--max_completed_tasks_per_framework=7", "--max-completed-task-age=1days"]);
        let config = config.expect("flags");
        let expected = Retention {
            completed_tasks_per_framework: 7,
            completed_task_age_ms: Some(86_400_000),
            ..Retention::default()
        };
        assert_eq!(config.settings().retention, expected);
        let shown = config.flags();
        assert!(shown.contains(&("max_completed_task_age", "1days".to_owned())), "{shown:?}");
    }
}
