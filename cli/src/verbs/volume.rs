//! `mesolith volume`: persistent volumes on agents.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use protocol::v1::master::Call;
use protocol::v1::master::call::{CreateVolumes, DestroyVolumes, GrowVolume, ShrinkVolume, Type};
use protocol::v1::resource::disk_info::{Persistence, Source};
use protocol::v1::resource::{DiskInfo, ReservationInfo, SharedInfo};
use protocol::v1::value::Scalar;
use protocol::v1::{self, Resource};
use serde::Serialize;

use super::outcome::Waiting;
use super::{Masters, block_on, holdings};
use crate::client::Leader;
use crate::table::{self, Row, or_dash};

const EXAMPLES: &str = "\
A volume is made of disk space that is reserved for a role; what tasks leave in it, later ones find.

Examples:
  mesolith reserve AGENT 'disk:1024' --role eng
  mesolith volume create AGENT db-1 --role eng --size 1024 --path data
  mesolith volume grow AGENT db-1 --by 512                 by more space that is reserved for eng
  mesolith volume list
  mesolith volume destroy AGENT db-1                       with all that is in it";

/// Look at persistent volumes, make them, resize them and destroy them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Volume {
    #[command(flatten)]
    masters: Masters,

    /// Print one JSON array of volumes instead of a table
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List volumes
    List {
        /// The id of one agent; all by default
        #[arg(value_name = "AGENT")]
        agent_id: Option<String>,
    },
    /// Make a volume of space that is reserved for a role
    Create {
        #[command(flatten)]
        target: Target,
        /// In MB
        #[arg(long, value_name = "MB", value_parser = megabytes)]
        size: f64,
        /// Where tasks find it in their directory; its id by default
        #[arg(long)]
        path: Option<String>,
        /// Several tasks may use it at a time
        #[arg(long)]
        shared: bool,
        /// The disk that it is on, by its root; the one that the agent works on by default
        #[arg(long, value_name = "ROOT")]
        disk: Option<String>,
    },
    /// Destroy a volume that no task uses, with all that is in it
    Destroy {
        #[command(flatten)]
        target: Target,
    },
    /// Add space to a volume that is reserved for its role
    Grow {
        #[command(flatten)]
        target: Target,
        /// In MB
        #[arg(long, value_name = "MB", value_parser = megabytes)]
        by: f64,
    },
    /// Take space from a volume, which stays reserved
    Shrink {
        #[command(flatten)]
        target: Target,
        /// In MB
        #[arg(long, value_name = "MB", value_parser = megabytes)]
        by: f64,
    },
}

/// One volume of one agent.
#[derive(Debug, Args)]
struct Target {
    /// The agent's id, as `mesolith agent list` prints it
    #[arg(value_name = "AGENT")]
    agent_id: String,

    /// The volume's id, of which each role on an agent has one at most
    #[arg(value_name = "VOLUME")]
    volume_id: String,

    /// The role; only asked for to make a volume, or where several roles have one of this id
    #[arg(long)]
    role: Option<String>,

    #[command(flatten)]
    waiting: Waiting,
}

fn megabytes(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("'{text}' is no number of MB"))?;
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err("must be above 0".to_owned()) }
}

#[derive(Debug, PartialEq, Serialize)]
struct VolumeRow {
    agent_id: String,
    role: String,
    volume_id: String,
    /// In MB.
    size: f64,
    path: String,
    /// Root of the disk it is on, if that is not the one that the agent works on.
    disk: String,
    shared: bool,
}

impl Row for VolumeRow {
    const HEADINGS: &'static [&'static str] =
        &["AGENT", "ROLE", "VOLUME", "MB", "PATH", "DISK", "SHARED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.agent_id.clone(),
            or_dash(&self.role),
            self.volume_id.clone(),
            self.size.to_string(),
            or_dash(&self.path),
            or_dash(&self.disk),
            if self.shared { "yes" } else { "no" }.into(),
        ]
    }
}

impl Volume {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.masters.leader();
        let rows = block_on(self.verb.carry_out(&leader)).context("persistent volumes")?;
        table::print(&rows, self.json).context("printing volumes")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Verb {
    /// Does it, and says which volumes there are then.
    async fn carry_out(&self, leader: &Leader) -> anyhow::Result<Vec<VolumeRow>> {
        let (target, call) = match self {
            Self::List { agent_id: None } => {
                let agents = holdings::of_agents(leader).await?;
                return Ok(agents.iter().flat_map(|(id, held)| rows(id, held)).collect());
            }
            Self::List { agent_id: Some(id) } => {
                return Ok(rows(id, &holdings::of_agent(leader, id).await?));
            }
            Self::Create { target, .. }
            | Self::Destroy { target }
            | Self::Grow { target, .. }
            | Self::Shrink { target, .. } => {
                let held = holdings::of_agent(leader, &target.agent_id).await?;
                (target, self.call(target, &held)?)
            }
        };
        target.waiting.carry_out(leader, &call).await?;
        Ok(rows(&target.agent_id, &holdings::of_agent(leader, &target.agent_id).await?))
    }

    /// The call that does it on an agent that has all this.
    fn call(&self, target: &Target, held: &[Resource]) -> anyhow::Result<Call> {
        let agent_id: v1::AgentId = target.agent_id.as_str().into();
        let mut call = Call::default();
        let r#type = match self {
            Self::List { .. } => bail!("a listing is no call"),
            Self::Create { size, path, shared, disk, .. } => {
                let path = path.as_ref().unwrap_or(&target.volume_id);
                let space = space(held, target.known_role()?, *size, disk.as_deref())?;
                let volumes = vec![volume(space, &target.volume_id, path, *shared)];
                call.create_volumes = Some(CreateVolumes { agent_id, volumes });
                Type::CreateVolumes
            }
            Self::Destroy { .. } => {
                let volumes = vec![target.find(held)?];
                call.destroy_volumes = Some(DestroyVolumes { agent_id, volumes });
                Type::DestroyVolumes
            }
            Self::Grow { by, .. } => {
                let volume = target.find(held)?;
                let role = holdings::reservation(&volume).map(|it| it.role().to_owned());
                let addition = space(held, &role.unwrap_or_default(), *by, root(&volume))?;
                let agent_id = Some(agent_id);
                call.grow_volume = Some(GrowVolume { agent_id, volume, addition });
                Type::GrowVolume
            }
            Self::Shrink { by, .. } => {
                let (volume, subtract) = (target.find(held)?, Scalar { value: *by });
                let agent_id = Some(agent_id);
                call.shrink_volume = Some(ShrinkVolume { agent_id, volume, subtract });
                Type::ShrinkVolume
            }
        };
        Ok(Call { r#type: Some(r#type.into()), ..call })
    }
}

impl Target {
    fn known_role(&self) -> anyhow::Result<&str> {
        self.role.as_deref().context("give the --role that the space is reserved for")
    }

    /// The volume, as the agent has it.
    fn find(&self, held: &[Resource]) -> anyhow::Result<Resource> {
        let is_it = |resource: &&Resource| {
            let role = holdings::reservation(resource).map(ReservationInfo::role);
            id(resource) == Some(&self.volume_id)
                && self.role.as_ref().is_none_or(|wanted| role == Some(wanted))
        };
        let mut found = held.iter().filter(is_it);
        let (agent, name) = (&self.agent_id, &self.volume_id);
        match (found.next(), found.next()) {
            (None, _) => bail!("agent {agent} has no volume {name}"),
            (Some(_), Some(_)) => bail!("several roles have a volume {name} there: give --role"),
            (Some(volume), None) => Ok(Resource { allocation_info: None, ..volume.clone() }),
        }
    }
}

/// Space of this size that is reserved for a role on one disk and is no volume yet.
fn space(held: &[Resource], role: &str, size: f64, disk: Option<&str>) -> anyhow::Result<Resource> {
    let is_it = |resource: &&Resource| {
        resource.name == "disk"
            && id(resource).is_none()
            && root(resource) == disk
            && holdings::reservation(resource).is_some_and(|it| it.role() == role)
            && holdings::amount(resource) >= size
    };
    let found = held.iter().find(is_it);
    let found = found.with_context(|| {
        let on = disk.map_or_else(String::new, |root| format!(" on {root}"));
        format!("no {size} MB of disk{on} in one piece are reserved for {role} and free of volumes")
    })?;
    Ok(holdings::with_amount(found, size))
}

fn volume(space: Resource, id: &str, path: &str, shared: bool) -> Resource {
    let persistence = Some(Persistence { id: id.to_owned(), principal: None });
    let place = v1::Volume {
        mode: v1::volume::Mode::Rw as i32,
        container_path: path.to_owned(),
        ..v1::Volume::default()
    };
    let disk = space.disk.clone().unwrap_or_default();
    let disk = DiskInfo { persistence, volume: Some(place), ..disk };
    let shared = shared.then(SharedInfo::default);
    Resource { disk: Some(disk), shared, ..space }
}

/// The id of a volume; none of anything else.
fn id(resource: &Resource) -> Option<&String> {
    Some(&resource.disk.as_ref()?.persistence.as_ref()?.id)
}

/// The root of the disk that something is on; none for the one that the agent works on.
fn root(resource: &Resource) -> Option<&str> {
    let source: &Source = resource.disk.as_ref()?.source.as_ref()?;
    let path = source.path.as_ref().and_then(|path| path.root.as_deref());
    path.or_else(|| source.mount.as_ref()?.root.as_deref())
}

fn rows(agent_id: &str, held: &[Resource]) -> Vec<VolumeRow> {
    let row = |resource: &Resource| {
        let place = resource.disk.as_ref()?.volume.as_ref();
        Some(VolumeRow {
            agent_id: agent_id.to_owned(),
            role: holdings::reservation(resource)
                .map(|it| it.role().to_owned())
                .unwrap_or_default(),
            volume_id: id(resource)?.clone(),
            size: holdings::amount(resource),
            path: place.map(|it| it.container_path.clone()).unwrap_or_default(),
            disk: root(resource).unwrap_or_default().to_owned(),
            shared: resource.shared.is_some(),
        })
    };
    held.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::holdings::tests::reserved;
    use super::*;

    fn target(role: Option<&str>) -> Target {
        let role = role.map(str::to_owned);
        let waiting = Waiting::default();
        Target { agent_id: "S0".into(), volume_id: "v".into(), role, waiting }
    }

    fn held() -> Vec<Resource> {
        let made = |role: &str| {
            let space = reserved("disk:64", role, "p").remove(0);
            volume(space, "v", "data", false)
        };
        let mut held = reserved("disk:100", "a", "p");
        held.extend([made("a"), made("b")]);
        held
    }

    #[test]
    fn volumes_are_found_by_id_and_role() {
        let held = held();
        assert_eq!(target(Some("b")).find(&held).expect("one"), held[2]);
        let refused = target(None).find(&held).expect_err("two").to_string();
        assert!(refused.contains("--role"), "{refused}");
        let refused = target(Some("c")).find(&held).expect_err("none").to_string();
        assert!(refused.contains("no volume"), "{refused}");
    }

    #[test]
    fn a_volume_is_made_of_what_is_reserved_and_free() {
        let found = space(&held(), "a", 40.0, None).expect("space");
        assert_eq!(found, reserved("disk:40", "a", "p")[0]);
        for (role, size, disk) in [("a", 101.0, None), ("b", 1.0, None), ("a", 1.0, Some("/d"))] {
            space(&held(), role, size, disk).expect_err("none");
        }
        let shown: Vec<_> = rows("S0", &held()).iter().map(|row| row.cells().join(" ")).collect();
        assert_eq!(shown, ["S0 a v 64 data - no", "S0 b v 64 data - no"]);
    }

    #[test]
    fn volumes_grow_by_space_of_their_role() {
        let call =
            |by| Verb::Grow { target: target(Some("a")), by }.call(&target(Some("a")), &held());
        let grow = call(36.0).expect("a call").grow_volume.expect("its part");
        assert_eq!(
            (grow.volume, grow.addition),
            (held()[1].clone(), reserved("disk:36", "a", "p")[0].clone())
        );
        call(101.0).expect_err("too much");
    }

    #[test]
    fn sizes_are_above_nothing() {
        assert_eq!(megabytes("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "x"] {
            megabytes(text).expect_err(text);
        }
    }
}
