//! Who leads, as this node knows it, told only when it can be acted upon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::async_runtime::watch::WatchReceiver;
use openraft::metrics::RaftMetrics;
use openraft::{Instant as _, ReadPolicy, ServerState};
use tokio::sync::watch;

use crate::error::Report;
use crate::gate::Gate;
use crate::heard::Heard;
use crate::lease::Lease;
use crate::part::Part;
use crate::raft::{Raft, TypeConfig};

/// Who leads, as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// This node, in `term`. Everything up to its own term's first entry is applied, and a quorum
    /// has confirmed it since: it may decide.
    Leader {
        /// What proposals are made with.
        term: u64,
    },
    /// Another node.
    Follower {
        /// Its number and address.
        leader: (u64, String),
    },
    /// Nobody, as far as this node knows: an election goes on, or a quorum cannot be reached.
    Electing,
    /// The journal does not run; the text says why.
    Stopped(String),
}

/// Why a run is over.
pub(crate) enum Ended {
    /// openraft stopped; the text says why.
    Failed(String),
    /// It led in a term that takes no more proposals.
    TermOver,
}

/// Follows one run of openraft and tells of leadership until that run is over; `part` is the one that
/// was told last.
pub(crate) async fn watch(
    raft: Raft,
    limits: Limits,
    told: Told,
    gate: Gate,
    part: &mut Part,
) -> Ended {
    let (mut metrics, mut closed) = (raft.metrics(), gate.watch());
    loop {
        let now = metrics.borrow_watched().clone();
        if let Err(reason) = &now.running_state {
            return Ended::Failed(Report(reason).to_string());
        }
        if now.state == ServerState::Leader && gate.is_closed(now.current_term) {
            return Ended::TermOver;
        }
        let part_now = part.next(now.id, &now.membership_config);
        if part_now != *part {
            *part = part_now;
            part.tell(now.id);
        }
        let seen = see(&raft, &now, limits, &told).await;
        told.tell(seen);
        // a leader that reaches nobody is not told so: it has to look
        tokio::select! {
            () = tokio::time::sleep(limits.look_again) => {}
            _ = closed.changed() => {}
            changed = metrics.changed() => if changed.is_err() {
                return Ended::Failed("openraft ended".into());
            }
        }
    }
}

/// Where others learn who leads, and whether that still holds when they act upon it.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) leadership: Arc<watch::Sender<Leadership>>,
    pub(crate) lease: Lease,
    pub(crate) heard: Heard,
}

impl Told {
    pub(crate) fn tell(&self, seen: Leadership) {
        if !matches!(seen, Leadership::Leader { .. }) {
            self.lease.end();
        }
        self.leadership.send_if_modified(|current| {
            let changed = *current != seen;
            *current = seen;
            changed
        });
    }
}

/// How patient the watch is.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) look_again: Duration,
    /// A leader that no quorum has answered for so long does not lead any more.
    pub(crate) without_quorum: Duration,
}

async fn see(
    raft: &Raft,
    now: &RaftMetrics<TypeConfig>,
    limits: Limits,
    told: &Told,
) -> Leadership {
    if now.state == ServerState::Leader {
        let leader = Leadership::Leader { term: now.current_term };
        let known = *told.leadership.borrow() == leader;
        // nobody else can lead where nobody else votes; and to ask oneself changes the metrics, upon
        // which this looks again, and would ask again
        let is_alone = now.membership_config.membership().voter_ids().all(|id| id == now.id);
        let looked = Instant::now();
        let age = now.last_quorum_acked.map(|at| at.elapsed()).filter(|_| known);
        let recent = age.filter(|age| *age < limits.without_quorum);
        let confirmed = match recent {
            _ if known && is_alone => Some(looked),
            Some(age) => looked.checked_sub(age),
            None => confirm(raft, limits.without_quorum).await,
        };
        let Some(at) = confirmed else { return Leadership::Electing };
        told.lease.renew(at, if is_alone { Duration::MAX } else { limits.without_quorum });
        return leader;
    }
    let membership = now.membership_config.membership();
    let leader = now.current_leader.and_then(|id| Some((id, membership.get_node(&id)?)));
    match leader {
        // openraft goes on to name a leader that is gone until another is elected
        Some((id, member)) if id != now.id && told.heard.any_lately() => {
            Leadership::Follower { leader: (id, member.address.clone()) }
        }
        _ => Leadership::Electing,
    }
}

/// When a quorum was asked that answered, everything up to our own term's first entry being applied.
async fn confirm(raft: &Raft, limit: Duration) -> Option<Instant> {
    let asked = Instant::now();
    let read = raft.ensure_linearizable(ReadPolicy::ReadIndex);
    matches!(tokio::time::timeout(limit, read).await, Ok(Ok(_))).then_some(asked)
}
