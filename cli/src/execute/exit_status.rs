//! A task's end as an exit code of ours.

use protocol::v1::TaskState;

use crate::exit;

/// Names that agents have for signals, as in the C library's `strsignal`.
const SIGNALS: [(&str, u8); 14] = [
    ("Hangup", 1),
    ("Interrupt", 2),
    ("Quit", 3),
    ("Illegal instruction", 4),
    ("Trace/breakpoint trap", 5),
    ("Aborted", 6),
    ("Bus error", 7),
    ("Floating point exception", 8),
    ("Killed", 9),
    ("User defined signal 1", 10),
    ("Segmentation fault", 11),
    ("User defined signal 2", 12),
    ("Broken pipe", 13),
    ("Terminated", 15),
];

/// The command's own exit code, 128 and the signal that ended it, or [`exit::NOT_RUN`] when it did not
/// end by itself. v1 has no field for it: agents say it in the last update's message.
pub(super) fn code(state: TaskState, message: &str) -> u8 {
    match state {
        TaskState::TaskFinished => 0,
        TaskState::TaskFailed => failed(message).unwrap_or(exit::NOT_RUN),
        _ => exit::NOT_RUN,
    }
}

fn failed(message: &str) -> Option<u8> {
    if let Some((_, status)) = message.split_once("exited with status ") {
        let digits = status.split(|c: char| !c.is_ascii_digit()).next()?;
        return digits.parse().ok();
    }
    let (_, signal) = message.split_once("terminated with signal ")?;
    let named = SIGNALS.iter().find(|(name, _)| signal.starts_with(name));
    named.map(|(_, number)| exit::SIGNALLED + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: TaskState, message: &str, expected: u8) {
        assert_eq!(code(state, message), expected, "{state:?} {message}");
    }

    #[test]
    fn the_exit_code_is_the_commands() {
        check(TaskState::TaskFinished, "Command exited with status 0", 0);
        check(TaskState::TaskFailed, "Command exited with status 3", 3);
        check(TaskState::TaskFailed, "Command exited with status 127", 127);
        check(TaskState::TaskFailed, "Command terminated with signal Killed", 137);
        check(TaskState::TaskFailed, "Command terminated with signal Terminated", 143);
    }

    #[test]
    fn what_did_not_end_by_itself_has_a_code_of_its_own() {
        check(TaskState::TaskFailed, "fetching http://x/y: connection refused", 125);
        check(TaskState::TaskFailed, "Command exited with status", 125);
        check(TaskState::TaskFailed, "Command exited with status 256", 125);
        check(TaskState::TaskKilled, "Command terminated with signal Terminated", 125);
        check(TaskState::TaskError, "", 125);
    }
}
