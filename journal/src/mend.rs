//! Damaged entries are fetched from peers: only committed ones, and only if they fit the chain on
//! both sides. What is needed for it is found in the files, so that it works before a journal is
//! open.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::chain::Hash;
use crate::entry::{Entry, Kind};
use crate::error::{OpenError, ReadError};
use crate::history::{self, Segment};
use crate::member::Member;
use crate::network::{Answer, Ask, Connection, Network};
use crate::raft::RaftMembership;
use crate::reader::copy_tail;
use crate::snapshot;
use crate::store::{Disk, Tail, TailState};
use crate::transport::TransportError;

/// How long peers are asked until one has answered with what is needed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two rounds of asking.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one peer may take for one answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// More damaged entries than this in the tail are not mended one by one.
const MAX_TAIL_ENTRIES: usize = 1000;

/// Mends the files of one journal.
#[derive(Clone)]
pub(crate) struct Mender {
    pub(crate) dir: PathBuf,
    pub(crate) node: u64,
    pub(crate) network: Network,
}

impl Mender {
    /// Writes the segment at `path` anew.
    pub(crate) async fn segment(&self, path: &Path) -> Result<Segment, OpenError> {
        let (first, last) = history::range_in_name(path)
            .ok_or_else(|| OpenError::damaged(path, "its name has no range of indexes"))?;
        let (tail, state) = copy_tail(&self.dir)?;
        let peers = self.peers(&tail, &state)?;
        let base = self.base(path, first, &state)?;
        let entries = fetch(&peers, path, base, first..=last).await?;
        let segment = Segment::create(&self.dir, base, &entries)?;
        tracing::warn!(path = %path.display(), "mended a damaged segment with entries of a peer");
        Ok(segment)
    }

    /// Writes the damaged entries of the tail anew.
    pub(crate) async fn tail(&self, disk: &dyn Disk) -> Result<(), OpenError> {
        let (tail, state) = Tail::open(&self.dir, disk)?;
        let peers = self.peers(&tail, &state)?;
        for _ in 0..MAX_TAIL_ENTRIES {
            let Some((index, base)) = first_damaged(&tail, &state)? else { return Ok(()) };
            let path = tail.path();
            let base = match base {
                Some(base) => base,
                None => self.base(path, index, &state)?,
            };
            for entry in fetch(&peers, path, base, index..=index).await? {
                tail.replace(&entry)?;
            }
            tracing::warn!(index, path = %path.display(), "mended an entry with that of a peer");
        }
        Err(OpenError::damaged(tail.path(), "too many of its entries are damaged"))
    }

    /// The hash that entry `first`, the first in a file, is chained to.
    fn base(&self, path: &Path, first: u64, state: &TailState) -> Result<Hash, OpenError> {
        let Some(before) = first.checked_sub(1) else { return Ok(Hash::START) };
        if let Some(purged) = state.purged.filter(|mark| mark.index == before) {
            return Ok(purged.hash);
        }
        let paths = history::paths(&self.dir)?;
        let previous = paths
            .iter()
            .find(|it| history::range_in_name(it).is_some_and(|(_, last)| last == before));
        let what = format!("and so is what lies before entry {first}");
        let previous = previous.ok_or_else(|| OpenError::damaged(path, what))?;
        Ok(Segment::open(previous)?.last.hash)
    }

    fn peers(&self, tail: &Tail, state: &TailState) -> Result<Vec<Connection>, OpenError> {
        let members = members(&self.dir, tail, state)?;
        let others = members.iter().filter(|(node, _)| **node != self.node);
        Ok(others.map(|(node, member)| self.network.connect(*node, member)).collect())
    }
}

/// Asks one peer after another for entries that are chained to `base`.
async fn fetch(
    peers: &[Connection],
    path: &Path,
    base: Hash,
    range: RangeInclusive<u64>,
) -> Result<Vec<Entry>, OpenError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut refusal = "nobody else holds the journal".to_string();
        for peer in peers {
            match fetch_from(peer, base, range.clone()).await {
                Ok(entries) => return Ok(entries),
                Err(error) => refusal = error.to_string(),
            }
        }
        if peers.is_empty() || Instant::now() > deadline {
            let (first, last) = range.into_inner();
            let what = format!("no peer gives entries {first} to {last}: {refusal}");
            return Err(OpenError::damaged(path, what));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn fetch_from(
    peer: &Connection,
    base: Hash,
    range: RangeInclusive<u64>,
) -> Result<Vec<Entry>, TransportError> {
    let (mut next, last) = range.into_inner();
    let (mut entries, mut hash) = (Vec::new(), base);
    while next <= last {
        let ask = Ask::Entries { start: next, end: last + 1 };
        let records = match peer.ask(&ask, ASK_TIMEOUT).await? {
            Answer::Entries(records) => records,
            Answer::Refused(why) => return Err(TransportError(why)),
            _ => return Err(TransportError("the answer is of another kind".into())),
        };
        if records.is_empty() {
            return Err(TransportError(format!("it has no committed entry {next}")));
        }
        for (index, record) in records {
            let entry = Entry::decode(index, &record);
            let entry = entry.and_then(|entry| entry.check(&hash).map(|()| entry));
            let entry = entry.map_err(|error| TransportError(error.to_string()))?;
            if index != next || index > last {
                return Err(TransportError(format!("it sent entry {index} for entry {next}")));
            }
            (hash, next) = (entry.hash, next + 1);
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The first entry of the tail that cannot be read, and the hash it is chained to, if that is
/// before it in the tail.
fn first_damaged(tail: &Tail, state: &TailState) -> Result<Option<(u64, Option<Hash>)>, OpenError> {
    let Some((first, last)) = state.entries else { return Ok(None) };
    let mut base = None;
    for index in first..=last.index {
        match tail.read(index..index + 1).map(|entries| entries.into_iter().next()) {
            Ok(Some(entry)) => base = Some(entry.hash),
            Ok(None) | Err(ReadError::Entry { .. } | ReadError::Missing { .. }) => {
                return Ok(Some((index, base)));
            }
            Err(ReadError::File(error)) => return Err(error),
            Err(error @ ReadError::Purged { .. }) => {
                return Err(OpenError::damaged(tail.path(), error.to_string()));
            }
        }
    }
    Ok(None)
}

/// Who took part last, as far as the files tell: the tail, else a snapshot, else the history.
fn members(dir: &Path, tail: &Tail, state: &TailState) -> Result<BTreeMap<u64, Member>, OpenError> {
    if let Some((first, last)) = state.entries {
        let read = |index| tail.read(index..index + 1).unwrap_or_default();
        let newest = (first..=last.index).rev().flat_map(read).find_map(|entry| nodes(&entry));
        if let Some(members) = newest {
            return Ok(members);
        }
    }
    let newest = snapshot::newest_good(dir).map_err(OpenError::io(dir))?;
    if let Some(newest) = newest {
        let membership = newest.header.membership.membership().clone();
        return Ok(membership.nodes().map(|(node, member)| (*node, member.clone())).collect());
    }
    for path in history::paths(dir)?.iter().rev() {
        let Ok(segment) = Segment::open(path) else { continue };
        let entries = segment.read(0..u64::MAX).unwrap_or_default();
        if let Some(members) = entries.iter().rev().find_map(nodes) {
            return Ok(members);
        }
    }
    Ok(BTreeMap::new())
}

fn nodes(entry: &Entry) -> Option<BTreeMap<u64, Member>> {
    if entry.kind != Kind::Membership {
        return None;
    }
    let membership: RaftMembership = rmp_serde::from_slice(&entry.payload).ok()?;
    Some(membership.nodes().map(|(node, member)| (*node, member.clone())).collect())
}
