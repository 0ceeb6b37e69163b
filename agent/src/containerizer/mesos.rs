//! The containerizer: sandbox, isolators, fetcher and launcher in their order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::{BoxFuture, select_all};
use protocol::v1;
use tokio_util::sync::CancellationToken;

use super::environment;
use super::isolation::Isolation;
use super::share::Share;
use super::user::SwitchUser;
use super::{
    Container, Containerizer, Counts, IsolateError, Isolator, LaunchError, Launcher, in_words,
    sandbox, sandbox_paths,
};
use crate::checks::Context;
use crate::fetcher::Fetcher;
use crate::shim::process::Process;
use crate::shim::spec::{Exit, Spec};

/// Makes containers from sandboxes, isolators, fetched files and a launcher.
#[derive(Debug, Clone)]
pub(crate) struct MesosContainerizer {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    launcher: Box<dyn Launcher>,
    isolation: Isolation,
    users: SwitchUser,
    fetcher: Fetcher,
    containers: Mutex<HashMap<String, Known>>,
    /// Containers of which something could not be removed.
    destroy_errors: AtomicU64,
}

/// What the agent process knows of a container. Nothing here has to outlive it.
#[derive(Debug, Default)]
struct Known {
    cancelled: CancellationToken,
    share: Share,
}

impl MesosContainerizer {
    pub(crate) fn new(
        launcher: Box<dyn Launcher>,
        isolation: Isolation,
        users: SwitchUser,
        fetcher: Fetcher,
    ) -> Self {
        let (containers, destroy_errors) = (Mutex::default(), AtomicU64::default());
        let parts = Parts { launcher, isolation, users, fetcher, containers, destroy_errors };
        Self { parts: Arc::new(parts) }
    }
}

impl Containerizer for MesosContainerizer {
    fn launch(&self, container: Container) -> BoxFuture<'static, Result<Process, LaunchError>> {
        let parts = Arc::clone(&self.parts);
        let cancelled = {
            let mut containers = parts.containers();
            let known = containers.entry(container.id.clone()).or_default();
            known.share.clone_from(&container.share);
            known.cancelled.clone()
        };
        async move {
            let (container, spec) = {
                let parts = Arc::clone(&parts);
                let prepared = tokio::task::spawn_blocking(move || parts.prepare(container));
                prepared
                    .await
                    .map_err(|error| LaunchError::Sandbox(std::io::Error::other(error)))??
            };
            let fetched = parts.fetcher.fetch_all(
                &container.command.uris,
                &container.sandbox,
                spec.user.as_ref(),
            );
            tokio::select! {
                fetched = fetched => fetched?,
                () = cancelled.cancelled() => return Err(LaunchError::Cancelled),
            }
            if cancelled.is_cancelled() {
                return Err(LaunchError::Cancelled);
            }
            let process = parts.launcher.launch(&container.id, spec).await?;
            parts.isolate(&container.id, process)?;
            Ok(process)
        }
        .boxed()
    }

    fn wait(&self, container_id: &str) -> BoxFuture<'static, Exit> {
        let parts = Arc::clone(&self.parts);
        let id = container_id.to_owned();
        async move { parts.wait(&id).await }.boxed()
    }

    fn kill(&self, container_id: &str, grace: Duration) {
        if let Some(known) = self.parts.containers().get(container_id) {
            known.cancelled.cancel();
        }
        self.parts.launcher.kill(container_id, grace);
    }

    fn context(&self, container: &Container) -> Option<Context> {
        let user = self.parts.users.credentials(&container.user).ok()?;
        let environment =
            environment::merge(container.environment.clone(), &container.command).ok()?;
        let own = |name: &str| environment.iter().find(|(known, _)| known == name);
        let ip = own("MESOS_CONTAINER_IP").map(|(_, ip)| ip.clone())?;
        Some(Context::new(container.sandbox.clone(), environment, user, ip))
    }

    fn share(&self, container_id: &str, share: &Share) {
        self.parts.set_share(container_id, share, |isolator| isolator.share(container_id, share));
    }

    fn update(&self, container_id: &str, share: &Share) {
        self.parts.set_share(container_id, share, |isolator| isolator.update(container_id, share));
    }

    fn usage(&self, container_id: &str) -> v1::ResourceStatistics {
        self.parts.usage(container_id)
    }

    fn holds_limits(&self) -> bool {
        self.parts.isolation.holds_limits
    }

    fn counts(&self) -> Counts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let fetches = &self.parts.fetcher.counts;
        Counts {
            fetches_succeeded: load(&fetches.succeeded),
            fetches_failed: load(&fetches.failed),
            destroy_errors: load(&self.parts.destroy_errors),
        }
    }

    fn remove(&self, container_id: &str) {
        for isolator in &self.parts.isolation.isolators {
            if let Err(error) = isolator.cleanup(container_id) {
                let (isolator, error) = (isolator.name(), in_words(&error));
                tracing::warn!(container_id, isolator, error, "cannot clean up after a container");
                self.parts.destroy_errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Err(error) = self.parts.launcher.remove(container_id) {
            tracing::warn!(container_id, %error, "cannot remove a container's directory");
            self.parts.destroy_errors.fetch_add(1, Ordering::Relaxed);
        }
        self.parts.containers().remove(container_id);
    }
}

impl Parts {
    /// A panic elsewhere leaves the map whole: every change to it is one call.
    fn containers(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a container is to have, and has each isolator see to it. One that cannot leaves the
    /// container with what it had.
    fn set_share(
        &self,
        container_id: &str,
        share: &Share,
        set: impl Fn(&dyn Isolator) -> Result<(), IsolateError>,
    ) {
        self.containers().entry(container_id.to_owned()).or_default().share.clone_from(share);
        for isolator in &self.isolation.isolators {
            if let Err(error) = set(isolator.as_ref()) {
                let (isolator, error) = (isolator.name(), in_words(&error));
                tracing::warn!(container_id, isolator, error, "cannot resize a container");
            }
        }
    }

    fn prepare(&self, container: Container) -> Result<(Container, Spec), LaunchError> {
        let refuse = |source| LaunchError::Isolate { isolator: "mesos", source };
        refuse_unsupported(&container, &self.isolation).map_err(refuse)?;
        self.make_sandbox(&container)?;
        let mut spec = specify(&container).map_err(refuse)?;
        for isolator in &self.isolation.isolators {
            isolator
                .prepare(&container, &mut spec)
                .map_err(|source| LaunchError::Isolate { isolator: isolator.name(), source })?;
        }
        Ok((container, spec))
    }

    fn make_sandbox(&self, container: &Container) -> Result<(), LaunchError> {
        let owner_called = |name: &str| {
            let owner = self.users.credentials(name);
            owner.map_err(|source| LaunchError::Isolate { isolator: "user", source })
        };
        let (sandbox, owner) = (&container.sandbox, owner_called(&container.user)?);
        let made = match &container.parent {
            None => sandbox::make(sandbox, owner.as_ref()),
            Some(parent) => {
                let parent_owner = owner_called(&parent.user)?;
                sandbox::make_nested(sandbox, owner.as_ref(), parent, parent_owner.as_ref())
            }
        };
        made.map_err(LaunchError::Sandbox)
    }

    /// A container that cannot be held to its promises must not run on.
    fn isolate(&self, container_id: &str, process: Process) -> Result<(), LaunchError> {
        for isolator in &self.isolation.isolators {
            if let Err(source) = isolator.isolate(container_id, process) {
                self.launcher.kill(container_id, Duration::ZERO);
                return Err(LaunchError::Isolate { isolator: isolator.name(), source });
            }
        }
        Ok(())
    }

    async fn wait(&self, container_id: &str) -> Exit {
        let mut end = self.launcher.wait(container_id);
        let watched: Vec<_> = self
            .isolation
            .isolators
            .iter()
            .filter_map(|isolator| isolator.watch(container_id))
            .collect();
        if watched.is_empty() {
            return end.await;
        }
        let (exit, seen) = tokio::select! {
            exit = &mut end => (exit, None),
            (limitation, _, _) = select_all(watched) => {
                self.launcher.kill(container_id, Duration::ZERO);
                (end.await, Some(limitation))
            }
        };
        // What ended it may be what nobody watched: the agent was dead, or is too slow.
        let mut isolators = self.isolation.isolators.iter();
        let limitation =
            seen.or_else(|| isolators.find_map(|isolator| isolator.overstepped(container_id)));
        Exit { limitation, ..exit }
    }

    fn usage(&self, container_id: &str) -> v1::ResourceStatistics {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut statistics =
            v1::ResourceStatistics { timestamp: now.as_secs_f64(), ..Default::default() };
        if let Some(known) = self.containers().get(container_id) {
            let memory = (known.share.mem() * 1_048_576.0) as u64;
            statistics.cpus_soft_limit = Some(known.share.cpus());
            statistics.mem_limit_bytes = Some(memory);
            statistics.mem_soft_limit_bytes = Some(memory);
        }
        let processes = self.launcher.processes(container_id);
        for isolator in &self.isolation.isolators {
            isolator.usage(container_id, &processes, &mut statistics);
        }
        statistics
    }
}

/// Parts of a container's description that nothing here can hold to are refused, never ignored.
fn refuse_unsupported(container: &Container, isolation: &Isolation) -> Result<(), IsolateError> {
    let Some(info) = &container.info else { return Ok(()) };
    let has_own = container.parent.is_some() && !container.shares_cgroups();
    let shares_pids = info.linux_info.as_ref().and_then(|linux| linux.share_pid_namespace);
    let refused = [
        (
            shares_pids == Some(false) && !isolation.has_own_pids,
            "process ids of a task's own (namespaces/pid is off)",
        ),
        (
            has_own && !isolation.holds_limits,
            "cgroups of a task's own (its isolators for them are off)",
        ),
        (info.r#type() == v1::container_info::Type::Docker, "containers of type DOCKER"),
        (info.docker.is_some(), "Docker's options"),
        (info.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()), "images"),
        (!info.volumes.iter().all(sandbox_paths::is_one), "volumes from outside of the sandbox"),
        (info.network_infos.iter().any(|network| network.name.is_some()), "named networks"),
        (
            info.linux_info.as_ref().is_some_and(hides),
            "Linux options (capabilities, most namespaces, seccomp)",
        ),
        (info.tty_info.is_some(), "terminals"),
        (info.hostname.is_some(), "host names of their own"),
    ];
    match refused.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, what)) => {
            Err(IsolateError::Refused(format!("this agent does not support {what}")))
        }
        None => Ok(()),
    }
}

/// Whether more is asked for than cgroups and process ids.
fn hides(linux: &v1::LinuxInfo) -> bool {
    let known = v1::LinuxInfo {
        share_cgroups: linux.share_cgroups,
        share_pid_namespace: linux.share_pid_namespace,
        ..v1::LinuxInfo::default()
    };
    *linux != known
}

fn specify(container: &Container) -> Result<Spec, IsolateError> {
    Ok(Spec {
        arguments: arguments(&container.command)?,
        environment: environment::merge(container.environment.clone(), &container.command)?,
        directory: PathBuf::from(&container.sandbox),
        user: None,
        cgroups: Vec::new(),
        tree: None,
        has_own_pids: false,
        oom_score: None,
        limits: Vec::new(),
        max_completion_ms: container
            .max_completion
            .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
        grace_ms: u64::try_from(container.grace.as_millis()).unwrap_or(u64::MAX),
    })
}

/// With `shell`, `value` is a shell's script; without, it is the program and `arguments` is its
/// whole argv, whose first element is its name for itself.
fn arguments(command: &v1::CommandInfo) -> Result<Vec<String>, IsolateError> {
    let value = command.value.clone().filter(|value| !value.is_empty());
    let value =
        value.ok_or_else(|| IsolateError::Refused("the command has no value to run".to_owned()))?;
    if command.shell() {
        return Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), value]);
    }
    let own = command.arguments.iter().skip(1).cloned();
    Ok(std::iter::once(value).chain(own).collect())
}

#[cfg(test)]
mod tests {
    use v1::container_info::Type::{Docker, Mesos};

    use super::*;
    use crate::containerizer::Parent;

    fn check(shell: bool, value: Option<&str>, own: &[&str], expected: Option<&[&str]>) {
        let command = v1::CommandInfo {
            shell: Some(shell),
            value: value.map(str::to_owned),
            arguments: own.iter().map(|argument| (*argument).to_owned()).collect(),
            ..Default::default()
        };
        let expected = expected.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(arguments(&command).ok(), expected);
    }

    #[test]
    fn commands_become_arguments() {
        check(true, Some("echo $A"), &[], Some(&["/bin/sh", "-c", "echo $A"]));
        check(false, Some("/bin/echo"), &["echo", "a", "b"], Some(&["/bin/echo", "a", "b"]));
        check(false, Some("/bin/true"), &[], Some(&["/bin/true"]));
        check(false, None, &["echo"], None);
        check(true, Some(""), &[], None);
    }

    #[test]
    fn what_cannot_be_held_to_is_refused() {
        let of = |kind: v1::container_info::Type, shares: Option<bool>| {
            let linux = v1::LinuxInfo { share_cgroups: shares, ..Default::default() };
            let linux_info = shares.is_some().then_some(linux);
            let info = v1::ContainerInfo { r#type: kind.into(), linux_info, ..Default::default() };
            let parent = Parent {
                sandbox: PathBuf::new(),
                user: String::new(),
                resources: Vec::new(),
                task_id: "t".to_owned(),
            };
            Container { info: Some(info), parent: Some(parent), ..Container::default() }
        };
        let is_taken = |container, holds_limits| {
            let isolation = Isolation { isolators: Vec::new(), holds_limits, has_own_pids: false };
            refuse_unsupported(&container, &isolation).is_ok()
        };
        assert!(!is_taken(of(Docker, None), true));
        assert!(is_taken(of(Mesos, None), false) && is_taken(of(Mesos, Some(true)), false));
        assert!(is_taken(of(Mesos, Some(false)), true));
        assert!(!is_taken(of(Mesos, Some(false)), false), "nothing would hold it to its own");
        assert!(is_taken(Container::default(), false));
    }
}
