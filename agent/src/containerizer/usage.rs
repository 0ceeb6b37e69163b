//! Isolator that limits nothing and measures: CPU time and memory, from `/proc`.

use protocol::v1;

use super::Isolator;
use crate::shim::process;

/// Measures what the processes of a container use.
#[derive(Debug)]
pub(crate) struct ProcessUsage {
    ticks_per_second: f64,
    page_bytes: u64,
}

impl ProcessUsage {
    pub(crate) fn new() -> Self {
        use nix::unistd::{SysconfVar, sysconf};
        let read = |variable, default| sysconf(variable).ok().flatten().unwrap_or(default);
        Self {
            ticks_per_second: read(SysconfVar::CLK_TCK, 100) as f64,
            page_bytes: read(SysconfVar::PAGE_SIZE, 4096) as u64,
        }
    }
}

impl Isolator for ProcessUsage {
    fn name(&self) -> &'static str {
        "posix/cpu,posix/mem"
    }

    /// The first process is the shim: the time of its ended children counts, its own memory does
    /// not.
    fn usage(&self, _id: &str, processes: &[i32], statistics: &mut v1::ResourceStatistics) {
        let (mut user, mut system, mut pages, mut threads, mut count) = (0, 0, 0, 0, 0);
        for (place, stat) in processes.iter().filter_map(|pid| process::stat(*pid)).enumerate() {
            user += stat.user_ticks;
            system += stat.system_ticks;
            if place > 0 {
                pages += stat.resident_pages;
                threads += stat.threads;
                count += 1;
            }
        }
        statistics.processes = Some(count);
        statistics.threads = Some(threads);
        statistics.cpus_user_time_secs = Some(user as f64 / self.ticks_per_second);
        statistics.cpus_system_time_secs = Some(system as f64 / self.ticks_per_second);
        statistics.mem_rss_bytes = Some(pages * self.page_bytes);
    }
}

/// Sum of a scalar resource.
pub(crate) fn scalar(resources: &[v1::Resource], name: &str) -> f64 {
    let named = resources.iter().filter(|resource| resource.name == name);
    let values = named.filter_map(|resource| resource.scalar.as_ref().map(|scalar| scalar.value));
    // Summed in thousandths, as Mesos compares them (semantics 116).
    values.map(|value| (value * 1000.0).round()).sum::<f64>() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_uses_memory() {
        let mut statistics = v1::ResourceStatistics::default();
        let myself = std::process::id() as i32;
        ProcessUsage::new().usage("c", &[1, myself], &mut statistics);
        assert_eq!(statistics.processes, Some(1));
        assert!(statistics.threads.is_some_and(|threads| threads > 0));
        assert!(statistics.mem_rss_bytes.is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn scalars_add_in_thousandths() {
        let cpus = |value| v1::Resource {
            name: "cpus".to_owned(),
            scalar: Some(v1::value::Scalar { value }),
            ..Default::default()
        };
        assert!((scalar(&[cpus(0.1), cpus(0.2)], "cpus") - 0.3).abs() < f64::EPSILON);
        assert!(scalar(&[cpus(0.1)], "mem").abs() < f64::EPSILON);
    }
}
