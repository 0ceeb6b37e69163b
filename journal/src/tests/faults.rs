//! Disks that fail.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;

use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use proptest::prelude::*;

use crate::Leadership;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::raft::{Payload, RaftEntry, TypeConfig, log_id};
use crate::store::{LogStore, Tail};
use crate::testing::{FailingDisk, Quorum, answered, eventually, propose};

/// semantics 247
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_decisions_not_reads_and_passes() {
    let quorum = Quorum::form(1, |_| {}).await;
    quorum.commit(0..100).await;
    let node = &quorum.nodes[&1];
    let (_, term) = quorum.leader().await;
    node.disk.fail_after(0);
    let outcome = propose(&node.journal, term, 100);
    let leadership = node.journal.leadership();
    let reason = eventually("the journal to stop", || match &*leadership.borrow() {
        Leadership::Stopped(reason) => Some(reason.clone()),
        _ => None,
    })
    .await;
    assert!(reason.contains("cannot write the journal"), "{reason}");
    let outcome = answered(outcome).await;
    assert_eq!(outcome, crate::Outcome::Unknown, "it was not acknowledged");
    assert_eq!(node.counts.numbers().len(), 100, "reads go on");
    assert_eq!(node.journal.status().stopped, Some(reason));
    node.disk.heal();
    quorum.commit(200..210).await;
    let (_, next_term) = quorum.leader().await;
    assert!(next_term > term, "a leader that lost appends resumed its term {term}");
    let numbers = node.counts.numbers();
    assert!(numbers.ends_with(&(200..210).collect::<Vec<_>>()), "{numbers:?}");
    assert_eq!(node.journal.status().stopped, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_goes_on_without_the_node_whose_disk_is_full() {
    let quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..100).await;
    let (full, _) = quorum.leader().await;
    quorum.nodes[&full].disk.fail_after(5);
    let leadership = quorum.nodes[&full].journal.leadership();
    let mut next = 100;
    while !matches!(*leadership.borrow(), Leadership::Stopped(_)) {
        let (leader, term) = quorum.leader().await;
        let outcome = propose(&quorum.nodes[&leader].journal, term, next);
        let outcome = answered(outcome).await;
        if matches!(outcome, crate::Outcome::Committed { .. }) {
            next += 1;
        } else {
            break;
        }
    }
    eventually("the full disk to be noticed", || {
        matches!(*leadership.borrow(), Leadership::Stopped(_)).then_some(())
    })
    .await;
    quorum.commit(5000..5100).await;
    quorum.nodes[&full].disk.heal();
    quorum.commit(5100..5110).await;
    let (leader, _) = quorum.leader().await;
    let expected = quorum.nodes[&leader].counts.numbers();
    assert!(expected.starts_with(&(0..next).collect::<Vec<_>>()), "an acknowledged one is lost");
    quorum.agree(expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_disk_is_full_hears_who_leads() {
    let quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..10).await;
    let (leader, _) = quorum.leader().await;
    let node = &quorum.nodes[&(leader % 3 + 1)];
    assert_eq!(node.journal.heard().leader(), None, "it takes part itself");
    node.disk.fail_after(0);
    quorum.commit(10..20).await;
    let known = || {
        let stopped = matches!(*node.journal.leadership().borrow(), Leadership::Stopped(_));
        node.journal.heard().leader().filter(|_| stopped)
    };
    let heard = eventually("the leader to be heard", known).await;
    assert_eq!(heard, (leader, format!("memory:{leader}")));
    let members = node.journal.status().members;
    assert_eq!(members.iter().filter(|member| member.voter).count(), 3, "{members:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_a_newer_version_stops_the_machine_with_a_reason() {
    let quorum = Quorum::form(1, |_| {}).await;
    quorum.commit(0..10).await;
    let (_, term) = quorum.leader().await;
    let journal = &quorum.nodes[&1].journal;
    let outcome = propose(journal, term, u64::MAX);
    let outcome = answered(outcome).await;
    assert_eq!(outcome, crate::Outcome::Unknown);
    let reason = eventually("the journal to stop", || journal.status().stopped).await;
    assert!(reason.contains("an entry of a newer version"), "{reason}");
    assert_eq!(quorum.nodes[&1].counts.numbers().len(), 10);
}

/// More than any disk here lets through.
const MAX_ENTRIES: u64 = 500;

/// Appends entries one by one to a log whose disk fails after `writes`; gives the last index that
/// was acknowledged.
async fn append_until_failure(log: &mut LogStore, disk: &FailingDisk, writes: u64) -> Option<u64> {
    disk.fail_after(writes);
    let mut acknowledged = None;
    for index in 0..MAX_ENTRIES {
        let (sender, receiver) = TypeConfig::oneshot();
        let payload = Payload::from(bytes::Bytes::from(vec![index as u8; 100]));
        let payload = openraft::EntryPayload::Normal(payload);
        let entry = RaftEntry { log_id: log_id(1, index), payload };
        log.append([entry], IOFlushed::signal(sender)).await.expect("queued");
        match receiver.await {
            Ok(Ok(())) => acknowledged = Some(index),
            _ => break,
        }
    }
    acknowledged
}

fn check_nothing_lost(writes: u64, kind: io::ErrorKind) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let disk = FailingDisk::new(kind);
        Tail::make(dir.path(), &disk).expect("a new tail");
        let open =
            || LogStore::open(dir.path(), 1 << 20, &disk, Fault::default(), Gate::new(), None);
        let mut log = open().expect("a new log");
        let acknowledged = append_until_failure(&mut log, &disk, writes).await;
        drop(log);
        disk.heal();
        let mut log = open().expect("what is on disk is whole");
        let entries = log.try_get_log_entries(0..).await.expect("readable");
        let found = entries.last().map(|entry| entry.log_id.index);
        assert!(found >= acknowledged, "{acknowledged:?} was acknowledged, {found:?} found");
        assert_eq!(entries.len() as u64, found.map_or(0, |found| found + 1), "no gaps");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_disk_that_fails_or_tears_at_any_write_loses_nothing_acknowledged(
        writes in 0_u64..400,
        full: bool,
    ) {
        let kind = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        check_nothing_lost(writes, kind);
    }
}

#[test]
fn a_writer_that_failed_answers_everything_that_waits() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let disk = FailingDisk::new(io::ErrorKind::Other);
        let fault = Fault::default();
        Tail::make(dir.path(), &disk).expect("a new tail");
        let log = LogStore::open(dir.path(), 1 << 20, &disk, fault.clone(), Gate::new(), None)
            .expect("a new log");
        disk.fail_after(0);
        for _ in 0..3 {
            log.flush().await.expect_err("not written");
        }
        assert!(fault.get().is_some());
        let (sender, receiver) = mpsc::channel();
        let log = Arc::new(log);
        let other = log.clone();
        tokio::spawn(async move { sender.send(other.flush().await.is_err()) })
            .await
            .expect("ran")
            .expect("heard");
        assert_eq!(receiver.try_recv(), Ok(true));
    });
}
