//! Keeps a journal running: follows each run of openraft to its end, says why it ended, and starts
//! the next when that can be done soundly.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;

use crate::error::{OpenError, Report};
use crate::fault::Reason;
use crate::identity::rename_durably;
use crate::leadership::{self, Ended, Leadership, Limits, Told};
use crate::membership;
use crate::part::Part;
use crate::run::{Core, Run};
use crate::store::{LogStore, TAIL};
use crate::upkeep;

/// How long the journal waits before it tries to write again.
const RETRY: Duration = Duration::from_secs(1);

/// Follows runs until the journal is shut down, which is when `closing` turns true.
pub(crate) async fn supervise(
    core: Arc<Core>,
    current: watch::Sender<Option<Run>>,
    told: Told,
    mut closing: watch::Receiver<bool>,
) {
    let mut part = Part::Unknown;
    loop {
        let Some(run) = current.borrow().clone() else {
            return;
        };
        let upkeep = tokio::spawn(upkeep::keep(core.clone(), run.clone()));
        let limits = Limits {
            look_again: Duration::from_millis(core.config.heartbeat_ms),
            without_quorum: Duration::from_millis(2 * core.config.election_ms.1),
        };
        let watch =
            leadership::watch(run.raft.clone(), limits, told.clone(), core.gate.clone(), &mut part);
        let ended = tokio::select! {
            ended = watch => Some(ended),
            _ = closing.wait_for(|closing| *closing) => None,
        };
        upkeep.abort();
        // it is over when it was cancelled, which is what its error would say
        let _ = upkeep.await;
        let over = matches!(ended, Some(Ended::TermOver)) && core.fault.get().is_none();
        if let Some(Ended::Failed(reason)) = ended {
            // whoever knows better has reported already
            core.fault.report_raft(&reason);
        }
        let reason = core.fault.get();
        core.heard
            .remember(membership::list(&run.raft.metrics().borrow_watched().membership_config));
        let text = reason.as_ref().map_or_else(|| "shut down".into(), ToString::to_string);
        told.tell(if over { Leadership::Electing } else { Leadership::Stopped(text) });
        current.send_replace(None);
        let unwritten = stop(run).await;
        let (whole, wait) = match reason {
            None if over => (true, Duration::ZERO),
            Some(Reason::Tail { whole, .. }) if !*closing.borrow() => (whole, RETRY),
            _ => return,
        };
        let retry = Retry { unwritten, whole, wait };
        let Some(run) = recover(&core, &retry, &mut closing).await else { return };
        tracing::info!("the journal runs anew");
        current.send_replace(Some(run));
    }
}

/// What the next run starts from.
struct Retry {
    unwritten: Vec<(u64, Vec<u8>)>,
    /// Whether the file is whole; see [`Reason::Tail`].
    whole: bool,
    /// How long to wait before the first try.
    wait: Duration,
}

/// Ends a run and lets go of its files. Gives the entries that are not on disk.
async fn stop(run: Run) -> Vec<(u64, Vec<u8>)> {
    if let Err(error) = run.raft.shutdown().await {
        tracing::warn!(%error, "openraft did not end cleanly");
    }
    let unwritten = run.replica.store.unwritten();
    let open = run.replica.store.when_closed();
    drop(run);
    LogStore::wait_closed(open).await;
    unwritten
}

/// Tries to write until it works. What the machine has applied is committed, and must be in the log
/// before anything else is: it is both the probe and the repair.
async fn recover(core: &Core, retry: &Retry, closing: &mut watch::Receiver<bool>) -> Option<Run> {
    let mut wait = retry.wait;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = closing.wait_for(|closing| *closing) => return None,
        }
        match try_recover(core, &retry.unwritten, retry.whole).await {
            Ok(run) => return Some(run),
            Err(error) => {
                tracing::warn!(error = %Report(&error), "the journal still cannot be written");
            }
        }
        wait = RETRY;
    }
}

async fn try_recover(
    core: &Core,
    unwritten: &[(u64, Vec<u8>)],
    whole: bool,
) -> Result<Run, OpenError> {
    if !whole {
        rewrite(&core.dir().join(TAIL)).map_err(OpenError::io(core.dir()))?;
    }
    core.fault.clear();
    let store = core.open_store().await?;
    let applied = core.folded.run(|folded| folded.applied).await;
    let applied = applied.map_err(OpenError::io(core.dir()))?.map_or(0, |applied| applied.index);
    let lost = unwritten.iter().filter(|(index, _)| *index <= applied);
    store.restore(lost.cloned().collect()).await.map_err(OpenError::io(core.dir()))?;
    core.start(store).await
}

/// Writes the file anew. After a failed sync the kernel may hold pages that it believes to be on
/// disk and that are not; a copy that syncs is.
fn rewrite(path: &Path) -> io::Result<()> {
    let copy = path.with_extension("tmp");
    fs::copy(path, &copy)?;
    File::open(&copy)?.sync_all()?;
    rename_durably(&copy, path)
}
