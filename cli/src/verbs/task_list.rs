//! `mesolith task list`: what runs, and what ran.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::v1::Task;
use protocol::v1::master::call::Type;
use protocol::v1::master::response::GetTasks;
use serde::Serialize;

use super::{Listing, block_on};
use crate::table::{self, Row, or_dash};

const EXAMPLES: &str = "\
Examples:
  mesolith task list                       tasks that have not ended
  mesolith task list --all                 ended ones too, as far as the master keeps them
  mesolith task list --json | jq -r '.[].task_id'";

/// List tasks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TaskList {
    #[command(flatten)]
    listing: Listing,

    /// Tasks that have ended too
    #[arg(long, short)]
    all: bool,

    /// Only tasks of this framework
    #[arg(long, value_name = "ID")]
    framework: Option<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct TaskRow {
    task_id: String,
    name: String,
    state: &'static str,
    framework_id: String,
    agent_id: String,
}

impl Row for TaskRow {
    const HEADINGS: &'static [&'static str] = &["TASK", "NAME", "STATE", "FRAMEWORK", "AGENT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.task_id.clone(),
            or_dash(&self.name),
            self.state.into(),
            self.framework_id.clone(),
            or_dash(&self.agent_id),
        ]
    }
}

impl TaskList {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.listing.leader();
        let response = block_on(async { Ok(leader.operate(Type::GetTasks).await?) })
            .context("listing tasks")?;
        let rows = self.rows(response.get_tasks.unwrap_or_default());
        table::print(&rows, self.listing.json).context("printing tasks")?;
        Ok(ExitCode::SUCCESS)
    }

    fn rows(&self, tasks: GetTasks) -> Vec<TaskRow> {
        let live = tasks.tasks.into_iter().chain(tasks.unreachable_tasks);
        let ended = tasks.completed_tasks.into_iter().filter(|_| self.all);
        let wanted = |task: &Task| {
            self.framework.as_ref().is_none_or(|wanted| task.framework_id.value == *wanted)
        };
        live.chain(ended).filter(wanted).map(row).collect()
    }
}

fn row(task: Task) -> TaskRow {
    TaskRow {
        state: task.state().as_str_name(),
        task_id: task.task_id.value,
        name: task.name,
        framework_id: task.framework_id.value,
        agent_id: task.agent_id.value,
    }
}
