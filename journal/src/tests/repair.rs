//! Damaged entries come back from peers, and never from nowhere.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{count, small};
use crate::testing::{Quorum, eventually};
use crate::{Config, Reader};

/// Flips a bit in every entry that lies in the file at `path`.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    let heads: Vec<usize> = (0..bytes.len()).filter(|at| is_record(&bytes[*at..])).collect();
    assert!(!heads.is_empty(), "{} holds no entries", path.display());
    for at in heads {
        bytes[at + HEAD + 19] ^= 1;
    }
    fs::write(path, bytes).expect("written");
}

/// Bytes of a record before its payload.
const HEAD: usize = 41;

/// Whether a record of a proposal starts here: its kind, which is 1, its term, a small number, the
/// hash, another small number, and the zeros that it is padded with.
fn is_record(bytes: &[u8]) -> bool {
    let payload = bytes.get(HEAD..HEAD + 128);
    bytes[0] == 1
        && bytes.get(2..9) == Some(&[0; 7])
        && payload.is_some_and(|payload| payload[2..].iter().all(|byte| *byte == 0))
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).expect("readable").map(|file| file.expect("readable").path());
    let mut segments: Vec<_> =
        files.filter(|path| path.to_string_lossy().contains("history-")).collect();
    segments.sort();
    segments
}

/// Three nodes with some history.
async fn quorum(change: fn(&mut Config)) -> Quorum {
    let quorum = Quorum::form(3, change).await;
    quorum.commit(0..500).await;
    quorum.agree(0..500).await;
    quorum
}

async fn check_restart(quorum: &mut Quorum, node: u64) {
    quorum.start(node).await.expect("mended");
    quorum.commit(500..600).await;
    quorum.agree(0..600).await;
    quorum.stop(node).await;
    Reader::open(quorum.dir(node)).expect("opened").verify().expect("whole again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_cannot_be_opened_is_mended_on_start() {
    let mut quorum = quorum(small).await;
    let dir = quorum.dir(2).to_path_buf();
    eventually("segments", || (count(&dir, "history-") > 3).then_some(())).await;
    // the members are looked up in it, since the entry that names them is in the first segment
    eventually("a snapshot", || (count(&dir, "snapshot-") > 0).then_some(())).await;
    quorum.stop(2).await;
    let segments = segments(&dir);
    fs::write(&segments[0], b"nonsense").expect("written");
    fs::write(&segments[2], b"").expect("written");
    check_restart(&mut quorum, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_tail_is_mended_on_start() {
    let mut quorum = quorum(|_| {}).await;
    quorum.stop(3).await;
    damage(&quorum.dir(3).join("tail.redb"));
    let read = Reader::open(quorum.dir(3)).expect("its pages are whole");
    read.verify().expect_err("its entries are not");
    check_restart(&mut quorum, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_journal_mends_when_told_and_when_it_reads() {
    let mut quorum = quorum(small).await;
    let (leader, _) = quorum.leader().await;
    let behind = leader % 3 + 1;
    quorum.stop(behind).await;
    quorum.commit(500..2500).await;
    let dir = quorum.dir(leader).to_path_buf();
    eventually("segments", || (count(&dir, "history-") > 40).then_some(())).await;
    let segments = segments(&dir);
    damage(&segments[1]);
    let journal = quorum.nodes[&leader].journal.clone();
    assert_eq!(journal.repair().await, Ok(1));
    assert_eq!(journal.repair().await, Ok(0));
    // openraft has one message for the absent follower ready, of entries it read before the damage
    // was done: at most 1,024 after entry 502. This segment lies behind them
    damage(&segments[39]);
    quorum.start(behind).await.expect("its own files are whole");
    quorum.agree(0..2500).await;
    let mended = journal.repair().await;
    // another leader has read its own files for the follower, and proves nothing
    if quorum.leader().await.0 == leader {
        assert_eq!(mended, Ok(0), "reading it for the follower has mended it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_peers_the_damage_is_named() {
    let mut quorum = Quorum::form(1, small).await;
    quorum.commit(0..500).await;
    let dir = quorum.dir(1).to_path_buf();
    eventually("segments", || (count(&dir, "history-") > 2).then_some(())).await;
    quorum.stop(1).await;
    let segment = segments(&dir).swap_remove(1);
    fs::write(&segment, b"nonsense").expect("written");
    let error = quorum.start(1).await.expect_err("damaged").to_string();
    assert!(error.contains(&segment.to_string_lossy().to_string()), "{error}");
    assert!(error.contains("nobody else holds the journal"), "{error}");
}
