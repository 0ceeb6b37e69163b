//! `mesolith quorum show`: the quorum as its leader sees it, or as any master does while there is none.

use std::time::Duration;

use protocol::quorum::{Member, QuorumStatus, ShowRequest};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::connect;
use crate::client::Address;
use crate::table::{self, Row};

/// How long members may take to elect a leader after the one before was removed.
const ELECTION_PATIENCE: Duration = Duration::from_secs(15);
/// Pause between two looks.
const ROUND_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Serialize)]
struct MemberRow {
    node: u64,
    address: String,
    voter: bool,
    leader: bool,
    /// How far the leader knows it to have the journal; unknown while there is no leader.
    matched_index: Option<u64>,
}

#[derive(Debug, Serialize)]
struct StatusRow {
    cluster_id: String,
    term: u64,
    leader: Option<u64>,
    first_index: u64,
    committed_index: u64,
    applied_index: u64,
    state: String,
    members: Vec<MemberRow>,
}

impl Row for MemberRow {
    const HEADINGS: &'static [&'static str] = &["NODE", "ADDRESS", "VOTES", "LEADS", "INDEX"];

    fn cells(&self) -> Vec<String> {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        vec![
            self.node.to_string(),
            self.address.clone(),
            yes(self.voter),
            yes(self.leader),
            self.matched_index.map_or_else(|| "-".into(), |index| index.to_string()),
        ]
    }
}

/// Says whether there is a leader.
pub(super) async fn show(masters: &[Address], json: bool) -> anyhow::Result<bool> {
    let status = best(masters).await?;
    print(&status, json)?;
    Ok(leader(&status).is_some())
}

/// The quorum after a change that may have taken its leader: as the one after sees it, once there is
/// one.
pub(super) async fn led(mut status: QuorumStatus) -> anyhow::Result<QuorumStatus> {
    let members: Vec<Address> =
        status.members.iter().filter_map(|member| member.address.parse().ok()).collect();
    let deadline = Instant::now() + ELECTION_PATIENCE;
    while leader(&status).is_none() && Instant::now() < deadline {
        sleep(ROUND_PAUSE).await;
        status = best(&members).await?;
    }
    Ok(status)
}

/// The leader's view, if one of the masters leads to it, else the first that was given.
pub(super) async fn best(masters: &[Address]) -> anyhow::Result<QuorumStatus> {
    let mut second_best = None;
    let mut error = anyhow::anyhow!("no master is named");
    for master in masters {
        match ask(master).await {
            Ok(status) if status.leader > 0 && status.leader == status.node_id => {
                return Ok(status);
            }
            Ok(status) => {
                if let Some(leader) = leader(&status)
                    && let Ok(status) = ask(&leader).await
                {
                    return Ok(status);
                }
                second_best = second_best.or(Some(status));
            }
            Err(failure) => error = failure,
        }
    }
    second_best.ok_or(error)
}

/// Address of the leader that a master knows of.
pub(super) fn leader(status: &QuorumStatus) -> Option<Address> {
    let leads = |member: &&Member| member.node_id == status.leader;
    status.members.iter().find(leads)?.address.parse().ok()
}

async fn ask(master: &Address) -> anyhow::Result<QuorumStatus> {
    Ok(connect(master)
        .await?
        .show(ShowRequest {})
        .await
        .map_err(|status| super::refusal(&status))?
        .into_inner())
}

pub(super) fn print(status: &QuorumStatus, json: bool) -> anyhow::Result<()> {
    use std::io::Write;
    let row = row(status);
    let mut stdout = std::io::stdout();
    if json {
        return Ok(writeln!(stdout, "{}", serde_json::to_string(&row)?)?);
    }
    let leader = row.leader.map_or_else(|| "none".into(), |node| format!("node {node}"));
    let (cluster, term, first) = (&row.cluster_id, row.term, row.first_index);
    writeln!(
        stdout,
        "cluster {cluster}, term {term}, leader {leader}, journal from {first} to {}",
        row.committed_index
    )?;
    table::print(&row.members, false)?;
    Ok(())
}

fn row(status: &QuorumStatus) -> StatusRow {
    let some = |number: u64| Some(number).filter(|number| *number > 0);
    let member = |member: &Member| MemberRow {
        node: member.node_id,
        address: member.address.clone(),
        voter: member.voter,
        leader: member.node_id == status.leader,
        matched_index: some(member.matched_index),
    };
    StatusRow {
        cluster_id: status.cluster_id.clone(),
        term: status.term,
        leader: some(status.leader),
        first_index: status.first_index,
        committed_index: status.committed_index,
        applied_index: status.applied_index,
        state: status.state.clone(),
        members: status.members.iter().map(member).collect(),
    }
}
