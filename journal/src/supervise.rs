//! Keeps a journal running: follows each run of openraft to its end, says why it ended, and starts
//! the next when that can be done soundly.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::{OpenError, Report};
use crate::fault::Reason;
use crate::identity::rename_durably;
use crate::leadership::{self, Leadership, Limits};
use crate::run::{Core, Run};
use crate::store::{LogStore, TAIL};
use crate::upkeep;

/// How long the journal waits before it tries to write again.
const RETRY: Duration = Duration::from_secs(1);

/// Follows runs until the journal is shut down, which is when `closing` turns true.
pub(crate) async fn supervise(
    core: Arc<Core>,
    current: watch::Sender<Option<Run>>,
    leadership: Arc<watch::Sender<Leadership>>,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        let Some(run) = current.borrow().clone() else {
            return;
        };
        let upkeep = tokio::spawn(upkeep::keep(core.clone(), run.clone()));
        let limits = Limits {
            look_again: Duration::from_millis(core.config.heartbeat_ms),
            without_quorum: Duration::from_millis(2 * core.config.election_ms.1),
        };
        tokio::select! {
            reason = leadership::watch(run.raft.clone(), limits, leadership.clone()) => {
                // whoever knows better has reported already
                core.fault.report_raft(&reason);
            }
            _ = closing.wait_for(|closing| *closing) => {}
        }
        upkeep.abort();
        // it is over when it was cancelled, which is what its error would say
        let _ = upkeep.await;
        let reason = core.fault.get();
        let text = reason.as_ref().map_or_else(|| "shut down".into(), ToString::to_string);
        leadership.send_replace(Leadership::Stopped(text));
        current.send_replace(None);
        let unwritten = stop(run).await;
        match reason {
            Some(Reason::Tail { whole, .. }) if !*closing.borrow() => {
                let recovered = recover(&core, &unwritten, whole, &mut closing).await;
                let Some(run) = recovered else { return };
                tracing::info!("the journal can be written again");
                current.send_replace(Some(run));
            }
            _ => return,
        }
    }
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
async fn recover(
    core: &Core,
    unwritten: &[(u64, Vec<u8>)],
    whole: bool,
    closing: &mut watch::Receiver<bool>,
) -> Option<Run> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = closing.wait_for(|closing| *closing) => return None,
        }
        match try_recover(core, unwritten, whole).await {
            Ok(run) => return Some(run),
            Err(error) => {
                tracing::warn!(error = %Report(&error), "the journal still cannot be written");
            }
        }
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
