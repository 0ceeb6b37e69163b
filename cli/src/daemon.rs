//! Runs a master or an agent until it is told to end.

use std::process::ExitCode;

use clap::Args;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

use crate::interrupt::Interrupts;

/// Ties a process to the one that started it.
#[derive(Debug, Args)]
pub(crate) struct Lifeline {
    /// Die as soon as this process dies, which must be the parent
    #[arg(long, hide = true, value_name = "PID")]
    parent_pid: Option<i32>,
}

/// Flag that makes a process die with its parent.
pub(crate) const PARENT_PID: &str = "--parent-pid";

impl Lifeline {
    /// To be called before anything else is done.
    fn hold(&self) -> anyhow::Result<()> {
        let Some(parent) = self.parent_pid else {
            return Ok(());
        };
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // It may have died before the kernel was told.
        let is_parent = getppid() == Pid::from_raw(parent);
        anyhow::ensure!(is_parent, "process {parent} is not the parent of this one");
        Ok(())
    }
}

/// Runs `work`, which is handed a future that comes with SIGTERM or Ctrl-C.
pub(crate) fn run<W, E>(
    lifeline: &Lifeline,
    work: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> W,
) -> anyhow::Result<ExitCode>
where
    W: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    lifeline.hold()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupts = Interrupts::new()?;
        let shutdown = async move {
            interrupts.next().await;
        };
        work(Box::pin(shutdown)).await?;
        Ok(ExitCode::SUCCESS)
    })
}
