//! Segments, snapshots and retention, and readers of all of them.

use std::fs;
use std::path::Path;

use crate::testing::{Quorum, answered, eventually, propose};
use crate::{Config, Kind, Outcome, ReadError, Reader, Retention};

/// Small files, so that there are many.
pub(super) fn small(config: &mut Config) {
    config.segment_bytes = 8 << 10;
    config.snapshot_entries = 200;
    config.cache_bytes = 4 << 10;
}

fn small_and_forgetful(config: &mut Config) {
    small(config);
    config.retention = Retention { max_age: None, max_bytes: Some(1) };
}

pub(super) fn count(dir: &Path, prefix: &str) -> usize {
    let files = fs::read_dir(dir).expect("readable").map(|file| file.expect("readable"));
    files.filter(|file| file.file_name().to_string_lossy().starts_with(prefix)).count()
}

pub(super) fn numbers(reader: &Reader) -> Vec<u64> {
    let entries = reader.entries(..).map(|entry| entry.expect("whole"));
    let normal = entries.filter(|entry| entry.kind == Kind::Normal);
    normal
        .map(|entry| u64::from_le_bytes(entry.payload[..8].try_into().expect("8 bytes")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_read_beside_a_live_journal_and_after_it() {
    let mut quorum = Quorum::form(3, small).await;
    quorum.commit(0..1000).await;
    quorum.agree(0..1000).await;
    let dir = quorum.dir(1).to_path_buf();
    eventually("segments", || (count(&dir, "history-") > 5).then_some(())).await;
    let live = Reader::open(&dir).expect("opened beside the master");
    assert_eq!(numbers(&live), (0..1000).collect::<Vec<_>>());
    live.verify().expect("whole");
    quorum.stop(1).await;
    let after = Reader::open(&dir).expect("opened after the master");
    assert_eq!(numbers(&after), (0..1000).collect::<Vec<_>>());
    let verified = after.verify().expect("whole");
    assert_eq!(verified.entries, after.bounds().last.expect("entries") + 1);
    quorum.start(1).await.expect("its files are as they were");
    quorum.commit(1000..1100).await;
    quorum.agree(0..1100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_far_behind_catches_up_from_segments() {
    let mut quorum = Quorum::form(3, small).await;
    let (leader, _) = quorum.leader().await;
    let behind = leader % 3 + 1;
    quorum.stop(behind).await;
    quorum.commit(0..2000).await;
    let dir = quorum.dir(leader).to_path_buf();
    eventually("segments", || (count(&dir, "history-") > 10).then_some(())).await;
    quorum.start(behind).await.expect("its files are as they were");
    quorum.agree(0..2000).await;
    assert_eq!(quorum.nodes[&behind].journal.status().first_index, 0, "nothing was skipped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_let_go_comes_as_a_snapshot() {
    let mut quorum = Quorum::form(3, small_and_forgetful).await;
    let (leader, _) = quorum.leader().await;
    let behind = leader % 3 + 1;
    quorum.stop(behind).await;
    quorum.commit(0..2000).await;
    let first = {
        let journal = &quorum.nodes[&leader].journal;
        eventually("a purge", || Some(journal.status().first_index).filter(|it| *it > 100)).await
    };
    quorum.start(behind).await.expect("its files are as they were");
    quorum.agree(0..2000).await;
    let journal = quorum.nodes[&behind].journal.clone();
    eventually("the follower to begin later", || {
        (journal.status().first_index >= first).then_some(())
    })
    .await;
    drop(journal);
    quorum.commit(2000..2100).await;
    quorum.agree(0..2100).await;
    for node in 1..=3 {
        let journal = quorum.nodes[&node].journal.clone();
        eventually("a purge", || Some(journal.status().first_index).filter(|it| *it > 0)).await;
        quorum.stop(node).await;
        let reader = Reader::open(quorum.dir(node)).expect("opened");
        reader.verify().expect("whole, from where it begins");
        let gone = reader.entries(0..1).next().expect("an answer");
        assert!(matches!(gone, Err(ReadError::Purged { index: 0, .. })), "{gone:?}");
        let snapshot = reader.snapshot(u64::MAX).expect("readable").expect("there is one");
        assert!(snapshot.index + 1 >= reader.bounds().first);
        assert!(count(quorum.dir(node), "snapshot-") <= 2);
    }
    for node in 1..=3 {
        quorum.start(node).await.expect("restored from its snapshot");
    }
    quorum.commit(2100..2110).await;
    quorum.agree(0..2110).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_streams_to_a_new_member() {
    let mut quorum = Quorum::form(1, small_and_forgetful).await;
    quorum.commit(0..1000).await;
    let journal = quorum.nodes[&1].journal.clone();
    eventually("a purge", || Some(journal.status().first_index).filter(|it| *it > 100)).await;
    let member = quorum.start_joiner(2).await;
    journal.add(2, member).await.expect("added");
    quorum.agree(0..1000).await;
    assert!(quorum.nodes[&2].journal.status().first_index > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_named() {
    let mut quorum = Quorum::form(1, small).await;
    quorum.commit(0..500).await;
    let dir = quorum.dir(1).to_path_buf();
    eventually("segments", || (count(&dir, "history-") > 2).then_some(())).await;
    quorum.stop(1).await;
    Reader::open(&dir).expect("opened").verify().expect("whole so far");
    for file in fs::read_dir(&dir).expect("readable") {
        let path = file.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        if !name.starts_with("history-") && !name.starts_with("snapshot-") {
            continue;
        }
        let good = fs::read(&path).expect("readable");
        let at = payload_position(&good).unwrap_or(good.len() / 2);
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).expect("written");
        let verified = Reader::open(&dir).map_err(ReadError::from).and_then(|it| it.verify());
        let error = verified.expect_err("damaged");
        assert!(error.to_string().contains(&name), "{error} does not name {name}");
        fs::write(&path, good).expect("written");
    }
}

/// Where a payload lies in a file: a run of the zeros that proposals are padded with, of which there
/// are none so long elsewhere but in pages that are not used.
fn payload_position(file: &[u8]) -> Option<usize> {
    let record = [1_u8, 1, 0, 0, 0, 0, 0, 0, 0];
    file.windows(record.len()).position(|window| window == record).map(|at| at + 60)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_used_once_at_a_time_and_by_its_own_node() {
    let mut quorum = Quorum::form(1, |_| {}).await;
    let dir = quorum.dir(1).to_path_buf();
    let open = |node| {
        let machine = Box::new(crate::testing::Counter::default());
        let transport = crate::testing::MemoryNetwork::default().transport(node);
        crate::Journal::open(Config::new(&dir, node), machine, transport)
    };
    let error = open(1).await.expect_err("in use").to_string();
    assert!(error.contains("in use by another process"), "{error}");
    quorum.stop(1).await;
    let error = open(2).await.expect_err("not its own").to_string();
    assert!(error.contains("belongs to node 1, not to node 2"), "{error}");
}

#[test]
fn a_reader_wants_a_journal() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let error = Reader::open(dir.path()).expect_err("nothing there").to_string();
    assert!(error.contains("holds no journal"), "{error}");
    assert_eq!(count(dir.path(), ""), 0, "nothing was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_a_busy_journal_sees_all_that_was_committed_before() {
    let quorum = Quorum::form(1, small).await;
    let dir = quorum.dir(1).to_path_buf();
    for round in 0..20_u64 {
        quorum.commit(round * 50..(round + 1) * 50).await;
        let (_, term) = quorum.leader().await;
        let journal = &quorum.nodes[&1].journal;
        // more is being written meanwhile; the reader sees a prefix of it
        let writing: Vec<_> = (0..200).map(|_| propose(journal, term, u64::MAX - 1)).collect();
        let path = dir.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let reader = Reader::open(&path).expect("opened");
            reader.verify().expect("whole");
            numbers(&reader)
        });
        let mut read = reading.await.expect("read");
        read.retain(|number| *number != u64::MAX - 1);
        assert_eq!(read, (0..(round + 1) * 50).collect::<Vec<_>>(), "round {round}");
        for outcome in writing {
            assert!(matches!(answered(outcome).await, Outcome::Committed { .. }));
        }
    }
}
