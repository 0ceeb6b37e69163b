//! Peers that talk nonsense get an answer, and harm nobody.

use bytes::Bytes;
use futures::StreamExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::network::{Answer, decode, encode, seal};
use crate::testing::Quorum;
use crate::{Frames, Journal, TransportError};

fn frames(frames: Vec<Bytes>) -> Frames {
    Box::pin(futures::stream::iter(frames.into_iter().map(Ok)))
}

/// Sends `body` through every door, sealed and not.
async fn send(journal: &Journal, body: &[u8]) {
    let sealed = seal(&journal.identity(), body.to_vec()).expect("sealed");
    for request in [Bytes::copy_from_slice(body), sealed] {
        let answer = decode::<Answer>(&journal.handle_ask(request.clone()).await);
        assert!(matches!(answer, Ok(Answer::Refused(_))), "{body:?} was taken");
        let answers = journal.handle_append(frames(vec![request.clone(), request.clone()]));
        let answers: Vec<_> = answers.collect().await;
        assert_eq!(answers.len(), 1, "one refusal of {body:?}, then the end");
        let answer = journal.handle_snapshot(frames(vec![request.clone(), request])).await;
        let refused: Result<Result<(), String>, TransportError> = decode(&answer);
        assert!(matches!(refused, Ok(Err(_))), "{body:?} was installed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_the_journal_goes_on() {
    let quorum = Quorum::form(1, |_| {}).await;
    let journal = &quorum.nodes[&1].journal;
    let mut runner = proptest::test_runner::TestRunner::default();
    let strategy = prop::collection::vec(any::<u8>(), 0..200);
    for _ in 0..100 {
        let body = strategy.new_tree(&mut runner).expect("generated").current();
        send(journal, &body).await;
    }
    // a header that promises gigabytes
    send(journal, &[0xc6, 0xff, 0xff, 0xff, 0xff]).await;
    send(journal, &[0xdd, 0xff, 0xff, 0xff, 0xff]).await;
    quorum.commit(0..10).await;
    assert_eq!(quorum.nodes[&1].counts.numbers().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_breaks_off_leaves_nothing_behind() {
    let quorum = Quorum::form(1, |_| {}).await;
    let journal = &quorum.nodes[&1].journal;
    let start = crate::network::SnapshotStart { vote: openraft::Vote::new(9, 9) };
    let start = encode(&start).expect("encoded");
    let start = seal(&journal.identity(), start.to_vec()).expect("sealed");
    let broken: Frames = Box::pin(futures::stream::iter([
        Ok(start),
        Ok(Bytes::from(vec![0; 1000])),
        Err(TransportError("the sender died".into())),
    ]));
    let answer = journal.handle_snapshot(broken).await;
    let refused: Result<(), String> = decode(&answer).expect("an answer");
    assert!(refused.expect_err("refused").contains("the sender died"));
    let left = std::fs::read_dir(quorum.dir(1)).expect("readable");
    let left = left.filter(|file| {
        let path = file.as_ref().map(std::fs::DirEntry::path).unwrap_or_default();
        path.extension().is_some_and(|it| it == "tmp")
    });
    assert_eq!(left.count(), 0);
}
