//! `mesolith master`: one of the cluster's masters.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::daemon::{self, Lifeline};

const EXAMPLES: &str = "\
Every founding master is started with the same --masters, each with an empty --work-dir of its own. The quorum
forms once all of them are there; from then on a majority is enough.

Examples:
  mesolith master --work-dir DIR
  mesolith master --ip 10.0.0.1 --work-dir DIR --masters 10.0.0.1:5050,10.0.0.2:5050,10.0.0.3:5050
  mesolith master --ip 10.0.0.4 --work-dir DIR --join    then, elsewhere: mesolith quorum add 10.0.0.4:5050";

/// Run a master
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Master {
    #[command(flatten)]
    config: master::Config,

    #[command(flatten)]
    lifeline: Lifeline,
}

impl Master {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        daemon::run(&self.lifeline, |shutdown| master::run(self.config, shutdown))
            .context("running a master")
    }
}
