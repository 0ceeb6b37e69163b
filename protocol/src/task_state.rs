//! What the states of a task mean.

use crate::v1::TaskState;

impl TaskState {
    /// Whether a task in this state will never run again. An unreachable task may come back with
    /// its agent, and one in an unknown state may be anywhere.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::TaskFinished
            | Self::TaskFailed
            | Self::TaskKilled
            | Self::TaskError
            | Self::TaskLost
            | Self::TaskDropped
            | Self::TaskGone
            | Self::TaskGoneByOperator => true,
            Self::TaskStaging
            | Self::TaskStarting
            | Self::TaskRunning
            | Self::TaskKilling
            | Self::TaskUnreachable
            | Self::TaskUnknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_runs_or_may_run_is_not_terminal() {
        let live = (0..14).filter_map(|number| TaskState::try_from(number).ok());
        let live: Vec<&str> =
            live.filter(|state| !state.is_terminal()).map(|state| state.as_str_name()).collect();
        assert_eq!(
            live,
            [
                "TASK_STARTING",
                "TASK_RUNNING",
                "TASK_STAGING",
                "TASK_KILLING",
                "TASK_UNREACHABLE",
                "TASK_UNKNOWN"
            ]
        );
    }
}
