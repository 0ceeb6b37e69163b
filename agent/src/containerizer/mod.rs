//! Containers: what they are made from, and the traits behind which they are made.
//!
//! ```text
//!  launch ──▶ sandbox ──▶ isolators prepare ──▶ fetcher ──▶ launcher starts the shim ──▶ isolators isolate
//!  wait   ◀── exit, or a limit that an isolator watches
//!  remove ──▶ isolators clean up ──▶ runtime directory gone
//! ```
//!
//! The agent may die between any two of these steps, so each can be repeated.

pub(crate) mod cgroups;
pub(crate) mod container_id;
pub(crate) mod disk;
mod du;
pub(crate) mod environment;
pub(crate) mod isolation;
pub(crate) mod launcher;
pub(crate) mod mesos;
pub(crate) mod own_pids;
pub(crate) mod recover;
pub(crate) mod rlimits;
pub(crate) mod sandbox;
pub(crate) mod sandbox_paths;
pub(crate) mod share;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod volumes;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::v1;

use self::share::Share;
use crate::checks::Context;
use crate::fetcher::FetchError;
use crate::shim::process::Process;
use crate::shim::spec::{Exit, Spec};

/// Everything a container is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) sandbox: PathBuf,
    /// What it lives in, if it is a task's beside others of a default executor.
    pub(crate) parent: Option<Parent>,
    pub(crate) command: v1::CommandInfo,
    pub(crate) info: Option<v1::ContainerInfo>,
    /// Name of the user it is to run as.
    pub(crate) user: String,
    /// Of the executor and its tasks together, or a task's own if it has a parent.
    pub(crate) share: Share,
    /// What the agent tells the container; the command's own environment comes on top.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) max_completion: Option<Duration>,
    /// Grace of a kill that nobody ordered (`max_completion` is over).
    pub(crate) grace: Duration,
}

impl Container {
    /// Whether the limits of what it lives in hold for it, and none of its own.
    pub(crate) fn shares_cgroups(&self) -> bool {
        let linux = self.info.as_ref().and_then(|info| info.linux_info.as_ref());
        self.parent.is_some() && linux.is_none_or(v1::LinuxInfo::share_cgroups)
    }
}

/// The sandbox of a default executor, in which its tasks' containers live. No process of it runs there.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) sandbox: PathBuf,
    /// Name of the user whom its output files belong to.
    pub(crate) user: String,
    /// The executor's own.
    pub(crate) resources: Vec<v1::Resource>,
    /// The task for which this container is made.
    pub(crate) task_id: String,
}

/// A container used more than it may, and was ended for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limitation {
    pub(crate) resource: Limited,
    pub(crate) limit_mb: u64,
    /// The numbers, for people.
    pub(crate) message: String,
}

/// What there can be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Memory,
    Disk,
}

/// Why a container could not be launched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// It was killed before anything of it ran.
    #[error("the container was killed while it was being launched")]
    Cancelled,
    #[error("cannot make the sandbox")]
    Sandbox(#[source] std::io::Error),
    #[error("cannot fetch the URIs")]
    Fetch(#[from] FetchError),
    #[error("the isolator {isolator} refuses the container")]
    Isolate { isolator: &'static str, source: IsolateError },
    #[error("cannot start the container's shim")]
    Shim(#[source] std::io::Error),
    /// The shim says why; the text is for people.
    #[error("{0}")]
    Program(String),
}

/// Why an isolator cannot do its part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IsolateError {
    #[error("{0}")]
    Refused(String),
    #[error("{doing}")]
    Io { doing: String, source: std::io::Error },
}

/// What makes containers, runs them and ends them.
pub(crate) trait Containerizer: fmt::Debug + Send + Sync {
    /// Makes and starts a container; its first process, once that runs.
    fn launch(&self, container: Container) -> BoxFuture<'static, Result<Process, LaunchError>>;
    /// Waits for the end of a container that runs, whoever launched it.
    fn wait(&self, container_id: &str) -> BoxFuture<'static, Exit>;
    /// Ends a container: SIGTERM, and SIGKILL after the grace. One that is being launched is not
    /// started.
    fn kill(&self, container_id: &str, grace: Duration);
    /// What is needed to run a check beside the container; nothing if its user is unknown.
    fn context(&self, container: &Container) -> Option<Context>;
    /// An executor that has no process of its own is to have this for its tasks' containers, which
    /// are launched after.
    fn share(&self, container_id: &str, share: &Share);
    /// The container's resources have changed.
    fn update(&self, container_id: &str, share: &Share);
    /// What the container uses now.
    fn usage(&self, container_id: &str) -> v1::ResourceStatistics;
    /// Forgets a container that has ended, and removes what it leaves but its sandbox.
    fn remove(&self, container_id: &str);
    /// Whether containers get no more processors and memory than their limits.
    fn holds_limits(&self) -> bool;
    /// Totals since the agent started, for metrics.
    fn counts(&self) -> Counts;
}

/// See [`Containerizer::counts`].
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Containers whose URIs were fetched.
    pub(crate) fetches_succeeded: u64,
    pub(crate) fetches_failed: u64,
    /// Containers of which something could not be removed.
    pub(crate) destroy_errors: u64,
}

/// What starts a container's processes and keeps them together.
pub(crate) trait Launcher: fmt::Debug + Send + Sync {
    /// Starts the container; its first process, once that runs.
    fn launch(
        &self,
        container_id: &str,
        spec: Spec,
    ) -> BoxFuture<'static, Result<Process, LaunchError>>;
    /// Waits for the container's end.
    fn wait(&self, container_id: &str) -> BoxFuture<'static, Exit>;
    /// SIGTERM to all of its processes, SIGKILL after the grace, even if the agent dies meanwhile.
    fn kill(&self, container_id: &str, grace: Duration);
    /// Its processes.
    fn processes(&self, container_id: &str) -> Vec<i32>;
    /// Removes what is left of a container that has ended.
    fn remove(&self, container_id: &str) -> std::io::Result<()>;
}

/// What holds a container to one promise. Every method may be called again after the agent was
/// restarted, and must then lead to the same end.
pub(crate) trait Isolator: fmt::Debug + Send + Sync {
    /// Its name in logs and errors.
    fn name(&self) -> &'static str;

    /// Before anything runs: makes what the container needs, and changes what will be run.
    fn prepare(&self, _container: &Container, _spec: &mut Spec) -> Result<(), IsolateError> {
        Ok(())
    }

    /// The container's first process has started.
    fn isolate(&self, _container_id: &str, _process: Process) -> Result<(), IsolateError> {
        Ok(())
    }

    /// Waits until the container oversteps a limit, and says which. The container is then killed.
    fn watch(&self, _container_id: &str) -> Option<BoxFuture<'static, Limitation>> {
        None
    }

    /// The container has ended: says which limit it overstepped before, whoever watched it.
    fn overstepped(&self, _container_id: &str) -> Option<Limitation> {
        None
    }

    /// Makes what several containers share that live in this one, which has no process of its own.
    fn share(&self, _container_id: &str, _share: &Share) -> Result<(), IsolateError> {
        Ok(())
    }

    /// The container's resources have changed.
    fn update(&self, _container_id: &str, _share: &Share) -> Result<(), IsolateError> {
        Ok(())
    }

    /// Adds what it knows of the container's use.
    fn usage(
        &self,
        _container_id: &str,
        _processes: &[i32],
        _statistics: &mut v1::ResourceStatistics,
    ) {
    }

    /// The container has ended: undoes `prepare` and `isolate`.
    fn cleanup(&self, _container_id: &str) -> Result<(), IsolateError> {
        Ok(())
    }
}

/// An error with its causes, as people read it in a task's status.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
