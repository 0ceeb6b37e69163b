//! What the end of a container means, in states, reasons and words.

use protocol::v1;
use protocol::v1::task_status::{Reason, Source};

use super::live::Verdict;
use super::status::News;
use crate::containerizer::{LaunchError, Limitation, Limited, in_words};
use crate::shim::spec::{Exit, Killed};

/// What becomes of a task whose container could not be launched.
pub(super) fn not_launched(error: &LaunchError) -> Verdict {
    if matches!(error, LaunchError::Cancelled) {
        return Verdict {
            state: v1::TaskState::TaskKilled,
            reason: Reason::TaskKilledDuringLaunch,
            message: "Task killed while its container was being launched".to_owned(),
            limitation: None,
        };
    }
    Verdict {
        state: v1::TaskState::TaskFailed,
        reason: Reason::ContainerLaunchFailed,
        message: format!("Failed to launch container: {}", in_words(error)),
        limitation: None,
    }
}

/// What becomes of tasks whose container used too much of something.
pub(super) fn overstepped(exit: &Exit) -> Option<Verdict> {
    let Limitation { resource, limit_mb, message } = exit.limitation.as_ref()?;
    let (reason, name) = match resource {
        Limited::Memory => (Reason::ContainerLimitationMemory, "mem"),
        Limited::Disk => (Reason::ContainerLimitationDisk, "disk"),
    };
    let limited = v1::Resource::scalar(name, *limit_mb as f64);
    Some(Verdict {
        state: v1::TaskState::TaskFailed,
        reason,
        message: message.clone(),
        limitation: Some(v1::TaskResourceLimitation { resources: vec![limited] }),
    })
}

/// What the end of a command task's process means (semantics 261).
pub(super) fn command_ended(exit: &Exit) -> News {
    let (state, reason) = match (exit.killed, exit.status) {
        (Some(Killed::Reboot), _) => (v1::TaskState::TaskFailed, Some(Reason::AgentRestarted)),
        (_, None) => (v1::TaskState::TaskFailed, Some(Reason::ExecutorTerminated)),
        (Some(Killed::MaxCompletionTime), _) => {
            (v1::TaskState::TaskFailed, Some(Reason::MaxCompletionTimeReached))
        }
        (Some(Killed::Ordered), _) => (v1::TaskState::TaskKilled, None),
        (None, Some(0)) => (v1::TaskState::TaskFinished, None),
        (None, Some(_)) => (v1::TaskState::TaskFailed, None),
    };
    // What nobody saw ending, only the agent can report.
    let source = if exit.status.is_some() { Source::Executor } else { Source::Agent };
    News { state, source, reason, message: Some(exit_in_words(exit)), limitation: None }
}

pub(super) fn executor_ended(exit: &Exit) -> Verdict {
    let message = exit.failure.clone().unwrap_or_else(|| "Executor terminated".to_owned());
    let reason = match exit.killed {
        Some(Killed::Reboot) => Reason::AgentRestarted,
        _ => Reason::ExecutorTerminated,
    };
    Verdict { state: v1::TaskState::TaskFailed, reason, message, limitation: None }
}

fn exit_in_words(exit: &Exit) -> String {
    let Some(status) = exit.status else {
        return exit
            .failure
            .clone()
            .unwrap_or_else(|| "Command ended in an unknown way".to_owned());
    };
    let signal = status & 0x7f;
    if signal == 0 {
        format!("Command exited with status {}", (status >> 8) & 0xff)
    } else {
        format!("Command terminated with signal {}", signal_name(signal))
    }
}

/// The words that the C library has for a signal, which clients match on.
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        24 => "CPU time limit exceeded",
        25 => "File size limit exceeded",
        31 => "Bad system call",
        _ => return format!("Unknown signal {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        status: Option<i32>,
        killed: Option<Killed>,
        state: v1::TaskState,
        reason: Option<Reason>,
        message: &str,
    ) {
        let failure = status.is_none().then(|| "lost".to_owned());
        let news = command_ended(&Exit { status, killed, failure, ..Exit::default() });
        assert_eq!(
            (news.state, news.reason, news.message.as_deref()),
            (state, reason, Some(message))
        );
    }

    #[test]
    fn ends_of_commands_are_told_as_mesos_tells_them() {
        use v1::TaskState::{TaskFailed, TaskFinished, TaskKilled};
        check(Some(0), None, TaskFinished, None, "Command exited with status 0");
        check(Some(3 << 8), None, TaskFailed, None, "Command exited with status 3");
        check(Some(9), None, TaskFailed, None, "Command terminated with signal Killed");
        check(
            Some(0x8b),
            None,
            TaskFailed,
            None,
            "Command terminated with signal Segmentation fault",
        );
        let ordered = Some(Killed::Ordered);
        check(Some(15), ordered, TaskKilled, None, "Command terminated with signal Terminated");
        check(Some(0), ordered, TaskKilled, None, "Command exited with status 0");
        let limit = Some(Reason::MaxCompletionTimeReached);
        let message = "Command terminated with signal Terminated";
        check(Some(15), Some(Killed::MaxCompletionTime), TaskFailed, limit, message);
        check(None, None, TaskFailed, Some(Reason::ExecutorTerminated), "lost");
        check(None, Some(Killed::Reboot), TaskFailed, Some(Reason::AgentRestarted), "lost");
    }
}
