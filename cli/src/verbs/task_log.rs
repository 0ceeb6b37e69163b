//! `mesolith task log`: what a task has written.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use protocol::v1::Task;
use protocol::v1::master::call::Type;
use tokio::time::sleep;

use super::{Masters, block_on};
use crate::client::{Address, Leader, Sandbox};

/// Pause between two looks at the task's files.
const OUTPUT_PAUSE: Duration = Duration::from_millis(200);
/// Looks at the files between two questions whether the task has ended.
const LOOKS_PER_QUESTION: u32 = 5;

const EXAMPLES: &str = "\
Its stdout goes to stdout, its stderr to stderr.

Examples:
  mesolith task log my-task
  mesolith task log --follow my-task";

/// Show what a task has written to its stdout and stderr
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TaskLog {
    #[command(flatten)]
    masters: Masters,

    /// Go on until the task has ended
    #[arg(long, short)]
    follow: bool,

    /// The task's framework, where several frameworks have a task of this id
    #[arg(long, value_name = "ID")]
    framework: Option<String>,

    /// The task
    #[arg(value_name = "ID")]
    task: String,
}

/// Where a task's output is: with its executor's, or beside it if the task has a container to itself.
fn sandbox(agent: Address, task: &Task) -> Sandbox {
    // A command task's executor has the task's id.
    let executor = task.executor_id.as_ref().map_or(&task.task_id.value, |id| &id.value);
    let names = (task.framework_id.value.as_str(), executor.as_str());
    let containers = task.statuses.iter().filter_map(|status| status.container_status.as_ref());
    let nested = containers.filter_map(|status| status.container_id.as_ref()).find_map(|id| {
        let parent = id.parent.as_ref()?;
        Some((parent.value.as_str(), id.value.as_str()))
    });
    match nested {
        Some(nested) => Sandbox::nested(agent, names, nested),
        None => Sandbox::new(agent, names.0, names.1),
    }
}

impl TaskLog {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(self.show()).with_context(|| format!("showing the log of task {}", self.task))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self) -> anyhow::Result<()> {
        let leader = self.masters.leader();
        let (task, ended) = self.find(&leader).await?;
        let agent = address(&leader, &task.agent_id.value).await?;
        let mut sandbox = sandbox(agent, &task);
        sandbox.copy().await?;
        let mut ended = ended || !self.follow;
        while !ended {
            for _ in 0..LOOKS_PER_QUESTION {
                sleep(OUTPUT_PAUSE).await;
                sandbox.copy().await?;
            }
            ended = self.find(&leader).await?.1;
        }
        // What was written between the last look and the end.
        sandbox.copy().await?;
        Ok(())
    }

    /// The task, and whether it has ended.
    async fn find(&self, leader: &Leader) -> anyhow::Result<(Task, bool)> {
        let tasks = leader.operate(Type::GetTasks).await?.get_tasks.unwrap_or_default();
        let live = tasks.tasks.into_iter().chain(tasks.unreachable_tasks);
        let ended = tasks.completed_tasks.into_iter().map(|task| (task, true));
        let mut found: Vec<_> = live.map(|task| (task, false)).chain(ended).collect();
        found.retain(|(task, _)| self.names(task));
        let frameworks: Vec<_> =
            found.iter().map(|(task, _)| task.framework_id.value.clone()).collect();
        if frameworks.iter().any(|framework| *framework != frameworks[0]) {
            bail!("frameworks {} each have one; name one with --framework", frameworks.join(", "));
        }
        // A task id may be used again once its task has ended: the newest counts.
        let live = found.iter().position(|(_, ended)| !ended);
        let chosen = live.or(found.len().checked_sub(1)).context("no such task")?;
        Ok(found.swap_remove(chosen))
    }

    fn names(&self, task: &Task) -> bool {
        let framework = self.framework.as_ref();
        task.task_id.value == self.task
            && framework.is_none_or(|wanted| *wanted == task.framework_id.value)
    }
}

async fn address(leader: &Leader, agent_id: &str) -> anyhow::Result<Address> {
    let agents = leader.operate(Type::GetAgents).await?.get_agents.unwrap_or_default().agents;
    let has_id = |id: &protocol::v1::AgentId| id.value == agent_id;
    let agent = agents
        .into_iter()
        .find(|agent| agent.agent_info.id.as_ref().is_some_and(has_id))
        .with_context(|| format!("its agent {agent_id} is not there"))?;
    // The pid names the address that the agent listens on; its hostname need not resolve here.
    let pid = agent.pid.as_deref().and_then(|pid| pid.split_once('@'));
    if let Some(address) = pid.and_then(|(_, address)| address.parse().ok()) {
        return Ok(address);
    }
    let port = u16::try_from(agent.agent_info.port()).context("its agent has no valid port")?;
    Ok(Address::new(&agent.agent_info.hostname, port))
}
