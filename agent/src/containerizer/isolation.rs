//! Which isolators an agent works with: those that its operator names, or else those that this
//! machine can have.

use std::fmt::Display;
use std::sync::Arc;

use super::Isolator;
use super::cgroups::Trees;
use super::cgroups::cpu::Cpu;
use super::cgroups::memory::Memory;
use super::cgroups::pids::Pids;
use super::disk::Disk;
use super::own_pids::OwnPids;
use super::rlimits::ResourceLimits;
use super::sandbox_paths::SandboxPaths;
use super::usage::ProcessUsage;
use super::user::SwitchUser;
use super::volumes::PersistentVolumes;
use crate::cgroups::{Cgroups, Subsystem};
use crate::config::Config;
use crate::config::isolation::{LauncherKind, Optional};

/// Something that was asked for cannot be had here.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be had on this machine: {why}")]
pub struct IsolationError {
    /// The flag with its value.
    what: String,
    /// What is missing.
    why: String,
}

/// What an agent's containers are made with.
#[derive(Debug)]
pub(crate) struct Isolation {
    /// In the order in which they act.
    pub(crate) isolators: Vec<Box<dyn Isolator>>,
    /// Whether processors and memory of containers are limited.
    pub(crate) holds_limits: bool,
    /// Whether containers can have process ids of their own.
    pub(crate) has_own_pids: bool,
}

impl Isolation {
    /// Makes what the flags ask for. What is missing is an error if it was named, and a warning if it
    /// was not.
    pub(crate) fn choose(
        config: &Config,
        cgroups: &Result<Arc<Cgroups>, String>,
    ) -> Result<Self, IsolationError> {
        let mut isolators: Vec<Box<dyn Isolator>> = vec![
            Box::new(SwitchUser::new(config.switch_user)),
            Box::new(ResourceLimits),
            Box::new(PersistentVolumes::new(&config.work_dir, config.switch_user)),
            Box::new(SandboxPaths::new(config.switch_user)),
            Box::new(ProcessUsage::new()),
        ];
        let keeps_together = keeps_together(config, cgroups)?;
        // First of those with cgroups: its own outlives the others' mistakes.
        if let Ok(cgroups) = cgroups {
            isolators.push(Box::new(Trees::new(Arc::clone(cgroups), keeps_together)));
        }
        let mut has = Vec::new();
        for kind in config.isolation.wanted() {
            let made = make(kind, config, cgroups);
            match made {
                Ok(isolator) => {
                    isolators.push(isolator);
                    has.push(kind);
                }
                Err(why) if config.isolation.is_named(kind) => {
                    return Err(IsolationError { what: format!("--isolation={kind}"), why });
                }
                Err(why) => warn(&kind, &why),
            }
        }
        let names: Vec<&str> = isolators.iter().map(|isolator| isolator.name()).collect();
        tracing::info!(isolators = names.join(","), "containers are isolated");
        let holds_limits = has.contains(&Optional::Cpu) && has.contains(&Optional::Memory);
        Ok(Self { isolators, holds_limits, has_own_pids: has.contains(&Optional::OwnPids) })
    }
}

fn warn(what: &dyn Display, why: &str) {
    tracing::warn!("{what} is off: {why}");
}

/// Whether the kernel is to keep a container's processes together.
fn keeps_together(
    config: &Config,
    cgroups: &Result<Arc<Cgroups>, String>,
) -> Result<bool, IsolationError> {
    if config.isolation.launcher == Some(LauncherKind::Posix) {
        return Ok(false);
    }
    let opened = cgroups.clone().and_then(|cgroups| cgroups.open(Subsystem::Freezer));
    match opened {
        Ok(()) => Ok(true),
        Err(why) if config.isolation.launcher == Some(LauncherKind::Linux) => {
            Err(IsolationError { what: "--launcher=linux".to_owned(), why })
        }
        Err(why) => {
            warn(&"--launcher=linux", &why);
            Ok(false)
        }
    }
}

fn make(
    kind: Optional,
    config: &Config,
    cgroups: &Result<Arc<Cgroups>, String>,
) -> Result<Box<dyn Isolator>, String> {
    let flags = &config.isolation;
    let cgroups = cgroups.clone();
    Ok(match kind {
        Optional::OwnPids => Box::new(OwnPids::new()?),
        Optional::Disk => Box::new(Disk::new(
            config.runtime_dir(),
            config.work_dir.clone(),
            flags.container_disk_watch_interval,
            flags.enforce_container_disk_quota,
        )),
        Optional::Cpu => {
            let cgroups = cgroups?;
            cgroups.open(Subsystem::Cpu)?;
            cgroups.open(Subsystem::Cpuacct)?;
            Box::new(Cpu::new(cgroups, flags.cgroups_enable_cfs))
        }
        Optional::Memory => {
            let cgroups = cgroups?;
            cgroups.open(Subsystem::Memory)?;
            let memory = Memory::new(cgroups, flags.cgroups_limit_swap);
            memory.check_swap()?;
            Box::new(memory)
        }
        Optional::Pids => {
            let cgroups = cgroups?;
            cgroups.open(Subsystem::Pids)?;
            Box::new(Pids::new(cgroups, flags.cgroups_pids_max))
        }
    })
}
