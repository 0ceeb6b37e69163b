//! Changes of membership, and handing over leadership: asked of the leader.

use anyhow::Context;
use protocol::quorum::ChangeRequest;
use protocol::quorum::change_request::Kind;

use super::{connect, show};
use crate::client::Address;
use crate::say::say;

pub(super) fn add(address: &Address) -> ChangeRequest {
    ChangeRequest { kind: Kind::Add.into(), address: address.to_string(), node_id: 0 }
}

pub(super) fn remove(node_id: u64) -> ChangeRequest {
    ChangeRequest { kind: Kind::Remove.into(), address: String::new(), node_id }
}

pub(super) fn replace(node_id: u64, address: &Address) -> ChangeRequest {
    ChangeRequest { kind: Kind::Replace.into(), address: address.to_string(), node_id }
}

pub(super) fn transfer(node_id: u64) -> ChangeRequest {
    ChangeRequest { kind: Kind::Transfer.into(), address: String::new(), node_id }
}

/// Asks the leader for a change, and shows the quorum as it is then.
pub(super) async fn request(
    masters: &[Address],
    change: ChangeRequest,
    json: bool,
) -> anyhow::Result<()> {
    let status = show::best(masters).await?;
    let leader = show::leader(&status).context("the quorum has no leader now")?;
    if change.kind() == Kind::Transfer && change.node_id == status.leader {
        say(&format!("node {} leads already", change.node_id));
        return show::print(&status, json);
    }
    let reply = connect(&leader)
        .await?
        .change(change)
        .await
        .map_err(|status| super::refusal(&status))?
        .into_inner();
    let status = reply.status.context("the leader answers without a status")?;
    show::print(&show::led(status).await?, json)
}
