//! `mesolith events`: every decision of the masters, past and to come.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use replay::Line;
use serde::Deserialize;

use super::{Masters, block_on};
use crate::client::{DecisionsError, Leader};

/// How long to wait before the masters are asked again.
const AGAIN: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Lines are those of `mesolith replay log`; any master tells them, and all tell the same. With --follow another
one is asked when the first is lost, and nothing is missed or told twice.

Examples:
  mesolith events                                              all that is kept, then the end
  mesolith events --follow --event TaskUpdated,AgentUnreachable
  mesolith events --from 1200 --follow --json | jq -r .event";

/// Print every decision of the masters: from any index on, and as they are taken
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Events {
    #[command(flatten)]
    masters: Masters,

    /// First index to show; without it the first that is kept, or with --follow the next one
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,

    /// Go on with what is decided from now on, until interrupted
    #[arg(long)]
    follow: bool,

    /// Show only events of these names
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    event: Vec<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// What every line has.
#[derive(Deserialize)]
struct Head {
    index: u64,
    event: String,
}

/// How far all has been shown.
#[derive(Debug, Default, PartialEq)]
struct Progress {
    /// Where to go on; not known before the master has said anything.
    from: Option<u64>,
    /// Lines of that entry that have been shown.
    shown: u64,
}

/// What ends the printing for good.
enum End {
    /// All has been shown, or nobody reads on.
    Done,
    /// The stream is lost: there may be more.
    Lost,
}

impl Events {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = Leader::any_of(self.masters.addresses());
        block_on(self.print(&leader)).context("following events")?;
        Ok(ExitCode::SUCCESS)
    }

    async fn print(&self, leader: &Leader) -> anyhow::Result<()> {
        let first = self.from.or((!self.follow).then_some(0));
        let mut progress = Progress { from: first, shown: 0 };
        let mut has_begun = false;
        loop {
            match self.listen(leader, &mut progress, &mut has_begun).await {
                Ok(End::Done) => return Ok(()),
                Ok(End::Lost) => {}
                Err(error) => match error.downcast_ref() {
                    // masters may all be away for a while
                    Some(DecisionsError::Leader(_) | DecisionsError::Http(_)) if has_begun => {
                        tracing::warn!(%error, "asking again");
                    }
                    _ => return Err(error),
                },
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Shows what one master tells.
    async fn listen(
        &self,
        leader: &Leader,
        progress: &mut Progress,
        has_begun: &mut bool,
    ) -> anyhow::Result<End> {
        let mut decisions = leader.decisions(progress.from, &self.event).await?;
        *has_begun = true;
        let mut known = progress.shown;
        loop {
            let line = match decisions.next().await {
                Ok(line) => line,
                Err(error) if self.follow => {
                    tracing::warn!(%error, "going on at any master");
                    return Ok(End::Lost);
                }
                Err(error) => return Err(error.into()),
            };
            let head: Head = serde_json::from_str(&line).context("reading a line")?;
            if head.event == "Heartbeat" {
                if !self.follow {
                    return Ok(End::Done);
                }
                progress.passed(head.index);
                continue;
            }
            if progress.from == Some(head.index) && known > 0 {
                known -= 1;
                continue;
            }
            if !self.show(&line)? {
                return Ok(End::Done);
            }
            progress.show(head.index);
        }
    }

    /// Whether somebody still reads.
    fn show(&self, line: &str) -> anyhow::Result<bool> {
        let mut stdout = io::stdout().lock();
        let written = if self.json {
            writeln!(stdout, "{line}")
        } else {
            let line: Line = serde_json::from_str(line).context("reading a line")?;
            writeln!(stdout, "{line}")
        };
        match written.and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            written => Ok(written.map(|()| true)?),
        }
    }
}

impl Progress {
    /// A line of this entry has been shown.
    fn show(&mut self, index: u64) {
        if self.from == Some(index) {
            self.shown += 1;
        } else {
            *self = Self { from: Some(index), shown: 1 };
        }
    }

    /// All up to this entry has been told.
    fn passed(&mut self, index: u64) {
        if self.from.is_none_or(|from| from <= index) {
            *self = Self { from: Some(index + 1), shown: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missed_or_told_twice_when_a_master_is_lost() {
        let mut progress = Progress::default();
        progress.passed(7);
        assert_eq!(progress, Progress { from: Some(8), shown: 0 });
        progress.show(9);
        progress.show(9);
        assert_eq!(progress, Progress { from: Some(9), shown: 2 }, "there may be more of it");
        progress.passed(8);
        assert_eq!(progress, Progress { from: Some(9), shown: 2 });
        progress.passed(9);
        assert_eq!(progress, Progress { from: Some(10), shown: 0 });
    }
}
