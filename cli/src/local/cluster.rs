//! A running cluster: started, watched and ended.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::family::{Death, Family};
use super::plan::Plan;
use super::readiness::{self, NotReady};
use super::report::{Process, Report};
use crate::say::say;

/// Lines of a dead member's log that are shown.
const LOG_LINES: usize = 5;

/// A cluster's processes. They die with this process, and in order with [`Cluster::end`].
#[derive(Debug)]
pub(crate) struct Cluster {
    plan: Plan,
    family: Family,
    processes: Vec<Process>,
}

/// Why a cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// Signals or the directory cannot be had.
    #[error("preparing {0}")]
    Prepare(PathBuf, #[source] io::Error),
    /// A process cannot be started.
    #[error("starting {0}")]
    Start(String, #[source] io::Error),
    /// A process ended before the cluster served.
    #[error("{name} ended with {how}; the end of its log:\n{log}")]
    Died { name: String, how: String, log: String },
    /// It takes too long.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

impl Cluster {
    /// Starts every process of the plan. Waits for none.
    pub(crate) fn start(plan: Plan) -> Result<Self, ClusterError> {
        let prepare = |error| ClusterError::Prepare(plan.work_dir.clone(), error);
        fs::create_dir_all(&plan.work_dir).map_err(prepare)?;
        let mut family = Family::new().map_err(prepare)?;
        let mut processes = Vec::new();
        for member in &plan.members {
            let pid = family
                .start(member)
                .map_err(|error| ClusterError::Start(member.name.clone(), error))?;
            processes.push(Process::new(member, pid.as_raw()));
        }
        Ok(Self { plan, family, processes })
    }

    /// Returns once the cluster serves.
    pub(crate) async fn ready(&mut self) -> Result<Report, ClusterError> {
        let masters = self.plan.masters();
        tokio::select! {
            ready = readiness::wait(&masters, self.plan.agent_count()) => ready?,
            death = self.family.next_death() => return Err(self.died(death)),
        }
        Ok(Report::new(&self.plan.work_dir, self.processes.clone()))
    }

    /// Tells of every process that ends. To be awaited while the cluster is in use.
    pub(crate) async fn watch(&mut self) -> Infallible {
        loop {
            let Death { name, pid, how } = self.family.next_death().await;
            say(&format!("{name} (pid {pid}) ended with {how} and is not restarted"));
        }
    }

    /// Ends every process, tasks included.
    pub(crate) async fn end(self) {
        self.family.end().await;
    }

    fn died(&self, death: Death) -> ClusterError {
        let member = self.plan.members.iter().find(|member| member.name == death.name);
        ClusterError::Died {
            name: death.name,
            how: death.how,
            log: member.map(|member| tail(&member.log)).unwrap_or_default(),
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
