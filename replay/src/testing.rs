//! Journals of one member, written for tests.

use std::io::{self, Read, Write};
use std::time::Duration;

use ::journal::testing::MemoryNetwork;
use ::journal::{
    ApplyError, Committed, Config, Leadership, Machine, Member, Outcome, SnapshotSource,
};
use bytes::Bytes;
use statemachine::testing::World;
use statemachine::{Batch, Record, State, TaskState};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// How long anything may take that should happen soon.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is written, in order.
pub(crate) enum Step {
    Batch(Batch),
    Snapshot,
}

/// A journal's directory, as its master left it.
pub(crate) fn written(steps: Vec<Step>) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(write(&dir, steps));
    dir
}

/// One batch for each event of a small world in which something happens.
pub(crate) fn story() -> Vec<Batch> {
    let mut world = World::new();
    let framework = world.framework(&["*"]);
    world.agent("cpus:4;mem:512");
    world.launch(framework, "t1", "cpus:1;mem:32");
    world.update(framework, "t1", TaskState::Running, 1).expect("an update of a known task");
    world.acknowledge(framework, "t1", 1);
    let record = |event| Record { cause: "Test".into(), principal: None, events: vec![event] };
    let at = world.now;
    world.events.into_iter().map(|event| Batch { at, records: vec![record(event)] }).collect()
}

async fn write(dir: &TempDir, steps: Vec<Step>) {
    let machine = Box::new(Folded(State::default()));
    let network = MemoryNetwork::default();
    let config = Config::new(dir.path(), 1);
    let opened = ::journal::Journal::open(config, machine, network.transport(1)).await;
    let journal = opened.expect("a new journal opens");
    let incarnation = journal.identity().incarnation;
    let member = Member { address: "memory:1".into(), incarnation };
    journal.form([(1, member)].into(), "c").await.expect("one member is a quorum");
    let mut leadership = journal.leadership();
    let leads = leadership.wait_for(|now| matches!(now, Leadership::Leader { .. }));
    let leads = tokio::time::timeout(DEADLINE, leads).await.expect("a leader in time");
    let Leadership::Leader { term } = *leads.expect("the journal runs") else {
        unreachable!("waited for it")
    };
    for step in steps {
        let Step::Batch(batch) = step else {
            journal.take_snapshot().await.expect("a snapshot");
            continue;
        };
        let (sender, receiver) = oneshot::channel();
        journal.propose(term, Bytes::from(batch.encode()), move |outcome| {
            // a test that has failed meanwhile does not listen
            let _ = sender.send(outcome);
        });
        let outcome = tokio::time::timeout(DEADLINE, receiver).await.expect("an answer in time");
        assert!(matches!(outcome, Ok(Outcome::Committed { .. })), "{outcome:?}");
    }
    journal.shutdown().await;
}

struct Folded(State);

impl Machine for Folded {
    fn apply(&mut self, entry: &Committed) -> Result<(), ApplyError> {
        let batch = Batch::decode(&entry.payload);
        batch.map_err(|error| ApplyError(error.to_string()))?.apply(&mut self.0);
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn SnapshotSource> {
        Box::new(Frozen(self.0.encode()))
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), ApplyError> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(|error| ApplyError(error.to_string()))?;
        self.0 = State::decode(&bytes[8..]).map_err(|error| ApplyError(error.to_string()))?;
        Ok(())
    }
}

struct Frozen(Vec<u8>);

impl SnapshotSource for Frozen {
    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        // as a master does: first the entry that was folded last, which nobody here asks for
        to.write_all(&[0; 8])?;
        to.write_all(&self.0)
    }
}
