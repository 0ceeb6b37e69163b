//! Removes the sandboxes of ended containers: by age, and sooner when the disk fills (semantics
//! 275).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::statvfs;
use tokio::time::sleep;

use crate::config::Config;
use crate::containerizer::container_id;
use crate::containerizer::sandbox::LATEST;

/// What became of sandboxes, for metrics.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Those of ended containers that are not old enough to go.
    pub(crate) pending: AtomicU64,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// Looks at the disk from time to time, for as long as the agent runs.
pub(crate) async fn run(config: &Config, counts: Arc<Counts>) {
    loop {
        sleep(config.disk_watch_interval).await;
        let usage = disk_usage(&config.work_dir);
        let age = allowed_age(config.gc_delay, config.gc_disk_headroom, usage);
        let (sandboxes, running) = (config.work_dir.join("slaves"), config.runtime_dir());
        let counts = Arc::clone(&counts);
        let look = move || collect(&sandboxes, &running, age, &counts);
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "removed old sandboxes"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot remove old sandboxes"),
            Err(error) => tracing::error!(%error, "the removal of old sandboxes broke"),
        }
    }
}

/// How old the sandbox of an ended container may grow.
pub(crate) fn allowed_age(delay: Duration, headroom: f64, usage: f64) -> Duration {
    delay.mul_f64((1.0 - headroom - usage).max(0.0))
}

/// Share of the disk that is used; none if the disk does not say.
pub(crate) fn disk_usage(directory: &Path) -> f64 {
    let Ok(disk) = statvfs(directory) else { return 0.0 };
    let blocks = disk.blocks() as f64;
    if blocks > 0.0 { 1.0 - disk.blocks_available() as f64 / blocks } else { 0.0 }
}

/// Removes sandboxes older than `age` whose containers have no runtime directory; how many. One that
/// cannot be removed is tried again at the next look.
fn collect(sandboxes: &Path, running: &Path, age: Duration, counts: &Counts) -> io::Result<u64> {
    let (mut pending, mut count) = (0, 0);
    // slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>
    let found = descend(sandboxes, &["*", "frameworks", "*", "executors", "*", "runs"])?;
    let found = found.into_iter().map(|runs| Ok((entries(&runs)?, runs)));
    let found = found.collect::<io::Result<Vec<_>>>()?;
    // looked at last: a container begins after its sandbox
    let containers: Vec<String> = entries(running)?
        .iter()
        .filter_map(|directory| directory.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    for (sandboxes, runs) in found {
        for sandbox in sandboxes {
            let name = sandbox.file_name().unwrap_or_default();
            let is_over = name != LATEST && !runs_in(&containers, &name.to_string_lossy());
            if !is_over {
                continue;
            }
            if age_of(&sandbox).is_none_or(|old| old < age) {
                pending += 1;
            } else if let Err(error) = fs::remove_dir_all(&sandbox) {
                tracing::warn!(sandbox = %sandbox.display(), %error, "cannot remove");
                counts.failed.fetch_add(1, Ordering::Relaxed);
            } else {
                count += 1;
            }
        }
        remove_if_empty(&runs);
    }
    counts.pending.store(pending, Ordering::Relaxed);
    counts.succeeded.fetch_add(count, Ordering::Relaxed);
    Ok(count)
}

/// Whether a container, or one that lives in it, is among those that have a runtime directory.
fn runs_in(containers: &[String], name: &str) -> bool {
    containers.iter().any(|container| container_id::belongs(container, name))
}

/// Directories below `root` along a path in which `*` stands for every name.
fn descend(root: &Path, path: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut level = vec![root.to_owned()];
    for part in path {
        let mut next = Vec::new();
        for directory in level {
            if *part == "*" {
                next.extend(entries(&directory)?);
            } else {
                next.push(directory.join(part));
            }
        }
        level = next;
    }
    Ok(level)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Age of the last change in a sandbox's own directory or of its output.
fn age_of(sandbox: &Path) -> Option<Duration> {
    let files = [sandbox.to_owned(), sandbox.join("stdout"), sandbox.join("stderr")];
    let changed = files.iter().filter_map(|file| file.symlink_metadata().ok()?.modified().ok());
    SystemTime::now().duration_since(changed.max()?).ok()
}

/// An executor without any sandbox left needs no directories. One that gets a sandbox just now
/// keeps them, since only empty ones can be removed.
fn remove_if_empty(runs: &Path) {
    let latest = runs.join(LATEST);
    if entries(runs).is_ok_and(|left| left == [latest.clone()]) {
        let _ = fs::remove_file(latest).and_then(|()| fs::remove_dir(runs));
        let _ = runs.parent().map(fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_shortens_the_age() {
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!(allowed_age(week, 0.1, 0.0), week.mul_f64(0.9));
        assert_eq!(allowed_age(week, 0.1, 0.9), Duration::ZERO);
        assert_eq!(allowed_age(week, 0.1, 1.0), Duration::ZERO);
    }

    #[test]
    fn only_old_sandboxes_of_ended_containers_go() {
        let work = tempfile::tempdir().expect("a temporary directory");
        let runs = work.path().join("slaves/a/frameworks/f/executors/e/runs");
        let running = work.path().join("run");
        for directory in [runs.join("ended"), runs.join("running"), running.join("running")] {
            fs::create_dir_all(directory).expect("made");
        }
        std::os::unix::fs::symlink("running", runs.join(LATEST)).expect("linked");
        let sandboxes = work.path().join("slaves");
        let old = Duration::from_secs(3600);
        let counts = Counts::default();
        let collect = |age| collect(&sandboxes, &running, age, &counts).expect("collected");
        let pending = || counts.pending.load(Ordering::Relaxed);
        assert_eq!((collect(old), pending()), (0, 1), "one is over, and too young to go");
        assert_eq!((collect(Duration::ZERO), pending()), (1, 0));
        assert!(!runs.join("ended").exists() && runs.join("running").exists());
        fs::rename(running.join("running"), running.join("running.task")).expect("renamed");
        assert_eq!(collect(Duration::ZERO), 0, "a task of the executor still runs");
        fs::remove_dir(running.join("running.task")).expect("removed");
        assert_eq!(collect(Duration::ZERO), 1);
        assert!(!runs.exists(), "nothing is left of the executor");
        assert_eq!(counts.succeeded.load(Ordering::Relaxed), 2);
        assert_eq!(counts.failed.load(Ordering::Relaxed), 0);
    }
}
