//! Isolator `disk/du`: how much of the disk a container's sandbox and persistent volumes take, looked at
//! from time to time, and its end when it is more than it asked for, if that is wanted.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::v1;
use tokio::sync::Semaphore;

use super::du::{self, Measured};
use super::share::Share;
use super::volumes::Volume;
use super::{Container, IsolateError, Isolator, Limitation, Limited};
use crate::shim::spec::{RuntimeDirectory, Spec};

const MEBIBYTE: u64 = 1 << 20;
/// Containers that are looked at at the same time: each may take as many open files as its directories
/// are deep, and all of them want the same disk.
const LOOKS: usize = 4;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    runtime_dir: PathBuf,
    work_dir: PathBuf,
    interval: Duration,
    is_enforced: bool,
    containers: Arc<Mutex<HashMap<String, Known>>>,
    looks: Arc<Semaphore>,
}

/// What the agent process knows of a container's disk. It is told again, and measured again, when
/// another one takes over.
#[derive(Debug, Default)]
struct Known {
    share: Share,
    /// Of the sandbox, when it was looked at last.
    used: Option<u64>,
}

impl Disk {
    pub(crate) fn new(
        runtime_dir: PathBuf,
        work_dir: PathBuf,
        interval: Duration,
        is_enforced: bool,
    ) -> Self {
        let (containers, looks) = (Arc::default(), Arc::new(Semaphore::new(LOOKS)));
        Self { runtime_dir, work_dir, interval, is_enforced, containers, looks }
    }

    /// A panic elsewhere leaves the map whole: every change to it is one call.
    fn containers(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_share(&self, container_id: &str, share: &Share) {
        self.containers().entry(container_id.to_owned()).or_default().share.clone_from(share);
    }

    /// Measures all of a container's once. What there is too much of, if that is to end it.
    fn look(&self, container_id: &str, sandbox: &Path) -> Option<Limitation> {
        let share = self.containers().get(container_id).map(|known| known.share.clone());
        let mut quotas = quotas(&share.unwrap_or_default().resources, &self.work_dir);
        let mut all = vec![(sandbox.to_owned(), quotas.remove(Path::new("")))];
        all.extend(quotas.into_iter().map(|(path, quota)| (path, Some(quota))));
        all.into_iter().find_map(|(path, quota)| {
            let measured = match du::measure(&path) {
                Ok(measured) => measured,
                Err(error) => {
                    // A volume may not be there yet, and a sandbox not any more.
                    tracing::debug!(container_id, path = %path.display(), %error, "not measured");
                    return None;
                }
            };
            if path == sandbox
                && let Some(known) = self.containers().get_mut(container_id)
            {
                known.used = Some(measured.bytes);
            }
            quota.filter(|_| self.is_enforced).and_then(|quota| exceeded(quota, &measured))
        })
    }
}

impl Isolator for Disk {
    fn name(&self) -> &'static str {
        "disk/du"
    }

    fn prepare(&self, container: &Container, _spec: &mut Spec) -> Result<(), IsolateError> {
        self.set_share(&container.id, &container.share);
        Ok(())
    }

    fn update(&self, container_id: &str, share: &Share) -> Result<(), IsolateError> {
        self.set_share(container_id, share);
        Ok(())
    }

    fn watch(&self, container_id: &str) -> Option<BoxFuture<'static, Limitation>> {
        let directory = RuntimeDirectory(self.runtime_dir.join(container_id));
        let sandbox = directory.read_spec().ok()?.directory;
        let (this, id) = (self.clone(), container_id.to_owned());
        let watched = async move {
            loop {
                let (looking, id, sandbox) = (this.clone(), id.clone(), sandbox.clone());
                // It is never closed; if it were, all would look at once.
                let permit = Arc::clone(&this.looks).acquire_owned().await.ok();
                let look = move || {
                    let _permit = permit;
                    looking.look(&id, &sandbox)
                };
                // A look that broke is made again.
                if let Ok(Some(limitation)) = tokio::task::spawn_blocking(look).await {
                    return limitation;
                }
                tokio::time::sleep(this.interval).await;
            }
        };
        Some(watched.boxed())
    }

    fn usage(&self, container_id: &str, _: &[i32], statistics: &mut v1::ResourceStatistics) {
        let containers = self.containers();
        let Some(known) = containers.get(container_id) else { return };
        let quotas = quotas(&known.share.resources, &self.work_dir);
        statistics.disk_limit_bytes = quotas.get(Path::new("")).copied();
        statistics.disk_used_bytes = known.used;
    }

    fn cleanup(&self, container_id: &str) -> Result<(), IsolateError> {
        self.containers().remove(container_id);
        Ok(())
    }
}

/// Bytes that were asked for: in the sandbox, under the empty path, and in each persistent volume.
fn quotas(resources: &[v1::Resource], work_dir: &Path) -> BTreeMap<PathBuf, u64> {
    let mut quotas = BTreeMap::new();
    for resource in resources.iter().filter(|resource| resource.name == "disk") {
        let disk = resource.disk.as_ref();
        let path = match Volume::of(resource) {
            Some(volume) => volume.directory(work_dir),
            // a whole disk or path of its own is no part of the sandbox's
            None if disk
                .is_some_and(|disk| disk.source.is_some() || disk.persistence.is_some()) =>
            {
                continue;
            }
            None => PathBuf::new(),
        };
        let megabytes = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
        *quotas.entry(path).or_default() += (megabytes * MEBIBYTE as f64) as u64;
    }
    quotas
}

fn exceeded(quota: u64, measured: &Measured) -> Option<Limitation> {
    let limit_mb = quota / MEBIBYTE;
    let message = if !measured.is_whole {
        format!("Disk usage cannot be measured against the quota ({limit_mb}MB): too deep")
    } else if measured.bytes > quota {
        let used_mb = measured.bytes.div_ceil(MEBIBYTE);
        format!("Disk usage ({used_mb}MB) exceeds quota ({limit_mb}MB)")
    } else {
        return None;
    };
    Some(Limitation { resource: Limited::Disk, limit_mb, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_for_the_sandbox_or_a_volume() {
        let plain = v1::Resource::scalar("disk", 10.0);
        let persistence =
            v1::resource::disk_info::Persistence { id: "v".into(), ..Default::default() };
        let disk = v1::resource::DiskInfo { persistence: Some(persistence), ..Default::default() };
        let reservation =
            v1::resource::ReservationInfo { role: Some("r".into()), ..Default::default() };
        let volume = v1::Resource {
            disk: Some(disk),
            reservations: vec![reservation],
            ..v1::Resource::scalar("disk", 5.0)
        };
        let memory = v1::Resource::scalar("mem", 7.0);
        let quotas = quotas(&[plain.clone(), volume, memory, plain], Path::new("/w"));
        let expected = [("", 20), ("/w/volumes/roles/r/v", 5)];
        let expected = expected.map(|(path, quota)| (PathBuf::from(path), quota * MEBIBYTE));
        assert_eq!(quotas, BTreeMap::from(expected));
    }

    #[test]
    fn too_much_is_told_in_numbers() {
        let check = |bytes, is_whole, expected: Option<&str>| {
            let limitation = exceeded(10 * MEBIBYTE, &Measured { bytes, is_whole });
            assert_eq!(limitation.map(|it| it.message).as_deref(), expected);
        };
        check(10 * MEBIBYTE, true, None);
        check(10 * MEBIBYTE + 1, true, Some("Disk usage (11MB) exceeds quota (10MB)"));
        let text = "Disk usage cannot be measured against the quota (10MB): too deep";
        check(0, false, Some(text));
    }
}
