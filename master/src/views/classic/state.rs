//! `/state` (semantics 287).

use std::collections::BTreeMap;

use protocol::build_info;
use protocol::v1::DomainInfo;
use serde::Serialize;
use statemachine::State;

use super::{agents, frameworks, list};
use crate::convert::{agent, seconds};

/// What the master that answers says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) version: &'static str,
    pub(crate) started: f64,
    pub(crate) id: String,
    pub(crate) pid: String,
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) cluster: Option<String>,
    pub(crate) domain: Option<DomainInfo>,
    pub(crate) flags: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Whole<'a, S, R, F, C> {
    version: &'a str,
    git_sha: &'a str,
    git_branch: &'a str,
    git_tag: &'a str,
    build_date: &'a str,
    build_time: f64,
    build_user: &'a str,
    start_time: f64,
    elected_time: f64,
    id: &'a str,
    pid: &'a str,
    hostname: &'a str,
    capabilities: [&'a str; 2],
    activated_slaves: f64,
    deactivated_slaves: f64,
    unreachable_slaves: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a DomainInfo>,
    leader: &'a str,
    leader_info: LeaderInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    log_dir: &'a str,
    external_log_file: &'a str,
    flags: &'a BTreeMap<&'static str, String>,
    slaves: S,
    recovered_slaves: R,
    frameworks: F,
    completed_frameworks: C,
    orphan_tasks: [(); 0],
    unregistered_frameworks: [(); 0],
}

#[derive(Serialize)]
struct LeaderInfo<'a> {
    id: &'a str,
    pid: &'a str,
    port: u16,
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a DomainInfo>,
}

/// `/state`, as bytes.
pub(crate) fn state(state: &State, host: &Host) -> Vec<u8> {
    let agents = || agents::registered(state);
    let recovered = agents::recovered(state).map(|it| agent::write(state, it));
    let unreachable = state.agents.values().filter(|it| it.unreachable_since.is_some()).count();
    let whole = Whole {
        version: host.version,
        git_sha: build_info::git_sha(),
        git_branch: "",
        git_tag: "",
        build_date: &build_info::build_date(),
        build_time: f64::from(build_info::build_time()),
        build_user: build_info::BUILD_USER,
        start_time: host.started,
        elected_time: seconds(state.cluster.elected_at),
        id: &host.id,
        pid: &host.pid,
        hostname: &host.hostname,
        capabilities: ["AGENT_UPDATE", "AGENT_DRAINING"],
        activated_slaves: agents().filter(|it| it.is_active()).count() as f64,
        deactivated_slaves: agents().filter(|it| !it.is_active()).count() as f64,
        unreachable_slaves: unreachable as f64,
        domain: host.domain.as_ref(),
        leader: &host.pid,
        leader_info: LeaderInfo {
            id: &host.id,
            pid: &host.pid,
            port: host.port,
            hostname: &host.hostname,
            domain: host.domain.as_ref(),
        },
        cluster: host.cluster.as_deref(),
        log_dir: "",
        external_log_file: host.flags.get("external_log_file").map_or("", String::as_str),
        flags: &host.flags,
        slaves: agents::all(state),
        recovered_slaves: list(recovered),
        frameworks: frameworks::current(state),
        completed_frameworks: frameworks::over(state),
        orphan_tasks: [],
        unregistered_frameworks: [],
    };
    crate::views::json::to_vec(&whole)
}
