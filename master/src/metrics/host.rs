//! The machine that the master is on.

use std::path::Path;

use super::name::Metrics;

/// Load and memory of the machine, where the kernel tells.
pub(super) fn add(metrics: &mut Metrics) {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    metrics.gauge("system/cpus_total", cpus as f64);
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut loads = loads.split(' ').map(|load| load.parse().unwrap_or(0.0));
    for name in ["1min", "5min", "15min"] {
        metrics.gauge(format!("system/load_{name}"), loads.next().unwrap_or(0.0));
    }
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for (key, name) in [("MemTotal:", "mem_total_bytes"), ("MemFree:", "mem_free_bytes")] {
        let line = memory.lines().find_map(|line| line.strip_prefix(key));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        metrics.gauge(format!("system/{name}"), kilobytes.unwrap_or(0.0) * 1024.0);
    }
}

/// Bytes of all files in a directory and below; what cannot be read counts as nothing.
pub(super) fn directory_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => directory_bytes(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
