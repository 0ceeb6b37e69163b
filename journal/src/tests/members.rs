//! Quorums that change while they serve.

use std::sync::mpsc;

use crate::testing::{Quorum, answered, eventually, propose};
use crate::{ChangeError, Journal, Outcome};

fn voters(journal: &Journal) -> Vec<u64> {
    let members = journal.status().members;
    members.iter().filter(|member| member.voter).map(|member| member.node).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grows_from_one_to_three_and_replaces_the_dead_while_proposing() {
    let mut quorum = Quorum::form(1, |_| {}).await;
    let (leader, term) = quorum.leader().await;
    let journal = quorum.nodes[&leader].journal.clone();
    let (stop, stopped) = mpsc::channel::<()>();
    let proposing = tokio::spawn(async move {
        let mut count = 0;
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let outcome = propose(&journal, term, count);
            let outcome = answered(outcome).await;
            assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
            count += 1;
        }
        count
    });
    for node in [2, 3] {
        let member = quorum.start_joiner(node).await;
        quorum.nodes[&1].journal.add(node, member).await.expect("added");
    }
    assert_eq!(voters(&quorum.nodes[&1].journal), [1, 2, 3]);
    quorum.stop(3).await;
    let member = quorum.start_joiner(4).await;
    quorum.nodes[&1].journal.replace(3, 4, member).await.expect("replaced");
    assert_eq!(voters(&quorum.nodes[&1].journal), [1, 2, 4]);
    stop.send(()).expect("still proposing");
    let count = proposing.await.expect("every proposal was committed");
    quorum.agree(0..count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_when_told() {
    let quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..10).await;
    let (leader, _) = quorum.leader().await;
    let next = leader % 3 + 1;
    let (_, term) = quorum.leader().await;
    quorum.nodes[&leader].journal.transfer(leader).await.expect("nothing to do");
    assert_eq!(quorum.leader().await, (leader, term), "it leads on in the same term");
    assert_eq!(quorum.nodes[&leader].journal.status().term, term, "no election was begun");
    quorum.nodes[&leader].journal.transfer(next).await.expect("transferred");
    eventually("the new leader", || {
        let leadership = quorum.nodes[&next].journal.leadership();
        matches!(*leadership.borrow(), crate::Leadership::Leader { .. }).then_some(())
    })
    .await;
    quorum.commit(10..20).await;
    quorum.agree(0..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_changes_are_refused_with_a_reason() {
    let quorum = Quorum::form(3, |_| {}).await;
    let (leader, _) = quorum.leader().await;
    let journal = &quorum.nodes[&leader].journal;
    let check = |result: Result<(), ChangeError>, expected: &str| {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(journal.remove(9).await, "node 9 is not in the quorum");
    check(journal.replace(9, 4, quorum.member(1)).await, "node 9 is no voter");
    check(journal.transfer(9).await, "node 9 is no voter");
    check(journal.add(1, quorum.member(2)).await, "node 1 is already at memory:1");
    let follower = &quorum.nodes[&(leader % 3 + 1)].journal;
    eventually("the follower to hear of its leader", || {
        follower.status().leader.filter(|seen| *seen == leader)
    })
    .await;
    check(follower.remove(leader).await, &format!("the leader is node {leader} at memory:"));
    check(follower.transfer(leader).await, &format!("the leader is node {leader} at memory:"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_leader_hands_over() {
    let mut quorum = Quorum::form(3, |_| {}).await;
    let (leader, _) = quorum.leader().await;
    let journal = quorum.nodes[&leader].journal.clone();
    journal.remove(leader).await.expect("removed");
    quorum.stop(leader).await;
    quorum.commit(0..10).await;
    quorum.agree(0..10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_directory_is_not_let_back_in() {
    let mut quorum = Quorum::form(3, |_| {}).await;
    quorum.commit(0..10).await;
    let (leader, _) = quorum.leader().await;
    let wiped = leader % 3 + 1;
    quorum.stop(wiped).await;
    let _ = quorum.start_joiner(wiped).await;
    quorum.commit(10..20).await;
    assert_eq!(quorum.nodes[&wiped].counts.numbers(), [], "it was sent nothing");
    assert_eq!(quorum.nodes[&wiped].journal.status().term, 0, "nor asked to vote");
}
