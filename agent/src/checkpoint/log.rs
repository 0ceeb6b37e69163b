//! The checkpoint's file: events in order, written by one thread, everything that waits in one
//! transaction.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::mpsc;

use super::apply::apply;
use super::event::Event;
use super::state::State;

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Number of the layout of this file. Another one is refused by name.
const FORMAT: u64 = 1;

/// Batches that may wait for the disk. When as many do, the agent takes no new input until some are
/// written, so that the next batch grows instead of the queue.
pub(crate) const WINDOW: usize = 64;
/// The log is compacted once it holds this many events, and four for each task that is kept.
const COMPACT_AFTER: u64 = 16_384;

/// Why the checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be opened.
    #[error("cannot open the checkpoint {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: redb::Error,
    },
    /// The file is there and holds nothing.
    #[error(
        "the checkpoint {0} is empty: what it knew of running tasks is lost. Put back a copy, or remove the work \
         directory to begin as a new agent"
    )]
    Lost(PathBuf),
    /// Another process has it open.
    #[error("another agent runs on {0}")]
    InUse(PathBuf),
    /// The file is of another layout.
    #[error("the checkpoint {path} has format {found}, and this agent knows format {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The number it carries.
        found: u64,
    },
    /// An event cannot be read: it is damaged, or written by a newer agent.
    #[error("event {index} of the checkpoint cannot be read")]
    Decode {
        /// Its place in the log.
        index: u64,
        /// What is wrong with it.
        source: rmp_serde::decode::Error,
    },
    /// Events cannot be made durable. The agent stops: it must not act on what it could forget.
    #[error("cannot write to the checkpoint")]
    Write(#[source] redb::Error),
    /// An event cannot be encoded.
    #[error("cannot encode an event for the checkpoint")]
    Encode(#[from] rmp_serde::encode::Error),
    /// The writing thread cannot be started, or is gone.
    #[error("the checkpoint's writer does not run")]
    Writer(#[source] std::io::Error),
}

/// Events that become durable together.
#[derive(Debug)]
struct Batch {
    number: u64,
    events: Vec<Event>,
}

/// The agent's end of the checkpoint.
#[derive(Debug)]
pub(crate) struct Log {
    batches: SyncSender<Batch>,
    durable: mpsc::Receiver<Result<u64, CheckpointError>>,
    /// Number of the last batch handed over.
    sent: u64,
    /// Number of the last batch known to be durable.
    written: u64,
    events_since_compaction: u64,
}

impl Log {
    /// Opens or makes the checkpoint at `path` and folds what it holds.
    pub(crate) fn open(path: &Path) -> Result<(Self, State), CheckpointError> {
        let open = |source: redb::Error| CheckpointError::Open { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| open(error.into()))?;
        }
        // an empty file would be made a checkpoint that knows nothing, and what runs be killed for it
        if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            return Err(CheckpointError::Lost(path.to_owned()));
        }
        make(path).map_err(&open)?;
        let database = Database::open(path).map_err(|error| match error {
            // the work directory, as the operator named it
            DatabaseError::DatabaseAlreadyOpen => {
                let work_dir = path.parent().and_then(Path::parent).unwrap_or(path);
                CheckpointError::InUse(work_dir.to_owned())
            }
            error => open(error.into()),
        })?;
        let found = check_format(&database).map_err(open)?;
        if found != FORMAT {
            return Err(CheckpointError::Format { path: path.to_owned(), found });
        }
        let (state, next, count) = load(&database, &open)?;
        let (batches, received) = sync_channel(WINDOW);
        let (answers, durable) = mpsc::channel(WINDOW);
        thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || write_all(&database, next, &received, &answers))
            .map_err(CheckpointError::Writer)?;
        let log = Self { batches, durable, sent: 0, written: 0, events_since_compaction: count };
        Ok((log, state))
    }

    /// Whether another batch may be appended now.
    pub(crate) fn has_room(&self) -> bool {
        self.sent - self.written < WINDOW as u64
    }

    /// Hands events over to be written, and returns the number that [`Log::wait`] will report. With
    /// no events it is the number of what was handed over last.
    ///
    /// `state` is the state after them; from time to time it replaces the log.
    pub(crate) fn append(
        &mut self,
        mut events: Vec<Event>,
        state: &State,
    ) -> Result<u64, CheckpointError> {
        if events.is_empty() {
            return Ok(self.sent);
        }
        self.events_since_compaction += events.len() as u64;
        if self.events_since_compaction > COMPACT_AFTER + 4 * state.tasks.len() as u64 {
            events = vec![Event::Compacted(Box::new(state.clone()))];
            self.events_since_compaction = 1;
        }
        self.sent += 1;
        let batch = Batch { number: self.sent, events };
        self.batches.try_send(batch).map_err(|error| {
            let text = match error {
                TrySendError::Full(_) => "its queue is full",
                TrySendError::Disconnected(_) => "it has ended",
            };
            CheckpointError::Writer(std::io::Error::other(text))
        })?;
        Ok(self.sent)
    }

    /// Number of the last batch known to be durable.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Waits until more is durable. Never returns while nothing is under way.
    pub(crate) async fn wait(&mut self) -> Result<(), CheckpointError> {
        match self.durable.recv().await {
            Some(Ok(number)) => {
                self.written = number;
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Err(CheckpointError::Writer(std::io::Error::other("it has ended"))),
        }
    }
}

/// Makes an empty checkpoint if there is none. It gets its name once it is whole, so that an empty file is never one
/// that was being made.
fn make(path: &Path) -> Result<(), redb::Error> {
    if path.exists() {
        return Ok(());
    }
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    check_format(&Database::create(&unfinished)?)?;
    std::fs::rename(&unfinished, path)?;
    let directory = path.parent().unwrap_or(path);
    std::fs::File::open(directory)?.sync_all()?;
    Ok(())
}

fn check_format(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let found = {
        let mut meta = transaction.open_table(META)?;
        transaction.open_table(EVENTS)?;
        let found = meta.get("format")?.map(|value| value.value());
        if found.is_none() {
            meta.insert("format", FORMAT)?;
        }
        found.unwrap_or(FORMAT)
    };
    transaction.commit()?;
    Ok(found)
}

/// Folds the whole file: the state, the key of the next event, and how many there are.
fn load(
    database: &Database,
    failed: &impl Fn(redb::Error) -> CheckpointError,
) -> Result<(State, u64, u64), CheckpointError> {
    let transaction = database.begin_read().map_err(|error| failed(error.into()))?;
    let table = transaction.open_table(EVENTS).map_err(|error| failed(error.into()))?;
    let mut state = State::default();
    let (mut next, mut count) = (0, 0);
    for entry in table.iter().map_err(|error| failed(error.into()))? {
        let (key, value) = entry.map_err(|error| failed(error.into()))?;
        let index = key.value();
        let event = rmp_serde::from_slice(value.value())
            .map_err(|source| CheckpointError::Decode { index, source })?;
        apply(&mut state, &event);
        next = index + 1;
        count += 1;
    }
    Ok((state, next, count))
}

fn write_all(
    database: &Database,
    mut next: u64,
    batches: &Receiver<Batch>,
    answers: &mpsc::Sender<Result<u64, CheckpointError>>,
) {
    while let Ok(first) = batches.recv() {
        let mut waiting = vec![first];
        waiting.extend(batches.try_iter());
        let number = waiting.last().map_or(0, |batch| batch.number);
        let events = waiting.into_iter().flat_map(|batch| batch.events);
        let answer = write(database, &mut next, events).map(|()| number);
        let has_failed = answer.is_err();
        if answers.blocking_send(answer).is_err() || has_failed {
            return;
        }
    }
}

fn write(
    database: &Database,
    next: &mut u64,
    events: impl Iterator<Item = Event>,
) -> Result<(), CheckpointError> {
    let failed = |error: redb::Error| CheckpointError::Write(error);
    let transaction = database.begin_write().map_err(|error| failed(error.into()))?;
    {
        let mut table = transaction.open_table(EVENTS).map_err(|error| failed(error.into()))?;
        for event in events {
            if matches!(event, Event::Compacted(_)) {
                table.retain(|_, _| false).map_err(|error| failed(error.into()))?;
            }
            let bytes = rmp_serde::to_vec_named(&event)?;
            table.insert(*next, bytes.as_slice()).map_err(|error| failed(error.into()))?;
            *next += 1;
        }
    }
    transaction.commit().map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcomed(term: u64) -> Event {
        Event::Welcomed { cluster_id: "c".to_owned(), agent_id: "a".to_owned(), term }
    }

    async fn append(log: &mut Log, state: &mut State, event: Event) {
        apply(state, &event);
        let number = log.append(vec![event], state).expect("appended");
        while log.written() < number {
            log.wait().await.expect("written");
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("meta/agent.redb");
        let (mut log, mut state) = Log::open(&path).expect("opened");
        append(&mut log, &mut state, welcomed(7)).await;
        drop(log);
        let reopened = poll_open(&path);
        assert_eq!(reopened, state);
        assert_eq!(reopened.term, 7);
    }

    #[test]
    fn an_empty_file_is_not_taken_for_a_new_checkpoint() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("agent.redb");
        std::fs::write(path.with_extension("new"), "of an agent that died").expect("written");
        drop(Log::open(&path).expect("made anew"));
        // another one: the writer of the first lets go of its file a moment later
        let path = directory.path().join("emptied.redb");
        std::fs::write(&path, "").expect("emptied");
        let error = Log::open(&path).expect_err("refused");
        assert!(matches!(error, CheckpointError::Lost(_)), "{error}");
    }

    /// The writer lets go of the file a moment after its log is dropped.
    fn poll_open(path: &Path) -> State {
        let started = std::time::Instant::now();
        loop {
            match Log::open(path) {
                Ok((_, state)) => return state,
                Err(error) if started.elapsed().as_secs() > 10 => panic!("{error}"),
                Err(_) => thread::yield_now(),
            }
        }
    }

    /// gaps 52
    #[tokio::test]
    async fn a_compacted_log_folds_into_the_same_state() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("agent.redb");
        let (mut log, mut state) = Log::open(&path).expect("opened");
        log.events_since_compaction = COMPACT_AFTER - 2;
        for term in 0..5 {
            append(&mut log, &mut state, welcomed(term)).await;
        }
        assert!(log.events_since_compaction < 5, "it was compacted");
        drop(log);
        assert_eq!(poll_open(&path), state);
    }

    #[test]
    fn a_file_that_is_no_checkpoint_is_named() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("agent.redb");
        std::fs::write(&path, vec![7; 8192]).expect("written");
        let error = Log::open(&path).expect_err("garbage");
        assert!(error.to_string().contains("agent.redb"), "{error}");
    }

    #[test]
    fn an_unknown_event_is_named_by_its_place() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("agent.redb");
        let database = Database::create(&path).expect("created");
        check_format(&database).expect("format");
        let transaction = database.begin_write().expect("begun");
        {
            let mut table = transaction.open_table(EVENTS).expect("opened");
            let bytes = rmp_serde::to_vec_named(&("Unheard", 1)).expect("encoded");
            table.insert(3, bytes.as_slice()).expect("inserted");
        }
        transaction.commit().expect("committed");
        drop(database);
        let error = Log::open(&path).expect_err("unknown event");
        assert!(error.to_string().contains("event 3"), "{error}");
    }
}
