//! Quotas of roles: `GET_QUOTA`, `UPDATE_QUOTA`, the older `SET_QUOTA` and `REMOVE_QUOTA`, and `/quota`
//! (semantics 185 to 188, 293).

use std::collections::{BTreeMap, BTreeSet};

use http::request::Parts;
use http::{Method, Response, StatusCode};
use protocol::role;
use protocol::v1::master::Call;
use protocol::v1::master::call::{Type, UpdateQuota};
use protocol::v1::quota::{QuotaConfig, QuotaInfo, QuotaRequest, QuotaStatus};
use protocol::v1::{Resource, value};
use statemachine::quota::{Amounts, Before, Quota, SetQuotas};
use statemachine::resources::{Name, Scalar};
use statemachine::{Rejection, Role, State};

use super::body::{Body, Refusal, json, status};
use super::route::decode;
use super::{leader, read};
use crate::master::Master;

/// The most that can be named of what is not counted in MB (semantics 186).
const AMOUNT_MAX: f64 = 1e12;

/// The quotas that operators have set: `infos` with the guarantees, for older clients.
pub(super) fn status_of(state: &State) -> QuotaStatus {
    let guarantees = |quota: &Quota| quota.guarantees.iter().map(write_resource).collect();
    let infos = state.quotas.iter().map(|(role, quota)| QuotaInfo {
        role: Some(role.to_string()),
        principal: None,
        guarantee: guarantees(quota),
    });
    let configs = state.quotas.iter().map(|(role, quota)| QuotaConfig {
        role: role.to_string(),
        guarantees: write_amounts(&quota.guarantees),
        limits: write_amounts(&quota.limits),
    });
    QuotaStatus { infos: infos.collect(), configs: configs.collect() }
}

/// Carries out a call that changes quotas.
pub(super) async fn answer(
    master: &Master,
    term: u64,
    call: Call,
) -> Result<Response<Body>, Refusal> {
    if call.r#type == Some(Type::SetQuota as i32) {
        return set(master, term, &call.set_quota.unwrap_or_default().quota_request).await;
    }
    if call.r#type == Some(Type::RemoveQuota as i32) {
        return remove(master, term, &call.remove_quota.unwrap_or_default().role).await;
    }
    let command = command(&call.update_quota.unwrap_or_default()).map_err(Refusal::BadRequest)?;
    match ask(master, term, command).await? {
        Err(Rejection::Conflict(text)) => Err(Refusal::BadRequest(text.to_string())),
        answered => answered.map(|()| status(StatusCode::OK)).map_err(Refusal::from),
    }
}

/// What an `UPDATE_QUOTA` asks for, or what is wrong with it.
pub(super) fn command(update: &UpdateQuota) -> Result<SetQuotas, String> {
    let quotas: Vec<(Role, Quota)> =
        update.quota_configs.iter().map(read_config).collect::<Result<_, _>>()?;
    let mut roles = BTreeSet::new();
    if let Some((role, _)) = quotas.iter().find(|(role, _)| !roles.insert(role)) {
        return Err(format!("UPDATE_QUOTA names role '{role}' twice"));
    }
    Ok(SetQuotas { quotas, force: update.force.unwrap_or(false), before: Before::Any })
}

async fn ask(
    master: &Master,
    term: u64,
    command: SetQuotas,
) -> Result<Result<(), Rejection>, Refusal> {
    Ok(leader::ask(master, term, (command, 0)).await?.map(|_| ()))
}

/// What is guaranteed is the limit as well (semantics 188).
async fn set(
    master: &Master,
    term: u64,
    request: &QuotaRequest,
) -> Result<Response<Body>, Refusal> {
    let quota = read_request(request).map_err(Refusal::BadRequest)?;
    let force = request.force.unwrap_or(false);
    ask(master, term, SetQuotas { quotas: vec![quota], force, before: Before::None }).await??;
    Ok(status(StatusCode::OK))
}

async fn remove(master: &Master, term: u64, role: &str) -> Result<Response<Body>, Refusal> {
    let role = read_role(role).map_err(Refusal::BadRequest)?;
    let quotas = vec![(role, Quota::default())];
    ask(master, term, SetQuotas { quotas, force: true, before: Before::Some }).await??;
    Ok(status(StatusCode::OK))
}

/// `GET /quota`, `POST /quota` with a `QuotaRequest` and `DELETE /quota/ROLE`.
pub(super) async fn classic(
    master: &Master,
    parts: &Parts,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    match parts.method {
        Method::GET => {
            let seen = read::seen(master, parts).await?;
            Ok(seen.mark(json(protocol::json::to_vec(&status_of(seen.state())))))
        }
        Method::POST => {
            let term = leader::leading(master, &parts.uri)?;
            let request: QuotaRequest = protocol::json::from_slice(body).map_err(|error| {
                Refusal::BadRequest(format!("Failed to parse the quota request: {error}"))
            })?;
            set(master, term, &request).await
        }
        Method::DELETE => {
            let term = leader::leading(master, &parts.uri)?;
            let path = decode(parts.uri.path()).unwrap_or_default();
            let role = path.split_once("quota/").map_or("", |(_, role)| role);
            remove(master, term, role).await
        }
        _ => Err(Refusal::MethodNotAllowed("GET, POST, DELETE", parts.method.to_string())),
    }
}

fn write_amounts(amounts: &Amounts) -> BTreeMap<String, value::Scalar> {
    let write = |(name, amount): (&Name, &Scalar)| {
        (name.to_string(), value::Scalar { value: amount.to_f64() })
    };
    amounts.iter().map(write).collect()
}

fn write_resource((name, amount): (&Name, &Scalar)) -> Resource {
    Resource {
        name: name.to_string(),
        r#type: value::Type::Scalar as i32,
        scalar: Some(value::Scalar { value: amount.to_f64() }),
        ..Resource::default()
    }
}

fn read_config(config: &QuotaConfig) -> Result<(Role, Quota), String> {
    let role = read_role(&config.role)?;
    let fault = |fault: String| format!("Invalid QuotaConfig for role '{role}': {fault}");
    let read = |amounts: &BTreeMap<String, value::Scalar>| -> Result<Amounts, String> {
        amounts.iter().map(|(name, amount)| read_amount(name, amount.value)).collect()
    };
    let mut guarantees = read(&config.guarantees).map_err(fault)?;
    guarantees.retain(|_, amount| *amount > Scalar(0));
    let limits = read(&config.limits).map_err(fault)?;
    Ok((role, Quota { guarantees, limits }))
}

fn read_request(request: &QuotaRequest) -> Result<(Role, Quota), String> {
    let role = read_role(request.role())?;
    let mut guarantees = Amounts::new();
    for resource in &request.guarantee {
        let name = &resource.name;
        let fault = |what: &str| format!("Invalid guarantee of {name} for role '{role}': {what}");
        let is_plain = resource.reservations.is_empty()
            && resource.disk.is_none()
            && resource.revocable.is_none()
            && resource.shared.is_none();
        let scalar = resource.scalar.as_ref().filter(|_| is_plain);
        let scalar = scalar.ok_or_else(|| fault("only plain scalar resources are guaranteed"))?;
        let (name, amount) = read_amount(name, scalar.value).map_err(|what| fault(&what))?;
        if guarantees.insert(name, amount).is_some() {
            return Err(fault("it is named twice"));
        }
    }
    if guarantees.is_empty() {
        return Err(format!("A quota request for role '{role}' has to guarantee something"));
    }
    let limits = guarantees.clone();
    guarantees.retain(|_, amount| *amount > Scalar(0));
    Ok((role, Quota { guarantees, limits }))
}

fn read_role(name: &str) -> Result<Role, String> {
    let name = name.trim();
    role::validate(name).map_err(|error| format!("Invalid role '{name}': {error}"))?;
    if name == role::DEFAULT {
        return Err(format!("Invalid role '{name}': the default role has no quota"));
    }
    Ok(name.into())
}

/// semantics 186
fn read_amount(name: &str, value: f64) -> Result<(Name, Scalar), String> {
    let name = Name::from(name);
    let most = match name {
        Name::Mem | Name::Disk => Scalar::MAX.to_f64(),
        Name::Cpus | Name::Gpus | Name::Ports | Name::Other(_) => AMOUNT_MAX,
    };
    if name.as_str().is_empty() {
        return Err("a resource without a name".to_owned());
    }
    if !(0.0..=most).contains(&value) {
        return Err(format!("{name}:{value} does not lie between 0 and {most}"));
    }
    Ok((name, Scalar::from_f64(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: &str, limits: &[(&str, f64)], expected: Option<&[(&str, i64)]>) {
        let scalar =
            |(name, value): &(&str, f64)| ((*name).to_owned(), value::Scalar { value: *value });
        let limits: BTreeMap<_, _> = limits.iter().map(scalar).collect();
        let config = QuotaConfig { role: role.to_owned(), limits, ..QuotaConfig::default() };
        let amount = |(name, thousandths): &(&str, i64)| (Name::from(*name), Scalar(*thousandths));
        let expected = expected.map(|limits| limits.iter().map(amount).collect::<Amounts>());
        let found = read_config(&config);
        assert_eq!(found.clone().ok().map(|(_, quota)| quota.limits), expected, "{found:?}");
    }

    /// semantics 186
    #[test]
    fn quotas_have_bounds() {
        check("a", &[("cpus", 1.5), ("mem", 0.0)], Some(&[("cpus", 1500), ("mem", 0)]));
        check(" a/b ", &[("disk", 1_099_511_627_776.0)], Some(&[("disk", 1_099_511_627_776_000)]));
        check("a", &[("disk", 1_099_511_627_777.0)], None);
        check("a", &[("cpus", -1.0)], None);
        check("a", &[("cpus", f64::NAN)], None);
        check("a", &[("gpus", 1e13)], None);
        check("a", &[("", 1.0)], None);
        check("*", &[("cpus", 1.0)], None);
        check("", &[("cpus", 1.0)], None);
    }
}
