//! Isolator `cgroups/pids`: how many processes and threads a container may have at once. A fork bomb
//! gets no further.

use std::path::Path;
use std::sync::Arc;

use cgroups_rs::MaxValue;
use cgroups_rs::pid::PidController;
use protocol::v1;

use super::{not_set, prepare};
use crate::cgroups::{Cgroups, Subsystem, files};
use crate::containerizer::share::Share;
use crate::containerizer::usage::scalar;
use crate::containerizer::{Container, IsolateError, Isolator};
use crate::shim::spec::Spec;

/// The resource by which tasks ask for a number of their own, on agents that offer it.
const RESOURCE: &str = "pids";

/// See the module.
#[derive(Debug)]
pub(crate) struct Pids {
    cgroups: Arc<Cgroups>,
    /// For containers that did not ask for a number of their own.
    most: u32,
}

impl Pids {
    pub(crate) fn new(cgroups: Arc<Cgroups>, most: u32) -> Self {
        Self { cgroups, most }
    }

    fn apply(&self, directory: &Path, share: &Share) -> Result<(), IsolateError> {
        let asked = scalar(&share.resources, RESOURCE);
        let most = if asked > 0.0 { asked as i64 } else { i64::from(self.most) };
        PidController::new(directory.to_owned(), self.cgroups.is_unified())
            .set_pid_max(MaxValue::Value(most))
            .map_err(not_set(directory))
    }
}

impl Isolator for Pids {
    fn name(&self) -> &'static str {
        "cgroups/pids"
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        match prepare(&self.cgroups, Subsystem::Pids, container, spec)? {
            Some(directory) => self.apply(&directory, &container.share),
            None => Ok(()),
        }
    }

    fn share(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        let directory = self.cgroups.directory(Subsystem::Pids, container_id);
        let made = self.cgroups.make(Subsystem::Pids, container_id);
        made.map_err(super::failed(&directory))?;
        self.apply(&directory, share)
    }

    fn update(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        match self.cgroups.own(Subsystem::Pids, container_id) {
            Some(directory) => self.apply(&directory, share),
            None => Ok(()),
        }
    }

    fn usage(&self, container_id: &str, _: &[i32], statistics: &mut v1::ResourceStatistics) {
        let Some(directory) = self.cgroups.own(Subsystem::Pids, container_id) else { return };
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(threads) = files::number(&directory, "pids.current") {
            statistics.threads = Some(count(threads));
        }
        if let Ok(processes) = files::processes(&directory) {
            statistics.processes = Some(count(processes.len() as u64));
        }
    }
}
