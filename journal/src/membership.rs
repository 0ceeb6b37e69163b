//! Who takes part: formed once, then changed by commands while the journal serves. openraft passes
//! through joint consensus.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, InitializeError, RaftError};
use openraft::metrics::RaftMetrics;
use openraft::raft::ClientWriteResponse;
use openraft::{ChangeMembers, Instant as _, ReadPolicy};

use crate::member::Member;
use crate::raft::{Raft, StoredMembership, TypeConfig};
use crate::status::MemberStatus;

/// Why the quorum was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Only the leader changes the quorum.
    #[error("this node does not lead; the leader is {}", name(.0.as_ref()))]
    NotLeader(Option<(u64, String)>),
    /// The request makes no sense for the quorum as it is.
    #[error("{0}")]
    Invalid(String),
    /// The journal does not run.
    #[error("the journal is stopped: {0}")]
    Stopped(String),
    /// Not done within the time; it may still happen.
    #[error("{0} within {1:?}")]
    TooLate(&'static str, Duration),
}

fn name(leader: Option<&(u64, String)>) -> String {
    leader.map_or("not known".into(), |(node, address)| format!("node {node} at {address}"))
}

/// How long a change may wait for a new member to catch up, or for a majority.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a transfer of leadership may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a read may wait for a majority.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

type Change = Result<(), ChangeError>;

/// Forms the quorum. Every founding member may call it with the same members; it is done when the
/// first entry is committed.
pub(crate) async fn form(raft: &Raft, members: BTreeMap<u64, Member>) -> Change {
    match raft.initialize(members).await {
        Ok(()) => {}
        Err(RaftError::APIError(InitializeError::NotAllowed(_))) => return Ok(()),
        Err(RaftError::APIError(error)) => return Err(ChangeError::Invalid(error.to_string())),
        Err(RaftError::Fatal(error)) => return Err(ChangeError::Stopped(error.to_string())),
    }
    let wait = raft.wait(Some(CHANGE_TIMEOUT));
    let formed = wait.applied_index_at_least(Some(1), "formed").await;
    formed.map(drop).map_err(|_| ChangeError::TooLate("the quorum did not form", CHANGE_TIMEOUT))
}

/// Asks a quorum whether this node leads, and waits until it has applied what it may read.
pub(crate) async fn read_index(raft: &Raft) -> Result<u64, ChangeError> {
    let read = raft.ensure_linearizable(ReadPolicy::ReadIndex);
    let read = tokio::time::timeout(READ_TIMEOUT, read).await;
    match read.map_err(|_| ChangeError::TooLate("no majority answered", READ_TIMEOUT))? {
        Ok(read) => Ok(read.log_id().index),
        Err(RaftError::APIError(_)) => Err(not_leader(raft)),
        Err(RaftError::Fatal(error)) => Err(ChangeError::Stopped(error.to_string())),
    }
}

/// Adds a member: first as a learner, until it has caught up, then as a voter.
pub(crate) async fn add(raft: &Raft, node: u64, member: Member) -> Change {
    learn(raft, node, member).await?;
    change(raft, ChangeMembers::AddVoterIds(BTreeSet::from([node]))).await
}

/// Removes a member for good.
pub(crate) async fn remove(raft: &Raft, node: u64) -> Change {
    let (voters, known) = members(raft);
    if !known.contains_key(&node) {
        return Err(ChangeError::Invalid(format!("node {node} is not in the quorum")));
    }
    if !voters.contains(&node) {
        return change(raft, ChangeMembers::RemoveNodes(BTreeSet::from([node]))).await;
    }
    if voters.len() == 1 {
        return Err(ChangeError::Invalid(format!("node {node} is the only voter")));
    }
    change(raft, ChangeMembers::RemoveVoters(BTreeSet::from([node]))).await
}

/// Puts `new` into the place of `old`, in one step, so that the number of voters never changes.
pub(crate) async fn replace(raft: &Raft, old: u64, new: u64, member: Member) -> Change {
    let (mut voters, _) = members(raft);
    if !voters.remove(&old) {
        return Err(ChangeError::Invalid(format!("node {old} is no voter")));
    }
    learn(raft, new, member).await?;
    voters.insert(new);
    change(raft, ChangeMembers::ReplaceAllVoters(voters)).await
}

/// Hands leadership to `node`. To hand it to oneself would end the term for nothing.
pub(crate) async fn transfer(raft: &Raft, node: u64) -> Change {
    let (voters, _) = members(raft);
    if !raft.is_leader() {
        return Err(not_leader(raft));
    }
    if !voters.contains(&node) {
        return Err(ChangeError::Invalid(format!("node {node} is no voter")));
    }
    if raft.metrics().borrow_watched().id == node {
        return Ok(());
    }
    let asked = raft.trigger().transfer_leader(node).await;
    asked.map_err(|error| ChangeError::Stopped(error.to_string()))?;
    let wait = raft.wait(Some(TRANSFER_TIMEOUT));
    let moved = wait.metrics(|metrics| metrics.current_leader == Some(node), "transfer").await;
    moved.map(drop).map_err(|_| ChangeError::TooLate("leadership did not move", TRANSFER_TIMEOUT))
}

async fn learn(raft: &Raft, node: u64, member: Member) -> Change {
    let (_, known) = members(raft);
    match known.get(&node) {
        Some(known) if *known != member => {
            let what = format!("node {node} is already at {}", known.address);
            return Err(ChangeError::Invalid(what));
        }
        _ => {}
    }
    let added = tokio::time::timeout(CHANGE_TIMEOUT, raft.add_learner(node, member, true)).await;
    let late = ChangeError::TooLate("the new member did not catch up", CHANGE_TIMEOUT);
    answer(added.map_err(|_| late)?)?;
    hear(raft, node).await
}

/// Waits until a learner has answered a heartbeat sent from now on. As soon as it votes its word
/// counts for the lease, and openraft refuses all proposals while a quorum's last word is old: a lone
/// leader, which needed nobody's word before, would be out of its term at once.
async fn hear(raft: &Raft, node: u64) -> Change {
    let asked = Instant::now();
    let triggered = raft.trigger().heartbeat().await;
    triggered.map_err(|error| ChangeError::Stopped(error.to_string()))?;
    let heard = |metrics: &RaftMetrics<TypeConfig>| {
        let answers = metrics.heartbeat.as_ref();
        let answered = answers.and_then(|answers| answers.get(&node).copied().flatten());
        answered.is_some_and(|at| at.elapsed() <= asked.elapsed())
    };
    let wait = raft.wait(Some(CHANGE_TIMEOUT));
    let heard = wait.metrics(heard, "an answer of the learner").await;
    let late = ChangeError::TooLate("the new member did not answer", CHANGE_TIMEOUT);
    heard.map(drop).map_err(|_| late)
}

async fn change(raft: &Raft, members: ChangeMembers<u64, Member>) -> Change {
    let changed = raft.change_membership(members, false);
    let changed = tokio::time::timeout(CHANGE_TIMEOUT, changed).await;
    let late = ChangeError::TooLate("no majority agreed to the change", CHANGE_TIMEOUT);
    answer(changed.map_err(|_| late)?)
}

type Written =
    Result<ClientWriteResponse<TypeConfig>, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>;

fn answer(written: Written) -> Change {
    match written {
        Ok(_) => Ok(()),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            let leader = forward.leader_id.zip(forward.leader_node);
            Err(ChangeError::NotLeader(leader.map(|(node, member)| (node, member.address))))
        }
        Err(RaftError::APIError(error)) => Err(ChangeError::Invalid(error.to_string())),
        Err(RaftError::Fatal(error)) => Err(ChangeError::Stopped(error.to_string())),
    }
}

fn not_leader(raft: &Raft) -> ChangeError {
    let leader = raft.metrics().borrow_watched().current_leader;
    let (_, known) = members(raft);
    ChangeError::NotLeader(leader.and_then(|id| Some((id, known.get(&id)?.address.clone()))))
}

/// Everyone, by number.
pub(crate) fn list(membership: &StoredMembership) -> Vec<MemberStatus> {
    let membership = membership.membership();
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let member = |(node, member): (&u64, &Member)| MemberStatus {
        node: *node,
        address: member.address.clone(),
        incarnation: member.incarnation.clone(),
        voter: voters.contains(node),
        matched: None,
    };
    membership.nodes().map(member).collect()
}

/// Everyone, as openraft has it at this moment: its metrics are empty for a while after the start.
pub(crate) async fn now(raft: &Raft) -> Result<Vec<MemberStatus>, ChangeError> {
    let listed = raft.with_raft_state(|state| list(state.membership_state.effective())).await;
    listed.map_err(|error| ChangeError::Stopped(error.to_string()))
}

/// The voters, and everyone.
fn members(raft: &Raft) -> (BTreeSet<u64>, BTreeMap<u64, Member>) {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let membership = metrics.membership_config.membership();
    let nodes = membership.nodes().map(|(node, member)| (*node, member.clone())).collect();
    (membership.voter_ids().collect(), nodes)
}
