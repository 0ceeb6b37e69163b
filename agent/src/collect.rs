//! Removes the sandboxes of ended containers: by age, and sooner when the disk fills (semantics
//! 275).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::statvfs;
use tokio::time::sleep;

use crate::config::Config;
use crate::containerizer::sandbox::LATEST;

/// Looks at the disk from time to time, for as long as the agent runs.
pub(crate) async fn run(config: &Config) {
    loop {
        sleep(config.disk_watch_interval).await;
        let usage = disk_usage(&config.work_dir);
        let age = allowed_age(config.gc_delay, config.gc_disk_headroom, usage);
        let (sandboxes, running) = (config.work_dir.join("slaves"), config.runtime_dir());
        let collected = tokio::task::spawn_blocking(move || collect(&sandboxes, &running, age));
        match collected.await {
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

/// Removes sandboxes older than `age` whose containers have no runtime directory; how many.
fn collect(sandboxes: &Path, running: &Path, age: Duration) -> io::Result<usize> {
    let mut count = 0;
    // slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>
    for runs in descend(sandboxes, &["*", "frameworks", "*", "executors", "*", "runs"])? {
        for sandbox in entries(&runs)? {
            let name = sandbox.file_name().unwrap_or_default();
            let is_over = name != LATEST && !running.join(name).exists();
            if is_over && age_of(&sandbox).is_some_and(|old| old >= age) {
                fs::remove_dir_all(&sandbox)?;
                count += 1;
            }
        }
        remove_if_empty(&runs);
    }
    Ok(count)
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
        assert_eq!(collect(&sandboxes, &running, old).expect("collected"), 0);
        assert_eq!(collect(&sandboxes, &running, Duration::ZERO).expect("collected"), 1);
        assert!(!runs.join("ended").exists() && runs.join("running").exists());
        fs::remove_dir(running.join("running")).expect("removed");
        assert_eq!(collect(&sandboxes, &running, Duration::ZERO).expect("collected"), 1);
        assert!(!runs.exists(), "nothing is left of the executor");
    }
}
