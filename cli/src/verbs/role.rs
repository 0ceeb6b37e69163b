//! `mesolith role`: roles, with what they weigh, are guaranteed, are limited to and have.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use protocol::v1::master::call::{Type, UpdateQuota, UpdateWeights};
use protocol::v1::master::response::{GetQuota, GetRoles};
use protocol::v1::master::{Call, call};
use protocol::v1::quota::QuotaConfig;
use protocol::v1::value::Scalar;
use protocol::v1::{Resource, Role as WireRole, WeightInfo};
use serde::Serialize;

use super::{Masters, block_on};
use crate::client::Leader;
use crate::table::{self, Row, or_dash};

const EXAMPLES: &str = "\
What is guaranteed to a role stays free until it wants it; nothing gives it more than its limit. Both
count for all roles below it, too.

Examples:
  mesolith role list
  mesolith role set eng --weight 2
  mesolith role set eng --guarantee 'cpus:16;mem:65536' --limit 'cpus:64'
  mesolith role set eng/web --limit 'cpus:8'            within that of eng
  mesolith role set eng --no-quota";

/// Look at roles, and say how much they count, are guaranteed, and may have at most
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Role {
    #[command(flatten)]
    masters: Masters,

    /// Print one JSON array of all roles instead of a table
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List roles
    List,
    /// Change what a role weighs, is guaranteed or is limited to; what is not named stays
    Set(Set),
}

#[derive(Debug, Args)]
struct Set {
    /// The role, such as eng or eng/web
    role: String,
    /// How much it counts among its siblings, where 1 is usual
    #[arg(long)]
    weight: Option<f64>,
    /// What is kept for it; an empty text for nothing
    #[arg(long, value_name = "QUANTITIES", value_parser = quantities)]
    guarantee: Option<Quantities>,
    /// The most that it may have; an empty text for no limit
    #[arg(long, value_name = "QUANTITIES", value_parser = quantities)]
    limit: Option<Quantities>,
    /// Neither guarantees nor limits
    #[arg(long, conflicts_with_all = ["guarantee", "limit"])]
    no_quota: bool,
    /// Even if it has more than its limit already, or the cluster has less than is guaranteed
    #[arg(long)]
    force: bool,
}

/// `cpus:4;mem:1024`.
type Quantities = BTreeMap<String, Scalar>;

fn quantities(text: &str) -> Result<Quantities, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let quantity = |part: &str| {
        let form = || format!("'{part}' is not of the form name:amount");
        let (name, amount) = part.split_once(':').ok_or_else(form)?;
        let value = amount.trim().parse().map_err(|_| form())?;
        Ok((name.trim().to_owned(), Scalar { value }))
    };
    parts.map(quantity).collect()
}

#[derive(Debug, PartialEq, Serialize)]
struct RoleRow {
    role: String,
    weight: f64,
    frameworks: usize,
    /// Used or offered.
    resources: BTreeMap<String, f64>,
    guarantees: BTreeMap<String, f64>,
    limits: BTreeMap<String, f64>,
}

impl Row for RoleRow {
    const HEADINGS: &'static [&'static str] =
        &["ROLE", "WEIGHT", "FRAMEWORKS", "USED OR OFFERED", "GUARANTEED", "LIMIT"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.role.clone(),
            self.weight.to_string(),
            self.frameworks.to_string(),
            shown(&self.resources),
            shown(&self.guarantees),
            shown(&self.limits),
        ]
    }
}

fn shown(amounts: &BTreeMap<String, f64>) -> String {
    let parts: Vec<_> = amounts.iter().map(|(name, amount)| format!("{name}:{amount}")).collect();
    or_dash(&parts.join(";"))
}

impl Role {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let leader = self.masters.leader();
        let rows = match &self.verb {
            Verb::List => block_on(list(&leader)).context("listing roles")?,
            Verb::Set(set) => block_on(async {
                set.carry_out(&leader).await?;
                list(&leader).await
            })
            .with_context(|| format!("changing role {}", set.role))?,
        };
        table::print(&rows, self.json).context("printing roles")?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(leader: &Leader) -> anyhow::Result<Vec<RoleRow>> {
    let roles = leader.operate(Type::GetRoles).await?.get_roles.unwrap_or_default();
    let quotas = leader.operate(Type::GetQuota).await?.get_quota.unwrap_or_default();
    Ok(rows(roles, &quotas))
}

fn rows(roles: GetRoles, quotas: &GetQuota) -> Vec<RoleRow> {
    let row = |role: WireRole| {
        let quota = quotas.status.configs.iter().find(|quota| quota.role == role.name);
        let amounts = |of: fn(&QuotaConfig) -> &Quantities| {
            let amounts = quota.into_iter().flat_map(of);
            amounts.map(|(name, amount)| (name.clone(), amount.value)).collect()
        };
        RoleRow {
            weight: role.weight,
            frameworks: role.frameworks.len(),
            resources: sum(&role.resources),
            guarantees: amounts(|quota| &quota.guarantees),
            limits: amounts(|quota| &quota.limits),
            role: role.name,
        }
    };
    roles.roles.into_iter().map(row).collect()
}

/// Scalars by name, with the three decimals that scalars have.
fn sum(resources: &[Resource]) -> BTreeMap<String, f64> {
    let mut sum: BTreeMap<String, f64> = BTreeMap::new();
    for resource in resources {
        if let Some(scalar) = &resource.scalar {
            let held = sum.entry(resource.name.clone()).or_default();
            *held = ((*held + scalar.value) * 1000.0).round() / 1000.0;
        }
    }
    sum
}

impl Set {
    async fn carry_out(&self, leader: &Leader) -> anyhow::Result<()> {
        let changes_quota = self.no_quota || self.guarantee.is_some() || self.limit.is_some();
        if self.weight.is_none() && !changes_quota {
            bail!("nothing to change: give --weight, --guarantee, --limit or --no-quota");
        }
        if changes_quota {
            let known = leader.operate(Type::GetQuota).await?.get_quota.unwrap_or_default();
            leader.change(&self.quota(&known)).await?;
        }
        if let Some(weight) = self.weight {
            let weight_infos = vec![WeightInfo { weight, role: Some(self.role.clone()) }];
            leader
                .change(&Call {
                    r#type: Some(call::Type::UpdateWeights.into()),
                    update_weights: Some(UpdateWeights { weight_infos }),
                    ..Call::default()
                })
                .await?;
        }
        Ok(())
    }

    /// A quota is set whole: what is not named is what it was.
    fn quota(&self, known: &GetQuota) -> Call {
        let mut config = QuotaConfig { role: self.role.clone(), ..QuotaConfig::default() };
        if !self.no_quota {
            let before = known.status.configs.iter().find(|quota| quota.role == self.role);
            let before = before.cloned().unwrap_or_default();
            config.guarantees = self.guarantee.clone().unwrap_or(before.guarantees);
            config.limits = self.limit.clone().unwrap_or(before.limits);
        }
        Call {
            r#type: Some(call::Type::UpdateQuota.into()),
            update_quota: Some(UpdateQuota {
                force: Some(self.force),
                quota_configs: vec![config],
            }),
            ..Call::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::v1::quota::QuotaStatus;

    use super::*;

    fn set(guarantee: Option<&str>, limit: Option<&str>, no_quota: bool) -> Set {
        let read = |text: Option<&str>| text.map(|text| quantities(text).expect("quantities"));
        Set {
            role: "a".into(),
            weight: None,
            guarantee: read(guarantee),
            limit: read(limit),
            no_quota,
            force: false,
        }
    }

    /// What is asked for of a role that is guaranteed one CPU and limited to two.
    fn check(set: &Set, guarantees: &str, limits: &str) {
        let known = QuotaConfig {
            role: "a".into(),
            guarantees: quantities("cpus:1").expect("quantities"),
            limits: quantities("cpus:2").expect("quantities"),
        };
        let status = QuotaStatus { configs: vec![known], ..QuotaStatus::default() };
        let asked = set.quota(&GetQuota { status }).update_quota.expect("a quota");
        let asked = &asked.quota_configs[0];
        assert_eq!(asked.guarantees, quantities(guarantees).expect("quantities"), "{set:?}");
        assert_eq!(asked.limits, quantities(limits).expect("quantities"), "{set:?}");
    }

    #[test]
    fn what_is_not_named_stays() {
        check(&set(Some("cpus:3; mem:64"), None, false), "cpus:3;mem:64", "cpus:2");
        check(&set(None, Some(""), false), "cpus:1", "");
        check(&set(None, None, true), "", "");
    }

    #[test]
    fn quantities_have_a_form() {
        assert!(quantities("cpus").is_err());
        assert!(quantities("cpus:x").is_err());
        assert_eq!(quantities(" ; ").expect("nothing"), Quantities::new());
    }
}
