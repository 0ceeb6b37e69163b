//! `mesolith maintenance`: machines that will be, or are, out of service.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use protocol::v1::maintenance::{Schedule, Window};
use protocol::v1::master::Call;
use protocol::v1::master::call::{
    StartMaintenance, StopMaintenance, Type, UpdateMaintenanceSchedule,
};
use protocol::v1::master::response::get_agents::Agent;
use protocol::v1::{DurationInfo, MachineId, TimeInfo, Unavailability};
use serde::Serialize;

use super::{Masters, block_on};
use crate::client::Leader;
use crate::table::{self, Row, or_dash};

const EXAMPLES: &str = "\
A machine is named HOSTNAME/IP as its agents name it, or by the id of an agent on it. Frameworks with
something on a scheduled machine get inverse offers: requests to move away in time.

Examples:
  mesolith maintenance schedule rack1-7/10.0.1.7 --start-in 2hrs --duration 30mins
  mesolith maintenance show                          machines, their modes, and what frameworks answer
  mesolith maintenance start rack1-7/10.0.1.7        its agents are shut down, and refused from now on
  mesolith maintenance stop rack1-7/10.0.1.7         it is in service again
  mesolith maintenance cancel rack1-7/10.0.1.7       it stays in service after all";

/// Plan work on machines, take them out of service, and back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Maintenance {
    #[command(flatten)]
    masters: Masters,

    /// Print one JSON array of all machines of the schedule instead of a table
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the machines of the schedule
    Show,
    /// Say that machines will be out of service; those that are in the schedule already get the new time
    Schedule {
        /// HOSTNAME/IP, or the id of an agent
        #[arg(required = true, value_name = "MACHINE")]
        machines: Vec<String>,
        /// From when on, counted from now
        #[arg(long, value_name = "DURATION", default_value = "0secs",
              value_parser = protocol::duration_text::parse)]
        start_in: Duration,
        /// For how long; without end if it is not said
        #[arg(long, value_name = "DURATION", value_parser = protocol::duration_text::parse)]
        duration: Option<Duration>,
    },
    /// Take machines that are not down out of the schedule
    Cancel {
        /// HOSTNAME/IP, or the id of an agent
        #[arg(required = true, value_name = "MACHINE")]
        machines: Vec<String>,
    },
    /// Take scheduled machines out of service: their agents are shut down
    Start {
        /// HOSTNAME/IP, or the id of an agent
        #[arg(required = true, value_name = "MACHINE")]
        machines: Vec<String>,
    },
    /// Put machines back into service, out of the schedule
    Stop {
        /// HOSTNAME/IP
        #[arg(required = true, value_name = "MACHINE")]
        machines: Vec<String>,
    },
}

#[derive(Debug, PartialEq, Serialize)]
struct MachineRow {
    hostname: String,
    ip: String,
    mode: &'static str,
    /// Nanoseconds since the epoch.
    start: i64,
    duration: Option<i64>,
    accepted: usize,
    declined: usize,
}

impl Row for MachineRow {
    const HEADINGS: &'static [&'static str] =
        &["HOST", "IP", "MODE", "START", "DURATION", "ACCEPTED", "DECLINED"];

    fn cells(&self) -> Vec<String> {
        let duration = |ns: i64| protocol::duration_text::format(nanoseconds(ns));
        vec![
            or_dash(&self.hostname),
            or_dash(&self.ip),
            self.mode.into(),
            (self.start / 1_000_000_000).to_string(),
            self.duration.map_or_else(|| "-".into(), duration),
            self.accepted.to_string(),
            self.declined.to_string(),
        ]
    }
}

impl Maintenance {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.masters.leader();
        let rows = block_on(async {
            change(&leader, self.verb).await?;
            machines(&leader).await
        })
        .context("maintenance")?;
        table::print(&rows, self.json).context("printing the machines")?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn change(leader: &Leader, verb: Verb) -> anyhow::Result<()> {
    let call = match verb {
        Verb::Show => return Ok(()),
        Verb::Schedule { machines, start_in, duration } => {
            let machines = resolve(leader, &machines).await?;
            let mut windows = without(schedule(leader).await?, &machines).windows;
            let unavailability = unavailability(start_in, duration)?;
            windows.push(Window { machine_ids: machines, unavailability });
            update(Schedule { windows })
        }
        Verb::Cancel { machines } => {
            let machines = resolve(leader, &machines).await?;
            update(without(schedule(leader).await?, &machines))
        }
        Verb::Start { machines } => {
            let start = StartMaintenance { machines: resolve(leader, &machines).await? };
            let call = of_type(Type::StartMaintenance);
            Call { start_maintenance: Some(start), ..call }
        }
        Verb::Stop { machines } => {
            let stop = StopMaintenance { machines: resolve(leader, &machines).await? };
            let call = of_type(Type::StopMaintenance);
            Call { stop_maintenance: Some(stop), ..call }
        }
    };
    Ok(leader.change(&call).await?)
}

fn of_type(r#type: Type) -> Call {
    Call { r#type: Some(r#type.into()), ..Call::default() }
}

fn update(schedule: Schedule) -> Call {
    let update = Some(UpdateMaintenanceSchedule { schedule });
    let call = of_type(Type::UpdateMaintenanceSchedule);
    Call { update_maintenance_schedule: update, ..call }
}

async fn schedule(leader: &Leader) -> anyhow::Result<Schedule> {
    let answer = leader.operate(Type::GetMaintenanceSchedule).await?;
    Ok(answer.get_maintenance_schedule.unwrap_or_default().schedule)
}

/// The schedule without these machines, and without windows that are then empty.
fn without(mut schedule: Schedule, machines: &[MachineId]) -> Schedule {
    for window in &mut schedule.windows {
        window.machine_ids.retain(|id| !machines.iter().any(|other| key(other) == key(id)));
    }
    schedule.windows.retain(|window| !window.machine_ids.is_empty());
    schedule
}

/// What tells machines apart.
fn key(id: &MachineId) -> (String, String) {
    (id.hostname().to_lowercase(), id.ip().to_owned())
}

fn unavailability(
    start_in: Duration,
    duration: Option<Duration>,
) -> anyhow::Result<Unavailability> {
    let start = SystemTime::now().duration_since(UNIX_EPOCH)? + start_in;
    let nanoseconds = |it: Duration| {
        i64::try_from(it.as_nanos()).context("a time so far off cannot be written down")
    };
    let duration = duration.map(nanoseconds).transpose()?;
    Ok(Unavailability {
        start: TimeInfo { nanoseconds: nanoseconds(start)? },
        duration: duration.map(|nanoseconds| DurationInfo { nanoseconds }),
    })
}

/// Machines as people name them.
async fn resolve(leader: &Leader, names: &[String]) -> anyhow::Result<Vec<MachineId>> {
    let mut agents = None;
    let mut machines = Vec::new();
    for name in names {
        if let Some((hostname, ip)) = name.split_once('/') {
            machines.push(machine(hostname, ip));
            continue;
        }
        if agents.is_none() {
            let answer = leader.operate(Type::GetAgents).await?;
            agents = Some(answer.get_agents.unwrap_or_default().agents);
        }
        let known = agents.iter().flatten().find_map(|agent| named(agent, name));
        match known {
            Some(id) => machines.push(id),
            None => bail!("'{name}' is neither HOSTNAME/IP nor the id of an agent that is there"),
        }
    }
    Ok(machines)
}

fn machine(hostname: &str, ip: &str) -> MachineId {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    MachineId { hostname: known(hostname), ip: known(ip) }
}

/// The machine of the agent with this id.
fn named(agent: &Agent, id: &str) -> Option<MachineId> {
    agent.agent_info.id.as_ref().filter(|it| it.value == id)?;
    // its pid is slave(1)@ip:port
    let (_, address) = agent.pid().split_once('@')?;
    let (ip, _) = address.rsplit_once(':')?;
    Some(machine(&agent.agent_info.hostname, ip))
}

/// Every machine of the schedule.
async fn machines(leader: &Leader) -> anyhow::Result<Vec<MachineRow>> {
    let status = leader.operate(Type::GetMaintenanceStatus).await?;
    let status = status.get_maintenance_status.unwrap_or_default().status;
    let mut answers = BTreeMap::new();
    for draining in &status.draining_machines {
        use protocol::v1::allocator::inverse_offer_status::Status;
        let count = |wanted| draining.statuses.iter().filter(|it| it.status() == wanted).count();
        answers.insert(key(&draining.id), (count(Status::Accept), count(Status::Decline)));
    }
    let mut rows = Vec::new();
    for window in schedule(leader).await?.windows {
        for id in window.machine_ids {
            let answered = answers.get(&key(&id));
            let (accepted, declined) = answered.copied().unwrap_or_default();
            rows.push(MachineRow {
                mode: if answered.is_some() { "DRAINING" } else { "DOWN" },
                start: window.unavailability.start.nanoseconds,
                duration: window.unavailability.duration.map(|it| it.nanoseconds),
                hostname: id.hostname.unwrap_or_default(),
                ip: id.ip.unwrap_or_default(),
                accepted,
                declined,
            });
        }
    }
    Ok(rows)
}

fn nanoseconds(ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_leaves_the_schedule_in_any_case_with_its_window() {
        let window = |ids: &[(&str, &str)]| Window {
            machine_ids: ids.iter().map(|(hostname, ip)| machine(hostname, ip)).collect(),
            ..Window::default()
        };
        let windows = vec![window(&[("a", "10.0.0.1")]), window(&[("b", ""), ("A", "10.0.0.2")])];
        let left = without(Schedule { windows }, &[machine("A", "10.0.0.1"), machine("B", "")]);
        assert_eq!(left.windows, [window(&[("A", "10.0.0.2")])]);
    }

    #[test]
    fn an_agent_tells_its_machine() {
        let mut agent = Agent { pid: Some("slave(1)@10.0.0.7:5051".into()), ..Agent::default() };
        agent.agent_info.id = Some("c-S1".into());
        agent.agent_info.hostname = "h".into();
        assert_eq!(named(&agent, "c-S1"), Some(machine("h", "10.0.0.7")));
        assert_eq!(named(&agent, "c-S2"), None);
    }
}
