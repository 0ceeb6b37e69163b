//! The plain launcher: a shim per container, found again by its runtime directory after a restart
//! of the agent.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, mkfifo};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;

use super::{LaunchError, Launcher};
use crate::kernel;
use crate::shim::process::{self, Process};
use crate::shim::spec::{Exit, Order, RuntimeDirectory, Spec};

/// Shims that are started at the same time. More would only wait for the processors.
const LAUNCHES: usize = 16;

/// Starts each container under a shim of its own.
#[derive(Debug)]
pub(crate) struct ShimLauncher {
    executable: PathBuf,
    runtime_dir: PathBuf,
    launches: Arc<Semaphore>,
}

impl ShimLauncher {
    /// `executable` is run as `<executable> shim <runtime directory of the container>`.
    pub(crate) fn new(executable: PathBuf, runtime_dir: PathBuf) -> Self {
        Self { executable, runtime_dir, launches: Arc::new(Semaphore::new(LAUNCHES)) }
    }

    pub(crate) fn directory(&self, container_id: &str) -> RuntimeDirectory {
        RuntimeDirectory(self.runtime_dir.join(container_id))
    }
}

impl Launcher for ShimLauncher {
    fn launch(
        &self,
        container_id: &str,
        spec: Spec,
    ) -> BoxFuture<'static, Result<Process, LaunchError>> {
        let directory = self.directory(container_id);
        let executable = self.executable.clone();
        let launches = Arc::clone(&self.launches);
        async move {
            let _permit = launches
                .acquire_owned()
                .await
                .map_err(|error| LaunchError::Shim(io::Error::other(error)))?;
            let prepared = directory.clone();
            let started = tokio::task::spawn_blocking(move || {
                prepare(&prepared, &spec)?;
                start(&executable, &prepared.0)
            });
            let answer = match started.await {
                Ok(answer) => answer.map_err(LaunchError::Shim)?,
                Err(error) => return Err(LaunchError::Shim(io::Error::other(error))),
            };
            wait_for_answer(answer).await.map_err(LaunchError::Shim)?;
            outcome(&directory)
        }
        .boxed()
    }

    fn wait(&self, container_id: &str) -> BoxFuture<'static, Exit> {
        let directory = self.directory(container_id);
        async move {
            let claimant = directory.claimant().ok().flatten();
            if let Some(shim) = claimant {
                wait_for_end(shim).await;
            }
            read_exit(&directory)
        }
        .boxed()
    }

    fn kill(&self, container_id: &str, grace: Duration) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = send(&self.directory(container_id), Order::Kill { grace_ms }) {
            // No reader: the shim has ended, and its end is about to be told.
            tracing::debug!(container_id, %error, "the shim takes no orders");
        }
    }

    fn processes(&self, container_id: &str) -> Vec<i32> {
        let claimant = self.directory(container_id).claimant().ok().flatten();
        let Some(shim) = claimant.filter(Process::is_alive) else { return Vec::new() };
        let mut processes = vec![shim.pid];
        processes.extend(process::descendants(shim.pid));
        processes
    }

    fn remove(&self, container_id: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.directory(container_id).0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn prepare(directory: &RuntimeDirectory, spec: &Spec) -> io::Result<()> {
    // Closed to everybody else: the environment may hold secrets, and orders kill.
    DirBuilder::new().recursive(true).mode(0o700).create(&directory.0)?;
    match mkfifo(&directory.control(), Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(nix::Error::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    directory.write_spec(spec)
}

/// Starts a shim; it answers on the returned pipe once its container runs or has failed to.
///
/// The standard library starts it with `posix_spawn`, so that the agent's memory is not copied,
/// since nothing is to be done between fork and exec.
fn start(executable: &Path, directory: &Path) -> io::Result<ChildStdout> {
    let mut child = Command::new(executable)
        .arg("shim")
        .arg(directory)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    child.stdout.take().ok_or_else(|| io::Error::other("the shim has no standard output"))
}

async fn wait_for_answer(answer: ChildStdout) -> io::Result<()> {
    let mut answer = tokio::process::ChildStdout::from_std(answer)?;
    // One byte or the end of a shim that died: the directory says which.
    answer.read(&mut [0]).await.map(drop)
}

fn outcome(directory: &RuntimeDirectory) -> Result<Process, LaunchError> {
    if let Some(process) = directory.started().map_err(LaunchError::Shim)? {
        return Ok(process);
    }
    let exit = directory.exit().map_err(LaunchError::Shim)?;
    let failure = exit.and_then(|exit| exit.failure);
    Err(LaunchError::Program(
        failure.unwrap_or_else(|| "the shim died before its container ran".to_owned()),
    ))
}

/// Waits for the end of a process, and reaps it if it is a child of ours.
async fn wait_for_end(process: Process) {
    let Ok(end) = kernel::watch_process(process.pid) else { return };
    // Only now is it sure that the descriptor is not of a later process with the same pid.
    if Process::find(process.pid) != Some(process) {
        return;
    }
    // It fails only when the runtime goes down, and the agent with it.
    let _ = end.readable().await;
    let _ = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
}

fn read_exit(directory: &RuntimeDirectory) -> Exit {
    let failure = match directory.exit() {
        Ok(Some(exit)) => return exit,
        Ok(None) => {
            "the container's shim died, and nobody knows how the container ended".to_owned()
        }
        Err(error) => format!("the container's exit status cannot be read: {error}"),
    };
    end_orphans(directory);
    Exit { failure: Some(failure), ..Exit::default() }
}

/// Kills what a shim that was itself killed has left: its container's cgroup, and its session.
pub(crate) fn end_orphans(directory: &RuntimeDirectory) {
    if let Ok(Spec { tree: Some(tree), .. }) = directory.read_spec() {
        tree.end();
    }
    let Ok(Some(first)) = directory.started() else { return };
    let Ok(processes) = process::all() else { return };
    for stat in processes.values() {
        // The session has the first process's pid; what started before that process is of another
        // session that had the number earlier.
        let is_of_session =
            stat.session == first.pid && stat.process.start_time_ticks >= first.start_time_ticks;
        if is_of_session {
            let _ = kill(Pid::from_raw(stat.process.pid), Signal::SIGKILL);
        }
    }
}

fn send(directory: &RuntimeDirectory, order: Order) -> io::Result<()> {
    // Without O_NONBLOCK this would wait for ever for a shim that has ended.
    let mut control =
        OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(directory.control())?;
    let mut line = serde_json::to_vec(&order)?;
    line.push(b'\n');
    control.write_all(&line)
}
