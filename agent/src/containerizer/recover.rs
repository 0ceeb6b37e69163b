//! After a restart of the agent: which containers still run, which ended meanwhile, which are
//! nobody's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::container_id;
use super::launcher::end_orphans;
use crate::shim::process::Process;
use crate::shim::spec::{Exit, Killed, RuntimeDirectory};

/// What became of a container that an earlier agent process launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// A shim has it: it runs, or its end is still to be read.
    Adopted { process: Option<Process> },
    /// It never ran, and now never will: its task may be launched in another container.
    NeverRan,
    /// It ended with an earlier boot of the machine.
    Gone(Exit),
}

/// Looks at one container. After this, no late shim can start it.
pub(crate) fn recover(directory: &RuntimeDirectory, is_same_boot: bool) -> io::Result<Recovered> {
    if !is_same_boot {
        let failure = Some("The machine was restarted".to_owned());
        let lost = Exit { failure, killed: Some(Killed::Reboot), ..Exit::default() };
        // What was durable before the power went still is true.
        return Ok(Recovered::Gone(directory.exit().ok().flatten().unwrap_or(lost)));
    }
    if directory.0.is_dir() {
        let myself = Process::find(std::process::id() as i32)
            .ok_or_else(|| io::Error::other("/proc does not show this process"))?;
        if !directory.claim(&myself)? {
            return Ok(Recovered::Adopted { process: directory.started()? });
        }
    }
    Ok(Recovered::NeverRan)
}

/// Ends and removes the containers that are in the runtime directory but not in `known`.
pub(crate) fn remove_unknown(runtime_dir: &Path, known: &BTreeSet<String>) -> io::Result<()> {
    let entries = match fs::read_dir(runtime_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let is_known = entry.file_name().to_str().is_some_and(|name| known.contains(name));
        if is_known || !entry.file_type()?.is_dir() {
            continue;
        }
        // what has another name is somebody else's
        if !entry.file_name().to_str().is_some_and(container_id::is_one) {
            tracing::warn!(directory = %entry.path().display(), "leaving what is no container");
            continue;
        }
        let directory = RuntimeDirectory(entry.path());
        tracing::warn!(directory = %entry.path().display(), "removing an unknown container");
        end(&directory);
        fs::remove_dir_all(entry.path())?;
    }
    Ok(())
}

fn end(directory: &RuntimeDirectory) {
    if let Ok(Some(shim)) = directory.claimant()
        && shim.is_alive()
        && shim.pid != std::process::id() as i32
    {
        // With its shim dies the container's first process; the rest of its session is ended below.
        let _ = kill(Pid::from_raw(shim.pid), Signal::SIGKILL);
    }
    end_orphans(directory);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, RuntimeDirectory) {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let directory = RuntimeDirectory(temporary.path().join("c"));
        (temporary, directory)
    }

    #[test]
    fn a_container_that_no_shim_claimed_never_ran_and_never_will() {
        let (_temporary, directory) = directory();
        assert_eq!(recover(&directory, true).expect("looked at"), Recovered::NeverRan);
        fs::create_dir(&directory.0).expect("made");
        assert_eq!(recover(&directory, true).expect("looked at"), Recovered::NeverRan);
        let late = Process { pid: 1, start_time_ticks: 1 };
        assert!(!directory.claim(&late).expect("claim"), "a late shim comes too late");
    }

    #[test]
    fn a_claimed_container_is_adopted() {
        let (_temporary, directory) = directory();
        fs::create_dir(&directory.0).expect("made");
        let shim = Process { pid: 1, start_time_ticks: 1 };
        assert!(directory.claim(&shim).expect("claim"));
        let expected = Recovered::Adopted { process: None };
        assert_eq!(recover(&directory, true).expect("looked at"), expected);
    }

    #[test]
    fn a_reboot_leaves_what_was_durable() {
        let (_temporary, directory) = directory();
        fs::create_dir(&directory.0).expect("made");
        let exit = Exit { status: Some(0), ..Exit::default() };
        directory.record_exit(&exit).expect("written");
        assert_eq!(recover(&directory, false).expect("looked at"), Recovered::Gone(exit));
    }

    #[test]
    fn unknown_containers_are_removed() {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let (known, unknown) = (container_id::new(), container_id::new());
        let names = [known.clone(), unknown.clone(), container_id::within(&unknown), "docs".into()];
        for name in &names {
            fs::create_dir(temporary.path().join(name)).expect("made");
        }
        remove_unknown(temporary.path(), &BTreeSet::from([known])).expect("removed");
        let left = names.map(|name| temporary.path().join(name).exists());
        assert_eq!(left, [true, false, false, true], "what is no container is left alone");
    }
}
