//! Three nodes that agree, whatever happens to one of them.

use crate::testing::{Quorum, answered, eventually, propose};
use crate::{Leadership, Outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_apply_the_same_in_the_same_order() {
    let quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..500).await;
    quorum.agree(0..500).await;
    let hashes = eventually("equal indexes", || {
        let all: Vec<_> = quorum.nodes.values().map(|node| node.journal.status()).collect();
        all.iter().all(|status| status.applied == all[0].applied).then_some(all)
    })
    .await;
    assert!(hashes.iter().all(|status| status.hash.is_some() && status.hash == hashes[0].hash));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_leader_is_replaced_and_comes_back() {
    let mut quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..100).await;
    let (dead, _) = quorum.leader().await;
    quorum.stop(dead).await;
    quorum.commit(100..200).await;
    quorum.start(dead).await.expect("its directory is whole");
    quorum.agree(0..200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_need_the_leader_of_their_term() {
    let quorum = Quorum::form(3, |_| {}).await;
    let (leader, term) = quorum.leader().await;
    let follower = quorum.nodes.keys().find(|id| **id != leader).expect("three nodes");
    for (node, term) in [(*follower, term), (leader, term - 1), (leader, term + 1)] {
        let outcome = propose(&quorum.nodes[&node].journal, term, 1);
        let outcome = answered(outcome).await;
        assert_eq!(outcome, Outcome::NotAppended, "node {node} in term {term}");
    }
    quorum.commit([2]).await;
    quorum.agree([2]).await;
}

/// semantics 247
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_reaches_nobody_says_so() {
    let quorum = Quorum::form(3, |_| {}).await;
    let (leader, _) = quorum.leader().await;
    quorum.network.cut(leader);
    let leadership = quorum.nodes[&leader].journal.leadership();
    let lease = quorum.nodes[&leader].journal.lease();
    eventually("the leader to notice", || {
        (!matches!(*leadership.borrow(), Leadership::Leader { .. })).then_some(())
    })
    .await;
    assert!(!lease.holds(), "it may not answer either");
    quorum.commit(0..10).await;
    quorum.network.heal();
    quorum.agree(0..10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_committed_after_a_refused_proposal_of_its_term() {
    let quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..10).await;
    let (leader, term) = quorum.leader().await;
    let journal = quorum.nodes[&leader].journal.clone();
    let (sender, refused) = tokio::sync::oneshot::channel();
    let too_large = vec![0; crate::MAX_PROPOSAL_BYTES + 1];
    journal.propose(term, too_large.into(), move |outcome| {
        let _ = sender.send(outcome);
    });
    let later = propose(&journal, term, 99);
    assert_eq!(answered(refused).await, Outcome::NotAppended);
    assert_eq!(answered(later).await, Outcome::NotAppended, "it may rest on the one before");
    let next = eventually("a later term", || {
        let later = |node: &crate::testing::Node| match *node.journal.leadership().borrow() {
            Leadership::Leader { term: next } if next > term => Some(next),
            _ => None,
        };
        quorum.nodes.values().find_map(later)
    })
    .await;
    assert!(next > term);
    quorum.commit(10..20).await;
    quorum.agree(0..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_hears_nobody_follows_nobody() {
    let mut quorum = Quorum::form(3, |_| {}).await;
    let (leader, _) = quorum.leader().await;
    let others: Vec<u64> = quorum.nodes.keys().copied().filter(|id| *id != leader).collect();
    let left = quorum.nodes[&others[0]].journal.clone();
    let follows = |leadership: &Leadership| matches!(leadership, Leadership::Follower { .. });
    eventually("a follower", || follows(&left.leadership().borrow()).then_some(())).await;
    quorum.stop(others[1]).await;
    quorum.stop(leader).await;
    eventually("it to notice", || {
        (*left.leadership().borrow() == Leadership::Electing).then_some(())
    })
    .await;
    quorum.start(leader).await.expect("its directory is whole");
    quorum.commit(0..10).await;
}
