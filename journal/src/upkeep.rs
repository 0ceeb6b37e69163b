//! What a journal does beside its work: closes segments, takes snapshots, lets the oldest go.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Retention;
use crate::entry::Entry;
use crate::history::Segment;
use crate::run::{Core, Run};

/// How often it looks whether there is something to do.
const LOOK: Duration = Duration::from_millis(200);
/// How often it looks while something fails.
const LOOK_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How many entries leave the tail in one transaction: 20 ms of the writer's time.
const TRIM_ENTRIES: u64 = 10_000;

/// Looks after one run until it is aborted. A failure is reported and tried again later: nothing
/// is lost by being late here.
pub(crate) async fn keep(core: Arc<Core>, run: Run) {
    let mut snapshot_at = run.replica.store.appended_bytes();
    loop {
        let done = look(&core, &run, &mut snapshot_at).await;
        if let Err(error) = &done {
            tracing::warn!(%error, "the journal's upkeep failed");
        }
        tokio::time::sleep(if done.is_ok() { LOOK } else { LOOK_AFTER_FAILURE }).await;
    }
}

async fn look(core: &Core, run: &Run, snapshot_at: &mut u64) -> io::Result<()> {
    let (store, applied) = (&run.replica.store, *core.applied.borrow());
    while store.tail_bytes() >= core.config.segment_bytes && close_segment(core, run).await? {}
    let newest = core.snapshots.newest().map_or(0, |newest| newest.header.mark.index);
    let appended = store.appended_bytes();
    let due = appended - *snapshot_at >= core.config.snapshot_bytes
        || applied.saturating_sub(newest) >= core.config.snapshot_entries;
    if due && applied > newest {
        run.replica.take_snapshot().await?;
        *snapshot_at = appended;
        announce(run).await?;
    }
    let expired = expired(core, run);
    if let Some(index) = expired {
        run.raft.trigger().purge_log(index).await.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Tells openraft of the newest snapshot.
pub(crate) async fn announce(run: &Run) -> io::Result<()> {
    run.raft.trigger().snapshot().await.map_err(io::Error::other)
}

/// Closes the oldest applied entries of the tail into a segment; `false` when too few are applied.
async fn close_segment(core: &Core, run: &Run) -> io::Result<bool> {
    let (store, applied) = (run.replica.store.clone(), *core.applied.borrow());
    let limit = core.config.segment_bytes;
    let close = tokio::task::spawn_blocking(move || -> io::Result<_> {
        let Some((base, first)) = store.tail_start() else {
            return Ok(None);
        };
        let (entries, bytes) = take(first, applied, limit, |range| Ok(store.read_disk(range)?))?;
        if bytes < limit / 2 {
            return Ok(None);
        }
        store.history().close(base, &entries).map_err(io::Error::other)?;
        Ok(entries.last().map(|last| (first, last.index, bytes)))
    });
    let Some((first, last, bytes)) = close.await.map_err(io::Error::other)?? else {
        return Ok(false);
    };
    let mut next = first;
    while next <= last {
        next = next.saturating_add(TRIM_ENTRIES);
        run.replica.store.trim(last.min(next - 1)).await?;
    }
    run.replica.store.left_tail(bytes);
    Ok(true)
}

type Taken = (Vec<Entry>, u64);

/// Entries from `first` to `applied`, until `limit` bytes are reached.
fn take(
    first: u64,
    applied: u64,
    limit: u64,
    read: impl Fn(std::ops::Range<u64>) -> io::Result<Vec<Entry>>,
) -> io::Result<Taken> {
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0, first);
    while next <= applied && bytes < limit {
        let found = read(next..applied + 1)?;
        let Some(last) = found.last() else { break };
        next = last.index + 1;
        for entry in found {
            if bytes < limit {
                bytes += entry.encoded_bytes();
                entries.push(entry);
            }
        }
    }
    Ok((entries, bytes))
}

/// The index up to which the retention policy lets the history go, if it lets any.
fn expired(core: &Core, run: &Run) -> Option<u64> {
    let snapshot = core.snapshots.newest()?.header.mark.index;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let segments = run.replica.store.history().segments();
    let segments: Vec<&Segment> = segments.iter().map(AsRef::as_ref).collect();
    last_expired(&core.config.retention, &segments, snapshot, now)
}

/// Only what lies behind the snapshot at index `snapshot` may go.
fn last_expired(
    retention: &Retention,
    segments: &[&Segment],
    snapshot: u64,
    now: Duration,
) -> Option<u64> {
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut expired = None;
    for segment in segments {
        let old = retention.max_age.is_some_and(|age| now.saturating_sub(segment.closed_at) > age);
        let large = retention.max_bytes.is_some_and(|max| bytes > max);
        if segment.last.index > snapshot || (!old && !large) {
            break;
        }
        bytes -= segment.bytes;
        expired = Some(segment.last.index);
    }
    expired
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Hash;
    use crate::format::Mark;

    fn check(max_age_s: Option<u64>, max_bytes: Option<u64>, expected: Option<u64>) {
        check_behind(99, max_age_s, max_bytes, expected);
    }

    fn check_behind(
        snapshot: u64,
        max_age_s: Option<u64>,
        max_bytes: Option<u64>,
        expected: Option<u64>,
    ) {
        let max_age = max_age_s.map(Duration::from_secs);
        let segment = |last: u64| Segment {
            path: "unused".into(),
            first: last - 9,
            last: Mark { index: last, term: 1, hash: Hash::START },
            base: Hash::START,
            closed_at: Duration::from_secs(last),
            bytes: 100,
        };
        let segments = [segment(10), segment(20), segment(30)];
        let segments: Vec<&Segment> = segments.iter().collect();
        let retention = Retention { max_age, max_bytes };
        let now = Duration::from_secs(40);
        assert_eq!(last_expired(&retention, &segments, snapshot, now), expected);
    }

    #[test]
    fn history_goes_by_age_or_size_and_never_without_a_rule() {
        check(None, None, None);
        check(Some(15), None, Some(20));
        check(Some(40), None, None);
        check(None, Some(300), None);
        check(None, Some(299), Some(10));
        check(None, Some(0), Some(30));
        check(Some(25), Some(150), Some(20));
    }

    #[test]
    fn nothing_goes_that_is_not_in_a_snapshot() {
        check_behind(0, None, Some(0), None);
        check_behind(19, None, Some(0), Some(10));
        check_behind(20, None, Some(0), Some(20));
    }
}
