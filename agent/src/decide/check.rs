//! What the results of a task's checks mean.

use protocol::v1;
use protocol::v1::check_info::Type;
use protocol::v1::check_status_info::{Command, Http, Tcp};
use protocol::v1::task_status::Reason;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::status::News;
use super::{Effect, Turn};
use crate::checkpoint::state::{ExecutorKey, TaskKey};
use crate::checks::{Check, Found, Kind, seconds};

/// What checks have found of a task so far.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Unset before the first result that counts.
    pub(super) healthy: Option<bool>,
    pub(super) check_status: Option<v1::CheckStatusInfo>,
    was_healthy: bool,
    failures: u32,
    /// It failed often enough to be killed: nothing more is to be found out.
    is_lost: bool,
    began: Option<Instant>,
}

/// What is checked.
#[derive(Debug, Clone, Copy)]
struct Subject<'a> {
    key: &'a ExecutorKey,
    task: &'a TaskKey,
    container_id: &'a str,
}

impl Turn<'_> {
    /// Begins the checks of a task that the agent runs itself, if it asks for any.
    pub(super) fn begin_checks(&mut self, key: &ExecutorKey, task: &TaskKey, container_id: &str) {
        let info = self.state.tasks.get(task).and_then(|task| task.info.as_ref());
        let Some(info) = info else { return };
        // One that this agent cannot make was refused at the launch.
        let checks = Check::all_of(info).unwrap_or_default();
        let general = info.check.as_ref().map(|check| status_of(check.r#type(), Found::Nothing));
        if checks.is_empty() {
            return;
        }
        let began = Some(self.now);
        let live = self.live.containers.entry(container_id.to_owned()).or_default();
        live.checked = Checked { check_status: general, began, ..Checked::default() };
        if let Some(container) = self.container(key, container_id) {
            self.effect(Effect::Check(key.clone(), Box::new(container), checks));
        }
    }

    /// Takes one result, and answers whether there is need for more.
    pub(super) fn checked(
        &mut self,
        key: &ExecutorKey,
        container_id: &str,
        (kind, found): (Kind, Found),
        reply: oneshot::Sender<bool>,
    ) {
        let task = self.state.task_in(key, container_id);
        let known = task.as_ref().and_then(|task| self.state.tasks.get(task));
        let state = known.map(crate::checkpoint::state::Task::state);
        let is_lost =
            self.live.containers.get(container_id).is_some_and(|live| live.checked.is_lost);
        let goes_on = state == Some(v1::TaskState::TaskRunning) && !is_lost;
        if let Some(task) = task.filter(|_| goes_on) {
            let subject = Subject { key, task: &task, container_id };
            match kind {
                Kind::Health => self.health_found(subject, found.is_healthy()),
                Kind::General => self.general_found(subject, found),
            }
        }
        self.effect(Effect::ConfirmCheck(reply, goes_on));
    }

    /// Failures before the first success do not count during the grace period (semantics 265).
    fn health_found(&mut self, subject: Subject<'_>, is_healthy: bool) {
        let Subject { key, task, container_id } = subject;
        let info = self.state.tasks.get(task).and_then(|task| task.info.as_ref());
        let Some(info) = info.cloned() else { return };
        let Some(health) = &info.health_check else { return };
        let now = self.now;
        let live = self.live.containers.entry(container_id.to_owned()).or_default();
        let checked = &mut live.checked;
        let age = checked.began.map(|began| now.saturating_duration_since(began));
        let is_young = age.is_some_and(|age| age < seconds(health.grace_period_seconds()));
        if !is_healthy && is_young && !checked.was_healthy {
            return;
        }
        let has_changed = checked.healthy != Some(is_healthy);
        checked.healthy = Some(is_healthy);
        checked.was_healthy |= is_healthy;
        checked.failures = if is_healthy { 0 } else { checked.failures + 1 };
        checked.is_lost = checked.failures >= health.consecutive_failures().max(1);
        let is_lost = checked.is_lost;
        if has_changed || !is_healthy {
            self.report_check(key, task, Reason::TaskHealthCheckStatusUpdated);
        }
        if is_lost {
            self.kill_own(task, key, None);
        }
    }

    /// Told once per change (semantics 266).
    fn general_found(&mut self, subject: Subject<'_>, found: Found) {
        let Subject { key, task, container_id } = subject;
        let info = self.state.tasks.get(task).and_then(|task| task.info.as_ref());
        let Some(check) = info.and_then(|info| info.check.as_ref()) else { return };
        let status = Some(status_of(check.r#type(), found));
        let live = self.live.containers.entry(container_id.to_owned()).or_default();
        if live.checked.check_status != status {
            live.checked.check_status = status;
            self.report_check(key, task, Reason::TaskCheckStatusUpdated);
        }
    }

    fn report_check(&mut self, key: &ExecutorKey, task: &TaskKey, reason: Reason) {
        let news = News::of_command(v1::TaskState::TaskRunning);
        self.report(task, Some(&key.executor_id), News { reason: Some(reason), ..news });
    }
}

/// A result on the wire; nothing found is an empty one.
fn status_of(kind: Type, found: Found) -> v1::CheckStatusInfo {
    let mut status = v1::CheckStatusInfo { r#type: Some(kind.into()), ..Default::default() };
    match (kind, found) {
        (Type::Command, Found::Exit(code)) => {
            status.command = Some(Command { exit_code: Some(code) });
        }
        (Type::Command, _) => status.command = Some(Command::default()),
        (Type::Http, Found::Status(code)) => {
            status.http = Some(Http { status_code: Some(u32::from(code)) });
        }
        (Type::Http, _) => status.http = Some(Http::default()),
        (Type::Tcp, Found::Connected(succeeded)) => {
            status.tcp = Some(Tcp { succeeded: Some(succeeded) });
        }
        (Type::Tcp, _) => status.tcp = Some(Tcp::default()),
        (Type::Unknown, _) => {}
    }
    status
}
