//! Members that have forgotten what they promised: they do not take part, and nobody who remembers
//! follows them.

use std::fs;
use std::path::Path;

use openraft::raft::AppendEntriesRequest;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;

use crate::fault::Fault;
use crate::gate::Gate;
use crate::network::{Answer, Ask, decode, encode, seal_append};
use crate::raft::{Payload, RaftEntry, TypeConfig, log_id};
use crate::store::{LogStore, RealDisk, TAIL, Tail};
use crate::testing::{Quorum, eventually};
use crate::{Identity, Journal, OpenError, Reader};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_tail_does_not_start() {
    let mut quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..10).await;
    let (leader, _) = quorum.leader().await;
    let robbed = leader % 3 + 1;
    quorum.stop(robbed).await;
    let tail = quorum.dir(robbed).join(TAIL);
    fs::remove_file(&tail).expect("removed");
    let error = quorum.start(robbed).await.expect_err("refused");
    assert!(matches!(error, OpenError::TailLost(_)), "{error}");
    assert!(error.to_string().contains("Replace this member"), "{error}");
    assert!(!tail.exists(), "nothing was made in its place");
    let error = Reader::open(quorum.dir(robbed)).expect_err("not to be read");
    assert!(matches!(error, OpenError::TailLost(_)), "{error}");
    quorum.commit(10..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_remembers_what_was_committed_does_not_follow_those_who_forgot() {
    let mut quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..10).await;
    let (witness, _) = quorum.leader().await;
    let (forgetful, away) = (witness % 3 + 1, (witness + 1) % 3 + 1);
    quorum.agree(0..10).await;
    quorum.stop(away).await;
    quorum.stop(forgetful).await;
    let tail = quorum.dir(forgetful).join(TAIL);
    let old = fs::read(&tail).expect("readable");
    quorum.start(forgetful).await.expect("started");
    quorum.commit(10..20).await;
    quorum.agree(0..20).await;
    quorum.stop(witness).await;
    quorum.stop(forgetful).await;
    let before = Reader::open(quorum.dir(witness)).expect("opened").verify().expect("sound");

    // its directory comes back from an old copy
    fs::write(&tail, old).expect("written");
    quorum.start(forgetful).await.expect("its files are whole");
    quorum.start(away).await.expect("started");
    quorum.commit(100..105).await;
    quorum.start(witness).await.expect("started");
    let journal = quorum.nodes[&witness].journal.clone();
    eventually("the witness to refuse", || {
        journal.status().state.contains("a majority has lost").then_some(())
    })
    .await;
    drop(journal);
    quorum.stop(witness).await;
    let after = Reader::open(quorum.dir(witness)).expect("opened").verify().expect("sound");
    assert_eq!((after.entries, after.hash), (before.entries, before.hash), "it kept all it had");
}

/// Sends an empty append that begins at the entry `at`, as another leader in a later term would.
async fn heartbeat(journal: &Journal, at: (u64, u64), hash: Option<Vec<u8>>) -> String {
    heartbeat_in(50, journal, at, hash).await
}

/// The same, in this term.
async fn heartbeat_in(
    term: u64,
    journal: &Journal,
    at: (u64, u64),
    hash: Option<Vec<u8>>,
) -> String {
    let request = AppendEntriesRequest::<TypeConfig> {
        vote: openraft::Vote::new_committed(term, 2),
        prev_log_id: Some(log_id(at.0, at.1)),
        entries: vec![],
        leader_commit: None,
    };
    let body = encode(&Ask::Append(request)).expect("encoded").to_vec();
    let request = seal_append(&journal.identity(), hash, body).expect("sealed");
    match decode::<Answer>(&journal.handle_ask(request).await).expect("an answer") {
        Answer::Refused(why) => why,
        _ => "taken".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_does_not_fit_what_is_here_is_refused() {
    let quorum = Quorum::form(1, |_| {}).await;
    quorum.commit(0..3).await;
    let journal = &quorum.nodes[&1].journal;
    let status = eventually("the commit", || {
        Some(journal.status()).filter(|status| status.committed == status.last_index)
    })
    .await;
    let (term, last, hash) = (status.term, status.last_index, status.hash.expect("a journal"));
    // one that was deposed still sends what it had: nothing is lost
    assert_eq!(heartbeat_in(0, journal, (0, last), None).await, "taken");
    let state = journal.status().state;
    assert!(!state.contains("lost"), "{state}");
    let refused = heartbeat(journal, (term, last), Some(vec![7; 32])).await;
    assert!(refused.contains("differ before entry"), "{refused}");
    let refused = heartbeat(journal, (40, last), Some(hash.0.to_vec())).await;
    assert!(refused.contains("is committed here at"), "{refused}");
    let refused = heartbeat(journal, (40, 1), None).await;
    assert!(refused.contains("is committed here at 1"), "{refused}");
    assert_eq!(heartbeat(journal, (term, last), Some(hash.0.to_vec())).await, "taken");
}

/// A log with one entry for each of these terms.
async fn log(dir: &Path, terms: &[u64]) -> LogStore {
    Identity::load_or_create(dir).expect("a new identity");
    Tail::make(dir, &RealDisk).expect("a new tail");
    let log = LogStore::open(dir, 1 << 20, &RealDisk, Fault::default(), Gate::new(), None);
    let mut log = log.expect("a new log");
    for (index, term) in (0..).zip(terms) {
        let payload =
            openraft::EntryPayload::Normal(Payload::from(bytes::Bytes::from_static(b"x")));
        let entry = RaftEntry { log_id: log_id(*term, index), payload };
        let (sender, receiver) = TypeConfig::oneshot();
        log.append([entry], IOFlushed::signal(sender)).await.expect("queued");
        receiver.await.expect("answered").expect("written");
    }
    log
}

#[tokio::test]
async fn what_was_committed_is_never_truncated() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut log = log(dir.path(), &[1, 1, 2, 2]).await;
    log.save_committed(Some(log_id(2, 2))).await.expect("saved");
    log.truncate_after(Some(log_id(1, 1))).await.expect_err("entry 2 is committed");
    log.truncate_after(None).await.expect_err("and so are those before it");
    assert_eq!(log.last().map(|last| last.index), Some(3), "nothing is gone");
    log.truncate_after(Some(log_id(2, 2))).await.expect("what is not committed may go");
    assert_eq!(log.last().map(|last| last.index), Some(2));
}

/// What verifying a journal of these terms says, of which `committed` (term, index) was committed.
async fn check(terms: &[u64], committed: (u64, u64), expected: Result<(), &str>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut log = log(dir.path(), terms).await;
    log.save_committed(Some(log_id(committed.0, committed.1))).await.expect("saved");
    log.flush().await.expect("written");
    drop(log);
    let verified = Reader::open(dir.path()).expect("readable").verify();
    match (verified, expected) {
        (Ok(_), Ok(())) => {}
        (Err(error), Err(expected)) => {
            let text = crate::error::Report(&error).to_string();
            assert!(text.contains(expected), "{text}");
        }
        (verified, _) => panic!("{terms:?}, {committed:?}: {verified:?}"),
    }
}

#[tokio::test]
async fn a_journal_without_what_was_committed_is_not_sound() {
    check(&[1, 1, 2], (2, 2), Ok(())).await;
    check(&[1, 1, 2], (1, 1), Ok(())).await;
    check(&[1, 1, 2], (1, 5), Err("it ends at entry 2, and entry 5 was committed")).await;
    check(&[], (1, 5), Err("it holds no entry, and entry 5 was committed")).await;
    check(&[1, 1, 2], (1, 2), Err("entry 2 is of term 2, and what was committed there of 1")).await;
    check(&[1, 3, 2], (1, 0), Err("entry 2 is of term 2, and the one before of 3")).await;
}
