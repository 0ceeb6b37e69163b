//! `mesolith quorum`: who the masters are, and changes of that.

mod change;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use protocol::quorum::quorum_client::QuorumClient;
use protocol::rpc;
use tonic::transport::Channel;

use super::{Masters, block_on};
use crate::client::{self, Address};
use crate::exit;
use crate::say::say;

/// How long a connection to a master may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: a new member is fed the whole journal first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

const EXAMPLES: &str = "\
Examples:
  mesolith quorum show
  mesolith quorum replace 2 10.0.0.9:5050   node 2 is lost; a master started with --join takes its place
  mesolith quorum transfer 3                let node 3 lead, before work on the present leader";

/// Look at the masters' quorum, or change it while it serves
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Quorum {
    #[command(flatten)]
    masters: Masters,

    /// Print JSON instead of a table
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the members and how far each of them is; exits with 1 while there is no leader
    Show,
    /// Add a master that was started with --join
    Add {
        /// Where it listens
        address: Address,
    },
    /// Remove a member
    Remove {
        /// The member's number, as `show` prints it
        node: u64,
    },
    /// Let a master that was started with --join take a member's place
    Replace {
        /// The leaving member's number, as `show` prints it
        node: u64,
        /// Where the new one listens
        address: Address,
    },
    /// Hand leadership over to a member
    Transfer {
        /// The member's number, as `show` prints it
        node: u64,
    },
}

impl Quorum {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let masters = self.masters.addresses();
        let json = self.json;
        let (doing, change) = match self.verb {
            Verb::Show => {
                let led = block_on(show::show(masters, json)).context("showing the quorum")?;
                if led {
                    return Ok(ExitCode::SUCCESS);
                }
                say(
                    "the quorum has no leader now: no majority of its members is there, or it elects",
                );
                return Ok(exit::FAILED.into());
            }
            Verb::Add { address } => (format!("adding {address}"), change::add(&address)),
            Verb::Remove { node } => (format!("removing node {node}"), change::remove(node)),
            Verb::Replace { node, address } => {
                (format!("replacing node {node} by {address}"), change::replace(node, &address))
            }
            Verb::Transfer { node } => {
                (format!("handing leadership to node {node}"), change::transfer(node))
            }
        };
        block_on(change::request(masters, change, json)).context(doing)?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn connect(address: &Address) -> anyhow::Result<QuorumClient<Channel>> {
    let endpoint = rpc::endpoint(address.as_str(), client::trust())?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT);
    let channel = endpoint.connect().await.with_context(|| format!("connecting to {address}"))?;
    Ok(QuorumClient::new(channel))
}

/// What a master says no with; its numbers mean nothing to people. What the connection breaks with is
/// said by libraries, in words of theirs.
fn refusal(status: &tonic::Status) -> anyhow::Error {
    if std::error::Error::source(status).is_some() {
        return anyhow::anyhow!("the master was lost before it answered: it may be done, or not");
    }
    anyhow::anyhow!("{}", status.message())
}
