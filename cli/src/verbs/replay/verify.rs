//! `mesolith replay verify`: whether a journal is sound.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use replay::Journal;

use super::end;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// The master's work directory
    pub(super) dir: PathBuf,
}

impl Verify {
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let sound = replay::verify(&Journal::open(&self.dir)?)?;
        let text = if self.json {
            serde_json::to_string(&sound)?
        } else {
            format!(
                "sound: entries {} to {}, {} events\n  \
                 known to be committed  up to {}\n  \
                 snapshots compared     {}\n  \
                 hash of the chain      {}\n  \
                 digest of the state    {}",
                sound.first,
                sound.last,
                sound.events,
                sound.committed,
                sound.snapshots_compared,
                sound.hash,
                sound.digest
            )
        };
        end(writeln!(io::stdout(), "{text}")).unwrap_or(Ok(()))
    }
}
