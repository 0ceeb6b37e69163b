//! The one thread that writes to the tail. Everything that waits becomes one transaction: group
//! commit is worth 16 to 20 times the throughput of one transaction per operation.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use redb::Table;

use super::queue::{Done, Operation, Queue};
use super::tail::Tail;
use crate::fault::Fault;
use crate::format::{ENTRIES, META, encode_log_id, key};
use crate::raft::LogId;

/// A commit mark that nothing came to ride along with for so long is written by itself, so that a
/// reader beside an idle master sees how far it is committed.
const COMMITTED_IDLE: Duration = Duration::from_millis(200);
/// How long the writer waits for a reader that copies the tail, and in which steps.
const READER_POLLS: u32 = 50;
const READER_POLL: Duration = Duration::from_millis(1);
/// How long the writer sleeps when it owes nothing.
const IDLE: Duration = Duration::from_secs(3600);
/// Operations beyond this go into the next transaction, so that no commit takes too long.
const MAX_TRANSACTION_BYTES: usize = 16 << 20;

pub(crate) struct Writer {
    pub(crate) tail: Tail,
    pub(crate) queue: Arc<Queue>,
    pub(crate) fault: Fault,
    /// Locked by whoever copies the tail.
    pub(crate) readers: File,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(crate) fn run(self) {
        let mut committed = None;
        loop {
            let idle = if committed.is_some() { COMMITTED_IDLE } else { IDLE };
            let Some(mut operations) = self.queue.take(idle) else {
                break;
            };
            let idle = operations.is_empty();
            while let Some(group) = next_group(&mut operations, &mut committed, idle) {
                self.write(group, committed.take());
            }
        }
        if committed.is_some() {
            self.write(Vec::new(), committed);
        }
    }

    /// Waits until nobody copies the tail, but not for long: a reader that hangs gets a torn copy,
    /// and finds out.
    fn wait_for_readers(&self) -> Writing<'_> {
        for _ in 0..READER_POLLS {
            match self.readers.try_lock_shared() {
                Ok(()) => return Writing(Some(&self.readers)),
                Err(_) => thread::sleep(READER_POLL),
            }
        }
        Writing(None)
    }

    /// A commit mark that cannot be written is given up: kept, it would be tried for ever and nothing else be taken from
    /// the queue. Who opens the tail again finds out how far it is committed.
    fn write(&self, group: Vec<Operation>, committed: Option<LogId>) {
        let result = match self.fault.tail() {
            // after an error the file is in doubt: nothing more is written until it is reopened
            Some(reason) => Err(io::Error::other(reason)),
            None => self.commit(&group, committed).map_err(|error| {
                let error = into_io(error);
                self.fault.report_tail(&error);
                error
            }),
        };
        for done in group.into_iter().filter_map(Operation::into_done) {
            call(done, &result);
        }
    }

    fn commit(&self, group: &[Operation], committed: Option<LogId>) -> Result<(), redb::Error> {
        let _writing = self.wait_for_readers();
        let transaction = self.tail.begin_write()?;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            let mut meta = transaction.open_table(META)?;
            for operation in group {
                apply(operation, &mut entries, &mut meta)?;
            }
            if let Some(committed) = committed {
                meta.insert(key::COMMITTED, encode_log_id(&committed).as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Held while the tail is written, so that a reader waits for a pause between two transactions.
struct Writing<'a>(Option<&'a File>);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // a lock that cannot be let go of now goes with the file
        let _ = self.0.map(File::unlock);
    }
}

/// The operations of the next transaction. Commit marks are taken out and put into `committed`;
/// one that is alone is written only when the writer is idle.
fn next_group(
    operations: &mut VecDeque<Operation>,
    committed: &mut Option<LogId>,
    idle: bool,
) -> Option<Vec<Operation>> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    while bytes < MAX_TRANSACTION_BYTES {
        match operations.pop_front() {
            None => break,
            Some(Operation::Committed(id)) => *committed = Some(id),
            Some(operation) => {
                bytes += size(&operation);
                group.push(operation);
            }
        }
    }
    let ride_alone = idle && committed.is_some();
    (!group.is_empty() || ride_alone).then_some(group)
}

fn size(operation: &Operation) -> usize {
    match operation {
        Operation::Append(records, _) => records.iter().map(|(_, record)| record.len()).sum(),
        _ => 0,
    }
}

fn apply(
    operation: &Operation,
    entries: &mut Table<'_, u64, &[u8]>,
    meta: &mut Table<'_, &str, &[u8]>,
) -> Result<(), redb::Error> {
    match operation {
        Operation::Append(records, _) => {
            for (index, record) in records {
                entries.insert(index, record.as_slice())?;
            }
        }
        Operation::Vote(vote, _) => {
            meta.insert(key::VOTE, vote.as_slice())?;
        }
        Operation::Truncate(index, _) => entries.retain_in(*index.., |_, _| false)?,
        Operation::Purge(mark, _) => {
            entries.retain_in(..=mark.index, |_, _| false)?;
            meta.insert(key::PURGED, mark.encode().as_slice())?;
        }
        Operation::Trim(index, _) => entries.retain_in(..=*index, |_, _| false)?,
        Operation::Committed(_) | Operation::Barrier(_) => {}
    }
    Ok(())
}

fn into_io(error: redb::Error) -> io::Error {
    match error {
        redb::Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

fn call(done: Done, result: &io::Result<()>) {
    done(match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::raft::log_id;
    use crate::store::RealDisk;

    /// A commit mark that rode alone and could not be written was tried for ever; nobody else was answered.
    #[test]
    fn after_a_failure_everybody_is_answered() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Tail::make(dir.path(), &RealDisk).expect("made");
        let (tail, _) = Tail::open(dir.path(), &RealDisk).expect("opened");
        let readers = File::open(dir.path()).expect("opened");
        let (queue, fault) = (Arc::new(Queue::default()), Fault::default());
        let writer = Writer { tail, queue: Arc::clone(&queue), fault: fault.clone(), readers };
        fault.report_tail(&io::Error::other("no space left"));
        let writing = thread::spawn(move || writer.run());
        queue.push(Operation::Committed(log_id(1, 1)));
        // by then it is written by itself; a writer that is slower is asked for both at once
        thread::sleep(COMMITTED_IDLE * 2);
        let (sender, receiver) = mpsc::channel();
        let done = move |result: io::Result<()>| sender.send(result.is_err()).expect("listening");
        queue.push(Operation::Barrier(Box::new(done)));
        queue.close();
        assert_eq!(receiver.recv(), Ok(true));
        writing.join().expect("it ends");
    }
}
