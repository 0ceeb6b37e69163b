//! What every part of a running master shares.

use std::net::Ipv4Addr;
use std::sync::Arc;

use journal::Journal;
use protocol::v1::{self, MasterInfo, master_info};
use statemachine::{Command, Rejection, Reply, Session, Time};
use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::api::read::Written;
use crate::config::Config;
use crate::confirmed::Confirmed;
use crate::desk::Desk;
use crate::leader::{Inbox, SubmitError};
use crate::metrics::Counters;
use crate::replica::Reader;
use crate::standing::Stand;
use crate::streams::Streams;

/// A running master.
#[derive(Debug)]
pub(crate) struct Master {
    pub(crate) config: Arc<Config>,
    pub(crate) journal: Journal,
    pub(crate) stand: Stand,
    pub(crate) committed: Reader,
    pub(crate) inbox: Inbox,
    pub(crate) streams: Streams,
    pub(crate) counters: Counters,
    /// How fast schedulers may call.
    pub(crate) admission: Admission,
    /// How far agents have done as they were told.
    pub(crate) confirmed: Confirmed,
    /// Where long answers are written.
    pub(crate) desk: Desk<Written>,
    /// Room for those who listen to events.
    pub(crate) listeners: Arc<Semaphore>,
    pub(crate) started: Time,
}

impl Master {
    /// Has a command decided, and waits until what came of it is committed.
    pub(crate) async fn ask(
        &self,
        term: u64,
        command: impl Into<Command>,
        bytes: usize,
    ) -> Result<Result<Reply, Rejection>, SubmitError> {
        self.inbox.ask(term, (command.into(), bytes), None).await
    }

    /// Tells the leader that a stream ended before it was known whose it was.
    pub(crate) fn ended(&self, session: Session, command: impl Into<Command>) {
        self.inbox.ended(session.0 >> 32, command);
    }

    /// This master as clients know it.
    pub(crate) fn info(&self) -> MasterInfo {
        let (host, port) = self.config.advertised();
        let ip: Ipv4Addr = host.parse().unwrap_or(Ipv4Addr::LOCALHOST);
        let capability =
            |it: master_info::capability::Type| master_info::Capability { r#type: Some(it as i32) };
        MasterInfo {
            id: self.journal.identity().cluster_id,
            // as Mesos has it: the four bytes in the order of the network, read by a little-endian
            ip: u32::from_le_bytes(ip.octets()),
            port: u32::from(port),
            pid: Some(self.pid()),
            hostname: Some(self.config.public_hostname()),
            version: Some(protocol::API_VERSION.to_owned()),
            address: Some(v1::Address {
                hostname: Some(self.config.public_hostname()),
                ip: Some(ip.to_string()),
                port: i32::from(port),
            }),
            domain: self.config.domain.clone(),
            capabilities: vec![
                capability(master_info::capability::Type::AgentUpdate),
                capability(master_info::capability::Type::AgentDraining),
                capability(master_info::capability::Type::QuotaV2),
            ],
        }
    }

    /// The libprocess address that clients take apart to find a master.
    pub(crate) fn pid(&self) -> String {
        let (host, port) = self.config.advertised();
        format!("master@{host}:{port}")
    }

    /// Addresses of all masters, this one first.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let own = self.config.address();
        let members = self.journal.status().members;
        let others = members.into_iter().map(|member| member.address).filter(|it| *it != own);
        std::iter::once(own.clone()).chain(others).collect()
    }
}
