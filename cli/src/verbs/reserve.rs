//! `mesolith reserve`, `unreserve` and `reservations`: resources of agents that are kept for roles.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use protocol::v1::master::Call;
use protocol::v1::master::call::{ReserveResources, Type, UnreserveResources};
use protocol::v1::resource::{ReservationInfo, reservation_info};
use protocol::v1::{Label, Labels, Resource};
use serde::Serialize;

use super::outcome::Waiting;
use super::{Listing, Masters, block_on, holdings};
use crate::client::Leader;
use crate::table::{self, Row, or_dash};

const RESERVE_EXAMPLES: &str = "\
What is offered to others is taken back; what is in use cannot be reserved.

Examples:
  mesolith reserve AGENT 'cpus:2;mem:4096' --role eng
  mesolith reserve AGENT 'disk:1024' --role eng/db --label team=db --wait
  mesolith reserve AGENT 'cpus:1' --role eng/web --of eng      a part of what eng has for one below it";

const UNRESERVE_EXAMPLES: &str = "\
Examples:
  mesolith unreserve AGENT 'cpus:2;mem:4096' --role eng";

/// Keep resources of an agent for a role
#[derive(Debug, Args)]
#[command(after_help = RESERVE_EXAMPLES)]
pub(crate) struct Reserve {
    #[command(flatten)]
    part: Part,

    /// Something to know the reservation by, as key=value
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<Label>,

    /// Take it of what is reserved for this role already, which is above the other one
    #[arg(long, value_name = "ROLE")]
    of: Option<String>,
}

/// Give resources back that are kept for a role
#[derive(Debug, Args)]
#[command(after_help = UNRESERVE_EXAMPLES)]
pub(crate) struct Unreserve {
    #[command(flatten)]
    part: Part,
}

/// List what is kept for roles, agent by agent
#[derive(Debug, Args)]
pub(crate) struct Reservations {
    #[command(flatten)]
    listing: Listing,

    /// The id of one agent; all by default
    #[arg(value_name = "AGENT")]
    agent_id: Option<String>,
}

/// Some resources of one agent, for one role.
#[derive(Debug, Args)]
struct Part {
    #[command(flatten)]
    masters: Masters,

    /// The agent's id, as `mesolith agent list` prints it
    #[arg(value_name = "AGENT")]
    agent_id: String,

    /// Such as cpus:2;mem:4096;ports:[8000-8010]
    #[arg(value_parser = resources)]
    resources: Parsed,

    /// The role
    #[arg(long)]
    role: String,

    #[command(flatten)]
    waiting: Waiting,

    /// Print one JSON array of all reservations of the agent instead of a table
    #[arg(long)]
    json: bool,
}

/// Resources from the command line.
#[derive(Clone, Debug)]
struct Parsed(Vec<Resource>);

fn resources(text: &str) -> Result<Parsed, String> {
    let resources = protocol::resource::parse(text, "*").map_err(|error| error.to_string())?;
    if resources.is_empty() {
        return Err("no resources".to_owned());
    }
    Ok(Parsed(resources))
}

fn label(text: &str) -> Result<Label, String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(format!("'{text}' is not of the form key=value"));
    }
    Ok(Label { key: key.to_owned(), value: Some(value.to_owned()) })
}

#[derive(Debug, PartialEq, Serialize)]
struct ReservationRow {
    agent_id: String,
    role: String,
    /// STATIC ones are in the agent's flags.
    r#type: String,
    principal: String,
    labels: Vec<String>,
    resources: String,
}

impl Row for ReservationRow {
    const HEADINGS: &'static [&'static str] =
        &["AGENT", "ROLE", "TYPE", "PRINCIPAL", "LABELS", "RESOURCES"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.agent_id.clone(),
            self.role.clone(),
            self.r#type.clone(),
            or_dash(&self.principal),
            or_dash(&self.labels.join(",")),
            self.resources.clone(),
        ]
    }
}

impl Reserve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let part = &self.part;
        let doing = || format!("reserving resources of agent {}", part.agent_id);
        part.change(async |leader| Ok(self.call(leader).await?)).with_context(doing)
    }

    async fn call(&self, leader: &Leader) -> anyhow::Result<Call> {
        let wanted = &self.part.resources.0;
        let free = match &self.of {
            None => wanted.clone(),
            Some(of) => {
                let held = holdings::of_agent(leader, &self.part.agent_id).await?;
                holdings::reserved_for(&held, of, wanted)?
            }
        };
        let reserve = ReserveResources {
            agent_id: self.part.agent_id.as_str().into(),
            resources: free.into_iter().map(|it| self.pushed(it)).collect(),
            ..ReserveResources::default()
        };
        let r#type = Some(Type::ReserveResources.into());
        Ok(Call { r#type, reserve_resources: Some(reserve), ..Call::default() })
    }

    /// The same, reserved for the role.
    fn pushed(&self, mut resource: Resource) -> Resource {
        let labels = Labels { labels: self.labels.clone() };
        resource.reservations.push(ReservationInfo {
            r#type: Some(reservation_info::Type::Dynamic as i32),
            role: Some(self.part.role.clone()),
            principal: None,
            labels: Some(labels).filter(|it| !it.labels.is_empty()),
        });
        resource
    }
}

impl Unreserve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let part = &self.part;
        let doing = || format!("giving back resources of agent {}", part.agent_id);
        let call = async |leader: &Leader| {
            let held = holdings::of_agent(leader, &part.agent_id).await?;
            let unreserve = UnreserveResources {
                agent_id: part.agent_id.as_str().into(),
                resources: holdings::reserved_for(&held, &part.role, &part.resources.0)?,
            };
            let r#type = Some(Type::UnreserveResources.into());
            Ok(Call { r#type, unreserve_resources: Some(unreserve), ..Call::default() })
        };
        part.change(call).with_context(doing)
    }
}

impl Part {
    /// Makes a call, and shows what is reserved on the agent then.
    fn change(
        &self,
        call: impl AsyncFnOnce(&Leader) -> anyhow::Result<Call>,
    ) -> anyhow::Result<ExitCode> {
        let leader = self.masters.leader();
        let rows = block_on(async {
            let call = call(&leader).await?;
            self.waiting.carry_out(&leader, &call).await?;
            let held = holdings::of_agent(&leader, &self.agent_id).await?;
            Ok(rows(&self.agent_id, &held))
        })?;
        table::print(&rows, self.json).context("printing reservations")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Reservations {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.listing.leader();
        let agents = block_on(async {
            match &self.agent_id {
                None => holdings::of_agents(&leader).await,
                Some(id) => Ok([(id.clone(), holdings::of_agent(&leader, id).await?)].into()),
            }
        })
        .context("listing reservations")?;
        let rows: Vec<_> = agents.iter().flat_map(|(id, held)| rows(id, held)).collect();
        table::print(&rows, self.listing.json).context("printing reservations")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is reserved on an agent: one row for each way in which it is.
fn rows(agent_id: &str, held: &[Resource]) -> Vec<ReservationRow> {
    let mut ways: Vec<(&ReservationInfo, Vec<&Resource>)> = Vec::new();
    for resource in held {
        let Some(reservation) = holdings::reservation(resource) else { continue };
        match ways.iter_mut().find(|(way, _)| *way == reservation) {
            Some((_, resources)) => resources.push(resource),
            None => ways.push((reservation, vec![resource])),
        }
    }
    let row = |(way, resources): (&ReservationInfo, Vec<&Resource>)| ReservationRow {
        agent_id: agent_id.to_owned(),
        role: way.role().to_owned(),
        r#type: way.r#type().as_str_name().to_owned(),
        principal: way.principal().to_owned(),
        labels: way.labels.iter().flat_map(|it| &it.labels).map(written).collect(),
        resources: holdings::shown(resources),
    };
    ways.into_iter().map(row).collect()
}

fn written(label: &Label) -> String {
    label.value.as_ref().map_or_else(|| label.key.clone(), |value| format!("{}={value}", label.key))
}

#[cfg(test)]
mod tests {
    use super::super::holdings::tests::reserved;
    use super::*;

    #[test]
    fn reservations_are_shown_by_who_has_them() {
        let mut held = reserved("cpus:1;mem:64", "a", "p");
        held.extend(reserved("cpus:2", "a", "q"));
        held.extend(resources("cpus:8").expect("resources").0);
        let shown: Vec<_> = rows("S0", &held).iter().map(|row| row.cells().join(" ")).collect();
        let expected = ["S0 a DYNAMIC p - cpus:1;mem:64", "S0 a DYNAMIC q - cpus:2"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn words_of_the_command_line_are_checked() {
        assert!(resources("").is_err());
        assert!(resources("cpus").is_err());
        assert_eq!(written(&label("a=b=c").expect("a label")), "a=b=c");
        assert_eq!(label("a").expect("a label").value.as_deref(), Some(""));
        assert!(label("=b").is_err());
    }
}
