//! Which processes a local cluster has, where each listens and where it keeps its files.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::client::Address;

/// Ports between one master and the next, or one agent and the next: masters' and agents' never meet
/// as long as their first ports differ by something else than a multiple of it.
const PORT_STEP: u16 = 10;
/// Ports that each agent offers to tasks, so that tasks of two agents never want the same one.
const TASK_PORTS: u16 = 1000;
/// First port offered to tasks, as in Mesos.
const TASK_PORT_FIRST: u16 = 31000;
/// Above this many agents there would be no ports left for tasks.
const AGENTS_MAX: u16 = 30;
/// Sizes that a quorum may have.
const MASTERS_ALLOWED: [u16; 3] = [1, 3, 5];

/// What the user asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) masters: u16,
    pub(crate) agents: u16,
    pub(crate) port: u16,
    pub(crate) agent_port: u16,
}

/// What a process of the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Master,
    Agent,
}

/// One process to start.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) kind: Kind,
    /// Such as `master-1`: its directory and its log are named so.
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) work_dir: PathBuf,
    pub(super) log: PathBuf,
    /// After the name of the program.
    pub(super) arguments: Vec<OsString>,
}

/// All processes of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) work_dir: PathBuf,
    pub(super) members: Vec<Member>,
}

/// Why there can be no such cluster.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// Raft needs a majority; an even number of masters survives no more deaths than one fewer.
    #[error("--masters {0}: a quorum has 1, 3 or 5 masters")]
    Masters(u16),
    /// Too many.
    #[error("--agents {0}: there can be {AGENTS_MAX} at most on one machine")]
    Agents(u16),
    /// A port that is 0 or beyond 65535.
    #[error("port {first}: there are no {count} ports from there on in steps of {PORT_STEP}")]
    PortRange { first: u16, count: u16 },
    /// `--port` and `--agent-port` lead to the same one.
    #[error("port {0} is wanted by a master and by an agent: use other --port or --agent-port")]
    Clash(u16),
    /// Somebody listens there.
    #[error("cannot listen on port {port}, which {name} needs")]
    Taken { port: u16, name: String, source: io::Error },
}

impl Plan {
    /// Lays out a cluster below `work_dir`.
    pub(crate) fn new(shape: Shape, work_dir: &Path) -> Result<Self, PlanError> {
        if !MASTERS_ALLOWED.contains(&shape.masters) {
            return Err(PlanError::Masters(shape.masters));
        }
        if shape.agents > AGENTS_MAX {
            return Err(PlanError::Agents(shape.agents));
        }
        let masters = ports(shape.port, shape.masters)?;
        let agents = ports(shape.agent_port, shape.agents)?;
        if let Some(port) = masters.iter().find(|port| agents.contains(port)) {
            return Err(PlanError::Clash(*port));
        }
        let quorum: Vec<String> = masters.iter().map(|p| localhost(*p).to_string()).collect();
        let quorum = OsString::from(quorum.join(","));
        let masters = masters.iter().enumerate().map(|(at, port)| {
            let own = vec!["--masters".into(), quorum.clone()];
            member(work_dir, Kind::Master, at, *port, own)
        });
        let agents = agents.iter().enumerate().map(|(at, port)| {
            let resources = task_ports(at as u16).into();
            let own = vec!["--master".into(), quorum.clone(), "--resources".into(), resources];
            member(work_dir, Kind::Agent, at, *port, own)
        });
        let members = masters.chain(agents).collect();
        let work_dir = work_dir.to_owned();
        Ok(Self { work_dir, members })
    }

    /// Finds out whether all ports are free, so that a clash is named before anything starts.
    pub(crate) fn check_ports(&self) -> Result<(), PlanError> {
        for member in &self.members {
            if let Err(source) = TcpListener::bind(member.address.as_str()) {
                return Err(PlanError::Taken {
                    port: member.address.port(),
                    name: member.name.clone(),
                    source,
                });
            }
        }
        Ok(())
    }

    /// Where the masters listen.
    pub(crate) fn masters(&self) -> Vec<Address> {
        let masters = self.members.iter().filter(|member| member.kind == Kind::Master);
        masters.map(|member| member.address.clone()).collect()
    }

    pub(super) fn agent_count(&self) -> usize {
        let agents = self.members.iter().filter(|member| member.kind == Kind::Agent);
        agents.count()
    }
}

fn ports(first: u16, count: u16) -> Result<Vec<u16>, PlanError> {
    let port = |at: u16| first.checked_add(at.checked_mul(PORT_STEP)?);
    let ports: Option<Vec<u16>> = (0..count).map(port).collect();
    ports.filter(|_| first > 0).ok_or(PlanError::PortRange { first, count })
}

fn localhost(port: u16) -> Address {
    Address::new(&Ipv4Addr::LOCALHOST.to_string(), port)
}

fn task_ports(agent: u16) -> String {
    let first = TASK_PORT_FIRST + agent * TASK_PORTS;
    format!("ports:[{first}-{}]", first + TASK_PORTS - 1)
}

fn member(work_dir: &Path, kind: Kind, at: usize, port: u16, own: Vec<OsString>) -> Member {
    let verb = match kind {
        Kind::Master => "master",
        Kind::Agent => "agent",
    };
    let name = format!("{verb}-{}", at + 1);
    let directory = work_dir.join(&name);
    let mut arguments: Vec<OsString> = vec![verb.into(), "--ip".into(), "127.0.0.1".into()];
    arguments.extend(["--port".into(), port.to_string().into()]);
    arguments.extend(["--work-dir".into(), directory.clone().into()]);
    arguments.extend(own);
    Member {
        kind,
        address: localhost(port),
        log: work_dir.join(format!("{name}.log")),
        work_dir: directory,
        name,
        arguments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: [u16; 4], expected: Result<&str, &str>) {
        let [masters, agents, port, agent_port] = shape;
        let shape = Shape { masters, agents, port, agent_port };
        let shown = match Plan::new(shape, Path::new("/w")) {
            Ok(plan) => {
                let members = plan.members.iter();
                let members = members.map(|m| format!("{} {}", m.name, m.address.port()));
                Ok(members.collect::<Vec<_>>().join(", "))
            }
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(shown.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn masters_and_agents_take_turns() {
        check(
            [3, 2, 5050, 5051],
            Ok("master-1 5050, master-2 5060, master-3 5070, agent-1 5051, agent-2 5061"),
        );
    }

    #[test]
    fn shapes_that_cannot_be_are_named() {
        check([2, 1, 5050, 5051], Err("--masters 2: a quorum has 1, 3 or 5 masters"));
        check([1, 31, 5050, 5051], Err("--agents 31: there can be 30 at most on one machine"));
        check(
            [3, 2, 5050, 5060],
            Err(
                "port 5060 is wanted by a master and by an agent: use other --port or --agent-port",
            ),
        );
        check(
            [3, 0, 65530, 5051],
            Err("port 65530: there are no 3 ports from there on in steps of 10"),
        );
        check([1, 0, 0, 5051], Err("port 0: there are no 1 ports from there on in steps of 10"));
    }

    #[test]
    fn each_agent_offers_ports_of_its_own() {
        assert_eq!(task_ports(0), "ports:[31000-31999]");
        assert_eq!(task_ports(AGENTS_MAX - 1), "ports:[60000-60999]");
    }

    #[test]
    fn a_taken_port_is_named_with_who_needs_it() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("a bound socket").port();
        let shape = Shape { masters: 1, agents: 0, port, agent_port: 1 };
        let plan = Plan::new(shape, Path::new("/w")).expect("a fine shape");
        let error = plan.check_ports().expect_err("the port is taken");
        assert_eq!(
            error.to_string(),
            format!("cannot listen on port {port}, which master-1 needs")
        );
    }
}
