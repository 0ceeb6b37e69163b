//! Isolator `cgroups/mem`: a container cannot use more memory than it may, and one that tries is told
//! so, with the numbers.

use std::path::Path;
use std::sync::Arc;

use cgroups_rs::memory::MemController;
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::v1;

use super::{not_set, oom, prepare};
use crate::cgroups::files::{self, Numbers};
use crate::cgroups::{Cgroups, Subsystem};
use crate::containerizer::share::Share;
use crate::containerizer::{Container, IsolateError, Isolator, Limitation, Limited};
use crate::shim::spec::Spec;

const MEBIBYTE: u64 = 1 << 20;
/// Least memory that a container is held to: with less not even a shell starts.
const LEAST_MB: f64 = 32.0;
/// Scores by which the kernel chooses whom to kill when the machine has no memory left: 0 for nobody
/// in particular, 1000 for who goes first.
const FIRST_TO_GO: f64 = 1000.0;

/// See the module.
#[derive(Debug)]
pub(crate) struct Memory {
    cgroups: Arc<Cgroups>,
    /// Whether swap counts as memory.
    limits_swap: bool,
}

impl Memory {
    pub(crate) fn new(cgroups: Arc<Cgroups>, limits_swap: bool) -> Self {
        Self { cgroups, limits_swap }
    }

    /// What is missing for swap to be limited.
    pub(crate) fn check_swap(&self) -> Result<(), String> {
        let file = if self.cgroups.is_unified() {
            "memory.swap.max"
        } else {
            "memory.memsw.limit_in_bytes"
        };
        if self.limits_swap && !self.cgroups.top(Subsystem::Memory).join(file).exists() {
            return Err(format!("the kernel does not account for swap (no {file})"));
        }
        Ok(())
    }

    /// A limit is never lowered under a container that runs: what it has it would have to give back
    /// at once, or be killed.
    fn apply(&self, directory: &Path, share: &Share) -> Result<(), IsolateError> {
        let controller = MemController::new(directory.to_owned(), self.cgroups.is_unified());
        let failed = not_set(directory);
        controller.set_soft_limit(soft_limit(share)).map_err(&failed)?;
        let hard = hard_limit(share);
        let now = self.limit(directory);
        if now.is_some_and(|now| hard.is_some_and(|hard| hard <= now)) {
            return Ok(());
        }
        let hard = hard.map_or(-1, |hard| hard as i64);
        // memory and swap together may not be less than memory alone, at any moment
        let is_raised = now.is_some();
        let limit_swap = || {
            let limit = if self.cgroups.is_unified() { hard.min(0) } else { hard };
            controller.set_memswap_limit(limit)
        };
        if self.limits_swap && is_raised {
            limit_swap().map_err(&failed)?;
        }
        controller.set_limit(hard).map_err(&failed)?;
        if self.limits_swap && !is_raised {
            limit_swap().map_err(&failed)?;
        }
        Ok(())
    }

    /// The hard limit in force, in bytes; nothing where there is none.
    fn limit(&self, directory: &Path) -> Option<u64> {
        let file = if self.cgroups.is_unified() { "memory.max" } else { "memory.limit_in_bytes" };
        // v1 shows the largest number of whole pages where there is no limit
        files::number(directory, file).filter(|limit| *limit < i64::MAX as u64 / 2)
    }

    fn limitation(&self, directory: &Path) -> Limitation {
        let used =
            if self.cgroups.is_unified() { "memory.peak" } else { "memory.max_usage_in_bytes" };
        let limit_mb = self.limit(directory).unwrap_or_default() / MEBIBYTE;
        let used_mb = files::number(directory, used).map(|used| used.div_ceil(MEBIBYTE));
        let used = used_mb.map_or("an unknown amount".to_owned(), |used| format!("{used}MB"));
        let message =
            format!("Memory limit exceeded: Requested: {limit_mb}MB Maximum Used: {used}");
        Limitation { resource: Limited::Memory, limit_mb, message }
    }
}

impl Isolator for Memory {
    fn name(&self) -> &'static str {
        "cgroups/mem"
    }

    fn prepare(&self, container: &Container, spec: &mut Spec) -> Result<(), IsolateError> {
        spec.oom_score = oom_score(&container.share);
        match prepare(&self.cgroups, Subsystem::Memory, container, spec)? {
            Some(directory) => self.apply(&directory, &container.share),
            None => Ok(()),
        }
    }

    fn share(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        let directory = self.cgroups.directory(Subsystem::Memory, container_id);
        let made = self.cgroups.make(Subsystem::Memory, container_id);
        made.map_err(super::failed(&directory))?;
        self.apply(&directory, share)
    }

    fn update(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        match self.cgroups.own(Subsystem::Memory, container_id) {
            Some(directory) => self.apply(&directory, share),
            None => Ok(()),
        }
    }

    fn watch(&self, container_id: &str) -> Option<BoxFuture<'static, Limitation>> {
        let directory = self.cgroups.place(Subsystem::Memory, container_id)?;
        let this = Self { cgroups: Arc::clone(&self.cgroups), ..*self };
        let watched = async move {
            oom::killed(&directory, this.cgroups.is_unified()).await;
            this.limitation(&directory)
        };
        Some(watched.boxed())
    }

    fn overstepped(&self, container_id: &str) -> Option<Limitation> {
        let directory = self.cgroups.place(Subsystem::Memory, container_id)?;
        oom::has_killed(&directory, self.cgroups.is_unified()).then(|| self.limitation(&directory))
    }

    fn usage(&self, container_id: &str, _: &[i32], statistics: &mut v1::ResourceStatistics) {
        let Some(directory) = self.cgroups.own(Subsystem::Memory, container_id) else { return };
        statistics.mem_limit_bytes = self.limit(&directory);
        if self.cgroups.is_unified() {
            read_unified(&directory, statistics);
        } else {
            read_v1(&directory, statistics);
        }
    }
}

fn read_v1(directory: &Path, statistics: &mut v1::ResourceStatistics) {
    let number = |file| files::number(directory, file);
    statistics.mem_total_bytes = number("memory.usage_in_bytes");
    statistics.mem_total_memsw_bytes = number("memory.memsw.usage_in_bytes");
    statistics.mem_kmem_usage_bytes = number("memory.kmem.usage_in_bytes");
    statistics.mem_kmem_tcp_usage_bytes = number("memory.kmem.tcp.usage_in_bytes");
    statistics.mem_soft_limit_bytes = number("memory.soft_limit_in_bytes");
    let Some(stat) = Numbers::read(directory, "memory.stat") else { return };
    let cache = stat.get("total_cache");
    let rss = stat.get("total_rss");
    statistics.mem_cache_bytes = cache;
    statistics.mem_file_bytes = cache;
    statistics.mem_rss_bytes = rss.or(statistics.mem_rss_bytes);
    statistics.mem_anon_bytes = rss;
    statistics.mem_mapped_file_bytes = stat.get("total_mapped_file");
    statistics.mem_swap_bytes = stat.get("total_swap");
    statistics.mem_unevictable_bytes = stat.get("total_unevictable");
}

fn read_unified(directory: &Path, statistics: &mut v1::ResourceStatistics) {
    let number = |file| files::number(directory, file);
    statistics.mem_total_bytes = number("memory.current");
    statistics.mem_swap_bytes = number("memory.swap.current");
    statistics.mem_total_memsw_bytes =
        statistics.mem_total_bytes.map(|memory| memory + statistics.mem_swap_bytes.unwrap_or(0));
    statistics.mem_soft_limit_bytes = number("memory.low");
    let Some(stat) = Numbers::read(directory, "memory.stat") else { return };
    statistics.mem_kmem_usage_bytes = stat.get("kernel");
    statistics.mem_kmem_tcp_usage_bytes = stat.get("sock");
    statistics.mem_cache_bytes = stat.get("file");
    statistics.mem_file_bytes = stat.get("file");
    statistics.mem_anon_bytes = stat.get("anon");
    statistics.mem_rss_bytes = stat.get("anon").or(statistics.mem_rss_bytes);
    statistics.mem_mapped_file_bytes = stat.get("file_mapped");
    statistics.mem_unevictable_bytes = stat.get("unevictable");
}

fn bytes(megabytes: f64) -> i64 {
    (megabytes.max(LEAST_MB) * MEBIBYTE as f64) as i64
}

/// Below this the container is the last whose memory is taken when the machine runs short of it.
fn soft_limit(share: &Share) -> i64 {
    bytes(share.mem())
}

/// Beyond this there is none to be had, in bytes; nothing if there is no end.
fn hard_limit(share: &Share) -> Option<u64> {
    let limit = share.limits.mem.unwrap_or_else(|| share.mem());
    limit.is_finite().then(|| bytes(limit) as u64)
}

/// A container that may use more than it asked for goes before those that may not when the machine has
/// no memory left, and the sooner the less of the machine it asked for.
fn oom_score(share: &Share) -> Option<i32> {
    share.limits.mem.filter(|limit| *limit > share.mem())?;
    let pages = nix::unistd::sysconf(nix::unistd::SysconfVar::_PHYS_PAGES).ok().flatten()?;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten()?;
    let total_mb = (pages as f64) * (page as f64) / MEBIBYTE as f64;
    Some(score(share.mem(), total_mb))
}

fn score(asked_mb: f64, total_mb: f64) -> i32 {
    let share = FIRST_TO_GO * (1.0 - asked_mb / total_mb);
    // neither as safe as one that keeps to what it asked for, nor surely the first
    share.clamp(2.0, FIRST_TO_GO - 1.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containerizer::share::Limits;

    fn check(mem: f64, limit: Option<f64>, soft_mb: u64, hard_mb: Option<u64>) {
        let share = Share {
            resources: vec![v1::Resource::scalar("mem", mem)],
            limits: Limits { cpus: None, mem: limit },
        };
        assert_eq!(soft_limit(&share), (soft_mb * MEBIBYTE) as i64);
        assert_eq!(hard_limit(&share), hard_mb.map(|limit| limit * MEBIBYTE));
    }

    #[test]
    fn what_was_asked_for_is_the_limit_unless_another_was_named() {
        check(64.0, None, 64, Some(64));
        check(64.0, Some(128.0), 64, Some(128));
        check(64.0, Some(f64::INFINITY), 64, None);
        check(1.0, None, 32, Some(32));
        check(0.0, Some(1.0), 32, Some(32));
    }

    #[test]
    fn who_may_use_more_than_it_asked_for_goes_sooner() {
        assert_eq!(score(500.0, 1000.0), 500);
        assert_eq!((score(1000.0, 1000.0), score(0.0, 1000.0)), (2, 999));
        assert_eq!(oom_score(&Share::default()), None, "it keeps to what it asked for");
    }
}
