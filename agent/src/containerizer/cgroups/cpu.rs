//! Isolator `cgroups/cpu`: processors are shared out in proportion to what was asked for, and limited
//! where a limit is wanted.

use std::path::Path;
use std::sync::Arc;

use cgroups_rs::cpu::CpuController;
use protocol::v1;

use super::{not_set, prepare};
use crate::cgroups::files::{self, Numbers};
use crate::cgroups::{Cgroups, Subsystem};
use crate::containerizer::share::Share;
use crate::containerizer::usage::scalar;
use crate::containerizer::{Container, IsolateError, Isolator};
use crate::shim::spec::Spec;

/// Weight of one processor that was asked for.
const SHARES: f64 = 1024.0;
/// Weight of one processor that may be taken back.
const REVOCABLE_SHARES: f64 = 10.0;
/// Least weight that the kernel takes in v1.
const LEAST_SHARES: f64 = 2.0;
/// The same in v2, where a group that says nothing has 100.
const UNIFIED_SHARES: f64 = 100.0;
const REVOCABLE_UNIFIED_SHARES: f64 = 1.0;
const UNIFIED_BOUNDS: (f64, f64) = (1.0, 10_000.0);
/// Time over which a limit counts, in microseconds: what the kernel has when it is told nothing.
const PERIOD_US: f64 = 100_000.0;
/// Least quota that the kernel takes, in microseconds.
const LEAST_QUOTA_US: f64 = 1_000.0;
const MICROSECONDS: f64 = 1e6;
const NANOSECONDS: f64 = 1e9;

/// See the module.
#[derive(Debug)]
pub(crate) struct Cpu {
    cgroups: Arc<Cgroups>,
    /// Whether what was asked for is a limit too, if none was named.
    limits_requests: bool,
}

impl Cpu {
    pub(crate) fn new(cgroups: Arc<Cgroups>, limits_requests: bool) -> Self {
        Self { cgroups, limits_requests }
    }

    fn apply(&self, directory: &Path, share: &Share) -> Result<(), IsolateError> {
        let is_unified = self.cgroups.is_unified();
        let controller = CpuController::new(directory.to_owned(), is_unified);
        let failed = not_set(directory);
        controller.set_shares(weight(&share.resources, is_unified)).map_err(&failed)?;
        let limit = share.limits.cpus.or(self.limits_requests.then(|| share.cpus()));
        controller.set_cfs_quota(quota_us(limit)).map_err(&failed)
    }
}

impl Isolator for Cpu {
    fn name(&self) -> &'static str {
        "cgroups/cpu"
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        prepare(&self.cgroups, Subsystem::Cpuacct, container, spec)?;
        match prepare(&self.cgroups, Subsystem::Cpu, container, spec)? {
            Some(directory) => self.apply(&directory, &container.share),
            None => Ok(()),
        }
    }

    fn share(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        let directory = self.cgroups.directory(Subsystem::Cpu, container_id);
        let made = self.cgroups.make(Subsystem::Cpu, container_id);
        made.map_err(super::failed(&directory))?;
        self.apply(&directory, share)
    }

    fn update(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        match self.cgroups.own(Subsystem::Cpu, container_id) {
            Some(directory) => self.apply(&directory, share),
            None => Ok(()),
        }
    }

    fn usage(&self, container_id: &str, _: &[i32], statistics: &mut v1::ResourceStatistics) {
        if let Some(directory) = self.cgroups.own(Subsystem::Cpu, container_id) {
            read_throttling(&directory, self.cgroups.is_unified(), statistics);
        }
        if let Some(directory) = self.cgroups.own(Subsystem::Cpuacct, container_id) {
            read_times(&directory, self.cgroups.is_unified(), statistics);
        }
    }
}

fn read_times(directory: &Path, is_unified: bool, statistics: &mut v1::ResourceStatistics) {
    let (user, system) = if is_unified {
        let Some(stat) = Numbers::read(directory, "cpu.stat") else { return };
        let seconds = |name| stat.get(name).map(|time| time as f64 / MICROSECONDS);
        (seconds("user_usec"), seconds("system_usec"))
    } else {
        let seconds = |file| files::number(directory, file).map(|time| time as f64 / NANOSECONDS);
        (seconds("cpuacct.usage_user"), seconds("cpuacct.usage_sys"))
    };
    statistics.cpus_user_time_secs = user.or(statistics.cpus_user_time_secs);
    statistics.cpus_system_time_secs = system.or(statistics.cpus_system_time_secs);
}

fn read_throttling(directory: &Path, is_unified: bool, statistics: &mut v1::ResourceStatistics) {
    let Some(stat) = Numbers::read(directory, "cpu.stat") else { return };
    let count = |name| stat.get(name).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    statistics.cpus_nr_periods = count("nr_periods");
    statistics.cpus_nr_throttled = count("nr_throttled");
    let throttled = if is_unified {
        stat.get("throttled_usec").map(|time| time as f64 / MICROSECONDS)
    } else {
        stat.get("throttled_time").map(|time| time as f64 / NANOSECONDS)
    };
    statistics.cpus_throttled_time_secs = throttled;
    let quota = CpuController::new(directory.to_owned(), is_unified).cfs_quota();
    let limit = quota.ok().filter(|quota| *quota > 0).map(|quota| quota as f64 / PERIOD_US);
    statistics.cpus_limit = limit;
}

/// What the resources weigh against those of others.
fn weight(resources: &[v1::Resource], is_unified: bool) -> u64 {
    let (revocable, firm): (Vec<_>, Vec<_>) =
        resources.iter().cloned().partition(|resource| resource.revocable.is_some());
    let (each, each_revocable, least, most) = if is_unified {
        (UNIFIED_SHARES, REVOCABLE_UNIFIED_SHARES, UNIFIED_BOUNDS.0, UNIFIED_BOUNDS.1)
    } else {
        (SHARES, REVOCABLE_SHARES, LEAST_SHARES, f64::MAX)
    };
    let weight = scalar(&firm, "cpus") * each + scalar(&revocable, "cpus") * each_revocable;
    weight.clamp(least, most) as u64
}

/// Time in a period that a group may use; -1 for any.
fn quota_us(limit: Option<f64>) -> i64 {
    match limit {
        Some(limit) if limit.is_finite() => (limit * PERIOD_US).max(LEAST_QUOTA_US) as i64,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cpus: f64, is_revocable: bool, expected: (u64, u64)) {
        let revocable = is_revocable.then(v1::resource::RevocableInfo::default);
        let cpus = v1::Resource { revocable, ..v1::Resource::scalar("cpus", cpus) };
        let weights =
            [false, true].map(|is_unified| weight(std::slice::from_ref(&cpus), is_unified));
        assert_eq!((weights[0], weights[1]), expected);
    }

    #[test]
    fn processors_weigh_what_they_weigh_in_mesos() {
        check(1.0, false, (1024, 100));
        check(0.1, false, (102, 10));
        check(0.0, false, (2, 1));
        check(8.0, true, (80, 8));
        check(1000.0, false, (1_024_000, 10_000));
    }

    #[test]
    fn limits_are_quotas() {
        assert_eq!(quota_us(Some(0.5)), 50_000);
        assert_eq!(quota_us(Some(0.001)), 1_000, "the least that the kernel takes");
        assert_eq!((quota_us(None), quota_us(Some(f64::INFINITY))), (-1, -1));
    }
}
