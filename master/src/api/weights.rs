//! Weights of roles: `GET_WEIGHTS`, `UPDATE_WEIGHTS` and `/weights` (semantics 189, 293).

use http::request::Parts;
use http::{Method, Response, StatusCode};
use protocol::role;
use protocol::v1::WeightInfo;
use statemachine::cluster::Weigh;
use statemachine::{Role, State};

use super::body::{Body, Refusal, json, status};
use super::{leader, read};
use crate::master::Master;

/// The weights that operators have set.
pub(super) fn list(state: &State) -> Vec<WeightInfo> {
    let write = |(role, weight): (&Role, &u64)| WeightInfo {
        weight: *weight as f64 / 1000.0,
        role: Some(role.to_string()),
    };
    state.weights.iter().map(write).collect()
}

/// Sets weights.
pub(super) async fn update(
    master: &Master,
    term: u64,
    infos: &[WeightInfo],
) -> Result<Response<Body>, Refusal> {
    let command = command(infos).map_err(Refusal::BadRequest)?;
    leader::ask(master, term, (command, 0)).await??;
    Ok(status(StatusCode::OK))
}

/// What is asked for, or what is wrong with it.
pub(super) fn command(infos: &[WeightInfo]) -> Result<Weigh, String> {
    Ok(Weigh { weights: infos.iter().map(read_info).collect::<Result<_, _>>()? })
}

/// `GET /weights` and `PUT /weights`: arrays of the same objects.
pub(super) async fn answer(
    master: &Master,
    parts: &Parts,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    match parts.method {
        Method::GET => {
            let seen = read::seen(master, parts).await?;
            let written: Vec<_> = list(seen.state()).iter().map(protocol::json::to_vec).collect();
            let array = [b"[".as_slice(), &written.join(b",".as_slice()), b"]"].concat();
            Ok(seen.mark(json(array)))
        }
        Method::PUT => {
            let term = leader::leading(master, &parts.uri)?;
            let infos: Vec<WeightInfo> =
                protocol::json::list_from_slice(body).map_err(|error| {
                    Refusal::BadRequest(format!("Failed to parse the weights: {error}"))
                })?;
            update(master, term, &infos).await
        }
        _ => Err(Refusal::MethodNotAllowed("GET, PUT", parts.method.to_string())),
    }
}

fn read_info(info: &WeightInfo) -> Result<(Role, u64), String> {
    let name = info.role().trim();
    role::validate(name).map_err(|error| format!("Invalid role '{name}': {error}"))?;
    let thousandths = (info.weight * 1000.0).round();
    if !(info.weight > 0.0 && thousandths.is_finite()) {
        return Err(format!(
            "Invalid weight '{}' of role '{name}': it must be a number above 0",
            info.weight
        ));
    }
    // what rounds to nothing counts as the least there is
    Ok((name.into(), (thousandths as u64).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: &str, weight: f64, expected: Option<(&str, u64)>) {
        let info = WeightInfo { weight, role: Some(role.to_owned()) };
        let expected = expected.map(|(role, weight)| (Role::from(role), weight));
        assert_eq!(read_info(&info).ok(), expected, "{role} {weight}");
    }

    /// semantics 189
    #[test]
    fn weights_are_above_nothing() {
        check(" a/b ", 2.5, Some(("a/b", 2500)));
        check("a", 0.0001, Some(("a", 1)));
        check("a", 0.0, None);
        check("a", -1.0, None);
        check("a", f64::NAN, None);
        check("a", f64::INFINITY, None);
        check("a/../b", 1.0, None);
        check("", 1.0, None);
    }
}
