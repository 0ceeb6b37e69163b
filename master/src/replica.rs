//! The committed state of this master, folded from the journal; leader and follower alike.

use std::io::{self, Read, Write};
use std::sync::Arc;

use arc_swap::ArcSwap;
use journal::{ApplyError, Committed, Machine, SnapshotSource};
use statemachine::{Batch, State};
use tokio::sync::broadcast;

/// The committed state at one index. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Frozen {
    /// Index of the last entry folded in.
    pub index: u64,
    /// The state.
    pub state: State,
}

/// Entries that listeners may be behind before they read them from the journal's files.
const ENTRIES_BEHIND_MAX: usize = 256;

/// What a replica has done.
#[derive(Clone, Debug)]
pub(crate) enum Applied {
    /// It has folded an entry.
    Entry(Committed),
    /// It was far behind and took a whole state in the place of entries.
    Snapshot,
}

/// Where readers find the newest committed state, without ever waiting for the fold, and hear of entries
/// once they are part of it.
#[derive(Clone, Debug)]
pub struct Reader {
    newest: Arc<ArcSwap<Frozen>>,
    applied: broadcast::Sender<Applied>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { newest: Arc::default(), applied: broadcast::Sender::new(ENTRIES_BEHIND_MAX) }
    }
}

impl Reader {
    /// The newest committed state.
    pub fn load(&self) -> Arc<Frozen> {
        self.newest.load_full()
    }

    /// The newest committed state alone; a few reference counts.
    pub fn state(&self) -> State {
        self.newest.load().state.clone()
    }

    /// What is applied from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Applied> {
        self.applied.subscribe()
    }
}

/// The journal's machine: folds batches and publishes the state after each.
#[derive(Debug, Default)]
pub struct Replica {
    current: Frozen,
    published: Reader,
}

impl Replica {
    /// An empty replica, and the readers' side of it.
    pub fn new() -> (Self, Reader) {
        let replica = Self::default();
        let reader = replica.published.clone();
        (replica, reader)
    }

    fn publish(&self) {
        self.published.newest.store(Arc::new(self.current.clone()));
    }
}

impl Machine for Replica {
    fn apply(&mut self, entry: &Committed) -> Result<(), ApplyError> {
        let batch = Batch::decode(&entry.payload).map_err(|error| ApplyError(error.to_string()))?;
        batch.apply(&mut self.current.state);
        self.current.index = entry.index;
        self.publish();
        // nobody needs to listen
        let _ = self.published.applied.send(Applied::Entry(entry.clone()));
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn SnapshotSource> {
        Box::new(self.current.clone())
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), ApplyError> {
        let failed = |error: &dyn std::error::Error| ApplyError(error.to_string());
        let mut index = [0; 8];
        from.read_exact(&mut index).map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        let state = State::decode(&bytes).map_err(|error| failed(&error))?;
        self.current = Frozen { index: u64::from_le_bytes(index), state };
        self.publish();
        let _ = self.published.applied.send(Applied::Snapshot);
        Ok(())
    }
}

impl SnapshotSource for Frozen {
    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&self.index.to_le_bytes())?;
        to.write_all(&self.state.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statemachine::cluster::LeaderElected;
    use statemachine::{Record, Retention, Time};

    fn entry(index: u64, payload: Vec<u8>) -> Committed {
        Committed { index, term: 1, payload: payload.into() }
    }

    fn elected() -> Vec<u8> {
        let event = LeaderElected {
            term: 1,
            leader: 1,
            cluster: "c".into(),
            frameworks_until: Time(0),
            agents_until: Time(0),
            retention: Retention::default(),
            weights: Vec::new(),
        };
        let record = Record { cause: "Lead".into(), principal: None, events: vec![event.into()] };
        Batch { at: Time(7), records: vec![record] }.encode()
    }

    #[test]
    fn what_is_applied_is_published_and_survives_a_snapshot() {
        let (mut replica, reader) = Replica::new();
        replica.apply(&entry(3, elected())).expect("a batch");
        let frozen = reader.load();
        assert_eq!((frozen.index, &*frozen.state.cluster.id), (3, "c"));

        let mut bytes = Vec::new();
        replica.snapshot().write(&mut bytes).expect("memory takes all");
        let (mut other, reader) = Replica::new();
        other.restore(&mut &*bytes).expect("our own snapshot");
        assert_eq!(reader.load().index, 3);
        assert_eq!(reader.load().state.digest(), frozen.state.digest());
    }

    #[test]
    fn what_cannot_be_understood_stops_the_replica() {
        let (mut replica, reader) = Replica::new();
        let error = replica.apply(&entry(1, b"no batch".to_vec())).expect_err("refused");
        assert!(!error.0.is_empty());
        assert_eq!(reader.load().index, 0);
        assert!(replica.restore(&mut &b"short"[..]).is_err());
    }
}
