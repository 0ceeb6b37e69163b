//! The files by which an agent and a shim talk: one directory per container,
//! `<runtime_dir>/<container_id>`.
//!
//! | file | written by | holds |
//! |---|---|---|
//! | `spec` | agent | a [`Spec`]: what to run |
//! | `control` | agent | a fifo of [`Order`]s, one line each |
//! | `claim` | shim | the shim's [`Process`]; whoever creates it is the one that runs the container |
//! | `started` | shim | the container's first [`Process`] |
//! | `exit` | shim | an [`Exit`], durable before anybody hears of it |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::Process;
use crate::cgroups::tree::Tree;
use crate::containerizer::Limitation;

/// What a shim is to run. Everything is resolved: the shim looks nothing up but `arguments[0]` in
/// the `PATH` of `environment`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Program and arguments; never empty.
    pub(crate) arguments: Vec<String>,
    /// The whole environment, nothing is inherited.
    pub(crate) environment: Vec<(String, String)>,
    /// Working directory: the sandbox.
    pub(crate) directory: PathBuf,
    /// Who the container runs as; as the agent itself when unset.
    pub(crate) user: Option<Credentials>,
    /// Files by which the container enters its cgroups before anything of it runs, by writing `0`.
    #[serde(default)]
    pub(crate) cgroups: Vec<PathBuf>,
    /// All of its processes as the kernel counts them, if it does.
    #[serde(default)]
    pub(crate) tree: Option<Tree>,
    /// Whether it has process ids of its own, and a first process that ends all others with it.
    #[serde(default)]
    pub(crate) has_own_pids: bool,
    /// How soon the kernel kills it when the machine has no memory left (`oom_score_adj`); as the shim
    /// when unset.
    #[serde(default)]
    pub(crate) oom_score: Option<i32>,
    /// Resource limits, in the order given.
    pub(crate) limits: Vec<Limit>,
    /// The container is killed, and its exit marked so, when it runs for longer.
    pub(crate) max_completion_ms: Option<u64>,
    /// Grace of a kill that the shim decides on by itself.
    pub(crate) grace_ms: u64,
}

/// Numeric identity of a user, as the kernel wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) user: u32,
    pub(crate) group: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// One resource limit by its Linux number (`RLIMIT_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    pub(crate) resource: u32,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Exit {
    /// Raw wait status of the container's first process; unset if it never ran or was lost.
    pub(crate) status: Option<i32>,
    /// What ended it, if it did not end by itself.
    pub(crate) killed: Option<Killed>,
    /// Why it could not be run, or how it was lost.
    pub(crate) failure: Option<String>,
    /// What it used too much of. The shim does not know: the agent finds out.
    #[serde(skip)]
    pub(crate) limitation: Option<Limitation>,
}

/// Why a container was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Killed {
    /// The agent ordered it.
    Ordered,
    /// It ran for longer than `max_completion_ms`.
    MaxCompletionTime,
    /// The machine was restarted.
    Reboot,
}

/// What the agent tells a running shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// SIGTERM to every process, SIGKILL when the grace is over. Repeating it never lengthens the
    /// grace; a shorter one counts from the first kill (semantics 262).
    Kill { grace_ms: u64 },
}

/// Files of one container's runtime directory.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeDirectory(pub(crate) PathBuf);

impl RuntimeDirectory {
    pub(crate) fn spec(&self) -> PathBuf {
        self.0.join("spec")
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.0.join("control")
    }

    /// Takes the right to decide about this container, for a shim that runs it or an agent that
    /// gives it up. False when somebody else has it already.
    pub(crate) fn claim(&self, claimant: &Process) -> io::Result<bool> {
        // The content is complete before the name exists, so that a reader never sees half a claim.
        let draft = self.0.join(format!("claim.{}", claimant.pid));
        write_file(&draft, &serde_json::to_vec(claimant)?, Durability::Volatile)?;
        let linked = fs::hard_link(&draft, self.0.join("claim"));
        fs::remove_file(&draft)?;
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn claimant(&self) -> io::Result<Option<Process>> {
        read(&self.0.join("claim"))
    }

    pub(crate) fn record_started(&self, process: &Process) -> io::Result<()> {
        replace(&self.0.join("started"), process, Durability::Volatile)
    }

    pub(crate) fn started(&self) -> io::Result<Option<Process>> {
        read(&self.0.join("started"))
    }

    /// Writes how the container ended; on return it survives a power cut.
    pub(crate) fn record_exit(&self, exit: &Exit) -> io::Result<()> {
        replace(&self.0.join("exit"), exit, Durability::Durable)
    }

    pub(crate) fn exit(&self) -> io::Result<Option<Exit>> {
        read(&self.0.join("exit"))
    }

    pub(crate) fn write_spec(&self, spec: &Spec) -> io::Result<()> {
        replace(&self.spec(), spec, Durability::Volatile)
    }

    pub(crate) fn read_spec(&self) -> io::Result<Spec> {
        read(&self.spec())?.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no spec file"))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Durability {
    /// Survives the death of any process, not of the machine (after which no container runs
    /// anyway).
    Volatile,
    Durable,
}

fn replace<T: Serialize>(path: &Path, value: &T, durability: Durability) -> io::Result<()> {
    let draft = path.with_extension("draft");
    write_file(&draft, &serde_json::to_vec(value)?, durability)?;
    fs::rename(&draft, path)?;
    if let (Durability::Durable, Some(parent)) = (durability, path.parent()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn write_file(path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    if durability == Durability::Durable {
        file.sync_all()?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, RuntimeDirectory) {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let directory = RuntimeDirectory(temporary.path().to_owned());
        (temporary, directory)
    }

    #[test]
    fn a_container_is_claimed_once() {
        let (_temporary, directory) = directory();
        let first = Process { pid: 10, start_time_ticks: 1 };
        let second = Process { pid: 11, start_time_ticks: 2 };
        assert!(directory.claim(&first).expect("claim"));
        assert!(!directory.claim(&second).expect("claim"));
        assert_eq!(directory.claimant().expect("read"), Some(first));
    }

    #[test]
    fn an_exit_is_read_back() {
        let (_temporary, directory) = directory();
        assert_eq!(directory.exit().expect("read"), None);
        let exit = Exit { status: Some(256), killed: Some(Killed::Ordered), ..Exit::default() };
        directory.record_exit(&exit).expect("write");
        assert_eq!(directory.exit().expect("read"), Some(exit));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_an_absence() {
        let (temporary, directory) = directory();
        fs::write(temporary.path().join("exit"), b"{\"status\":").expect("write");
        assert!(directory.exit().is_err());
    }
}
