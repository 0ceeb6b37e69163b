//! Agents: their Hello, and their infos as others see them.

use prost::Message;
use protocol::agents::Hello;
use protocol::resource::ResourceError;
use protocol::rpc::VERSION;
use protocol::v1::{self, AgentInfo, agent_info};
use statemachine::agent::{
    Agent, Attribute, Description, Domain, DrainState, ExecutorReport, Register, TaskReport,
};
use statemachine::{Capabilities, EventNumber, Session, State, TaskState};

use super::{decode_own, resources};
use crate::config::Config;

/// Port of an agent's HTTP API unless it says otherwise.
const AGENT_PORT: i32 = 5051;

/// What is wrong with a Hello.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HelloError {
    /// It speaks another version of the protocol.
    #[error("the agent speaks version {0} of the agent protocol, this master {VERSION}")]
    Version(u32),
    /// It says nothing of the agent.
    #[error("the hello lacks the agent's info")]
    NoInfo,
    /// It belongs elsewhere.
    #[error("the agent belongs to cluster {theirs}, this is cluster {ours}")]
    OtherCluster {
        /// The agent's.
        theirs: String,
        /// The master's.
        ours: String,
    },
    /// Its id is not of this cluster's making.
    #[error("'{0}' is no agent id of this cluster")]
    Id(String),
    /// The masters have no domain to compare it with (semantics 234).
    #[error("the agent has a domain and this master has none")]
    Domain,
    /// It does not say where it is (semantics 234).
    #[error("the agent has no domain, and this master wants one (--require-agent-domain)")]
    NoDomain,
    /// Its resources break a rule.
    #[error(transparent)]
    Resources(#[from] ResourceError),
}

/// Reads a Hello that came over `session`.
pub(crate) fn read(
    state: &State,
    config: &Config,
    hello: &Hello,
    session: Session,
) -> Result<Register, HelloError> {
    if hello.version != VERSION {
        return Err(HelloError::Version(hello.version));
    }
    if !hello.cluster_id.is_empty() && hello.cluster_id != *state.cluster.id {
        let (theirs, ours) = (hello.cluster_id.clone(), state.cluster.id.to_string());
        return Err(HelloError::OtherCluster { theirs, ours });
    }
    let agent = match hello.agent_id.as_str() {
        "" => None,
        text => Some(state.parse_agent(text).ok_or_else(|| HelloError::Id(text.to_owned()))?),
    };
    let description = describe(hello)?;
    match (&description.domain, &config.domain) {
        (Some(_), None) => return Err(HelloError::Domain),
        (None, _) if config.require_agent_domain => return Err(HelloError::NoDomain),
        _ => {}
    }
    Ok(Register {
        agent,
        description,
        session,
        tasks: hello
            .tasks
            .iter()
            .filter_map(|task| {
                Some(TaskReport {
                    framework: task.framework_id.as_str().into(),
                    task: task.task_id.as_str().into(),
                    state: TaskState::from_number(task.state)?,
                })
            })
            .collect(),
        executors: hello
            .executors
            .iter()
            .map(|executor| ExecutorReport {
                framework: executor.framework_id.as_str().into(),
                executor: executor.executor_id.as_str().into(),
            })
            .collect(),
        running: hello.running_frameworks.iter().map(|it| it.as_str().into()).collect(),
        last_launch: EventNumber(hello.last_launch_index),
        estimate: resources::read(&hello.oversubscribed)?,
    })
}

fn describe(hello: &Hello) -> Result<Description, HelloError> {
    let info = hello.info.as_ref().ok_or(HelloError::NoInfo)?;
    let capabilities = hello
        .capabilities
        .iter()
        .fold(Capabilities::default(), |all, capability| all.with(capability.r#type.unwrap_or(0)));
    let host = if hello.ip.is_empty() { &info.hostname } else { &hello.ip };
    let payload = AgentInfo { id: None, resources: Vec::new(), ..info.clone() };
    Ok(Description {
        hostname: info.hostname.as_str().into(),
        address: format!("{host}:{}", info.port.unwrap_or(AGENT_PORT)).into(),
        version: hello.agent_version.as_str().into(),
        capabilities,
        resources: resources::read(&info.resources)?,
        attributes: info.attributes.iter().map(attribute).collect(),
        domain: info.domain.as_ref().and_then(domain),
        tells_stops: hello.tells_stops,
        payload: payload.encode_to_vec().into(),
    })
}

fn attribute(given: &v1::Attribute) -> Attribute {
    let text = given.text.as_ref().map(|text| text.value.as_str().into());
    Attribute { name: given.name.as_str().into(), text }
}

fn domain(given: &v1::DomainInfo) -> Option<Domain> {
    let domain = given.fault_domain.as_ref()?;
    let (region, zone) = (domain.region.name.as_str(), domain.zone.name.as_str());
    Some(Domain { region: region.into(), zone: zone.into() })
}

/// The agent's info, without its id and resources.
pub(crate) fn info(agent: &Agent) -> AgentInfo {
    decode_own(&agent.description.payload)
}

/// The agent's info, whole.
pub(crate) fn write(state: &State, agent: &Agent) -> AgentInfo {
    AgentInfo {
        id: Some(state.agent_text(agent.id).into()),
        resources: resources::write(&agent.firm(), None),
        ..info(agent)
    }
}

/// How far the agent is with being drained; none if it is not asked to.
pub(crate) fn drain_info(agent: &Agent) -> Option<v1::DrainInfo> {
    let drain = agent.drain.as_ref()?;
    let state = match drain.state {
        DrainState::Draining => v1::DrainState::Draining,
        DrainState::Drained => v1::DrainState::Drained,
    };
    let period = |ns: u64| v1::DurationInfo { nanoseconds: i64::try_from(ns).unwrap_or(i64::MAX) };
    Some(v1::DrainInfo {
        state: state as i32,
        config: v1::DrainConfig {
            max_grace_period: drain.max_grace_ns.map(period),
            mark_gone: Some(drain.mark_gone),
        },
    })
}

/// Host and port of the agent's HTTP API.
pub(crate) fn host_port(agent: &Agent) -> (&str, i32) {
    let address = &agent.description.address;
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host, port.parse().unwrap_or(AGENT_PORT))
}

/// The libprocess address that clients take apart to find the agent.
pub(crate) fn pid(agent: &Agent) -> String {
    let (host, port) = host_port(agent);
    format!("slave(1)@{host}:{port}")
}

/// The capabilities that it said it has, in order of their numbers.
pub(crate) fn capabilities(agent: &Agent) -> Vec<agent_info::Capability> {
    (0..64)
        .filter(|number| agent.description.capabilities.has(*number))
        .map(|number| agent_info::Capability { r#type: Some(number) })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const DOMAIN: &str = r#"{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"z"}}}"#;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    fn hello(domain: Option<&str>) -> Hello {
        let domain = domain.map(|text| protocol::domain::parse(text).expect("a domain"));
        let info = AgentInfo { hostname: "h".to_owned(), domain, ..AgentInfo::default() };
        Hello { version: VERSION, info: Some(info), ..Hello::default() }
    }

    /// What a master with these flags says to a Hello.
    fn check(flags: &[&str], hello: &Hello, expected: &Result<(), HelloError>) {
        let own = ["master", "--work-dir", "d"];
        let config = Flags::try_parse_from(own.iter().chain(flags)).expect("flags").config;
        let mut state = State::default();
        state.cluster.id = "c".into();
        let found = read(&state, &config, hello, Session(1)).map(|_| ());
        assert_eq!(found, *expected, "{flags:?} {hello:?}");
    }

    /// semantics 234; what differs is the version that counts
    #[test]
    fn hellos_that_make_no_sense_are_refused() {
        let (placed, lost) = (hello(Some(DOMAIN)), hello(None));
        check(&[], &lost, &Ok(()));
        check(&[], &placed, &Err(HelloError::Domain));
        check(&["--domain", DOMAIN], &placed, &Ok(()));
        check(&["--domain", DOMAIN], &lost, &Ok(()));
        let strict = ["--domain", DOMAIN, "--require_agent_domain=true"];
        check(&strict, &placed, &Ok(()));
        check(&strict, &lost, &Err(HelloError::NoDomain));
        let newer = Hello { version: VERSION + 1, ..lost.clone() };
        check(&[], &newer, &Err(HelloError::Version(VERSION + 1)));
        check(&[], &Hello { info: None, ..lost.clone() }, &Err(HelloError::NoInfo));
        let stranger = Hello { agent_id: "x-S1".to_owned(), ..lost.clone() };
        check(&[], &stranger, &Err(HelloError::Id("x-S1".to_owned())));
        let (theirs, ours) = ("d".to_owned(), "c".to_owned());
        let other = Hello { cluster_id: theirs.clone(), ..lost };
        check(&[], &other, &Err(HelloError::OtherCluster { theirs, ours }));
    }
}
