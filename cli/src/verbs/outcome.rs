//! Waiting until an agent has done what an operator asked for: `--wait`.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use protocol::duration_text;
use protocol::v1::master::Call;

use crate::client::Leader;

/// Whether and how long to wait.
#[derive(Debug, Default, Args)]
pub(super) struct Waiting {
    /// Wait until the agent has done its part, at most so long: 1mins without a duration
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "1mins", value_parser = duration_text::parse)]
    wait: Option<Duration>,
}

impl Waiting {
    /// Makes a call about resources of an agent; an error if it is to be waited for and is not done in
    /// time.
    pub(super) async fn carry_out(&self, leader: &Leader, call: &Call) -> anyhow::Result<()> {
        let wait = self.wait.map(duration_text::format);
        let outcome = leader.convert(call, wait.as_deref()).await?;
        match (wait, outcome.as_deref()) {
            (None, _) | (Some(_), Some("FINISHED")) => Ok(()),
            (Some(wait), Some("PENDING")) => {
                bail!("decided, but the agent has not done its part within {wait}")
            }
            (Some(_), outcome) => {
                let outcome = outcome.unwrap_or("not told by this master").to_lowercase();
                bail!("decided, but what the agent has made of it is {outcome}")
            }
        }
    }
}
