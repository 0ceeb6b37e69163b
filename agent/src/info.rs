//! What the agent offers: its flags, and what the machine has where they are silent.

use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use protocol::attribute::{self, AttributeError};
use protocol::resource::{self, TextError};
use protocol::v1::{AgentInfo, Resource};

use crate::config::{Config, ReconfigurationPolicy};

const MEBIBYTE: u64 = 1 << 20;
/// Memory that is left to the machine, if it has twice as much.
const SPARE_MEMORY_MB: u64 = 1024;
/// Disk that is left to the machine, if it has twice as much.
const SPARE_DISK_MB: u64 = 5 * 1024;
/// Ports offered when the flag names none.
const PORTS: &str = "ports:[31000-32000]";

/// Why the agent cannot describe itself.
#[derive(Debug, thiserror::Error)]
pub enum InfoError {
    /// The flag cannot be read.
    #[error("--resources is wrong")]
    Resources(#[from] TextError),
    /// The flag cannot be read.
    #[error("--attributes is wrong")]
    Attributes(#[from] AttributeError),
    /// The machine does not say what it has.
    #[error("cannot find out how much {0} there is; name it in --resources")]
    Detect(&'static str),
    /// The agent is not what it was, and the policy does not allow that.
    #[error(
        "the agent's {what} changed since it last ran (--reconfiguration-policy={policy}); \
         its tasks were launched on what it had"
    )]
    Changed {
        /// What changed.
        what: &'static str,
        /// The policy in force.
        policy: &'static str,
    },
}

/// Describes the agent that listens on `port`.
pub(crate) fn describe(config: &Config, ip: IpAddr, port: u16) -> Result<AgentInfo, InfoError> {
    let hostname = match &config.hostname {
        Some(hostname) => hostname.clone(),
        None => hostname(ip),
    };
    Ok(AgentInfo {
        hostname,
        port: Some(i32::from(config.advertise_port.unwrap_or(port))),
        resources: resources(config)?,
        attributes: attribute::parse(&config.attributes)?,
        domain: config.domain.clone(),
        ..Default::default()
    })
}

/// A loopback agent is named by its address: its machine's name may lead elsewhere.
fn hostname(ip: IpAddr) -> String {
    let own = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    own.filter(|_| !ip.is_loopback()).unwrap_or_else(|| ip.to_string())
}

fn resources(config: &Config) -> Result<Vec<Resource>, InfoError> {
    let given = resource::parse(&config.resources, &config.default_role)?;
    let is_named = |name: &str| given.iter().any(|resource| resource.name == name);
    let mut detected = String::new();
    if !is_named("cpus") {
        let cpus = std::thread::available_parallelism().map_err(|_| InfoError::Detect("cpus"))?;
        write_scalar(&mut detected, "cpus", cpus.get() as u64);
    }
    if !is_named("mem") {
        write_scalar(&mut detected, "mem", spare(memory_mb()?, SPARE_MEMORY_MB));
    }
    if !is_named("disk") {
        write_scalar(&mut detected, "disk", spare(disk_mb(&config.work_dir)?, SPARE_DISK_MB));
    }
    if !is_named("ports") {
        detected.push_str(PORTS);
    }
    let detected = resource::parse(&detected, &config.default_role)?;
    Ok(given.into_iter().chain(detected).collect())
}

fn write_scalar(text: &mut String, name: &str, value: u64) {
    // Writing to a string does not fail.
    let _ = write!(text, "{name}:{value};");
}

fn spare(total: u64, wanted: u64) -> u64 {
    if total > 2 * wanted { total - wanted } else { total / 2 }
}

fn memory_mb() -> Result<u64, InfoError> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|_| InfoError::Detect("mem"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes / 1024).ok_or(InfoError::Detect("mem"))
}

fn disk_mb(directory: &Path) -> Result<u64, InfoError> {
    let disk = statvfs(directory).map_err(|_| InfoError::Detect("disk"))?;
    Ok(disk.blocks() * disk.fragment_size() / MEBIBYTE)
}

/// Checks what changed since the agent last ran (semantics 272).
pub(crate) fn check_change(
    before: &AgentInfo,
    now: &AgentInfo,
    policy: ReconfigurationPolicy,
) -> Result<(), InfoError> {
    let changed = |what, policy| Err(InfoError::Changed { what, policy });
    match policy {
        ReconfigurationPolicy::Any => Ok(()),
        _ if before.hostname != now.hostname => changed("hostname", "equal or additive"),
        _ if before.port != now.port => changed("port", "equal or additive"),
        ReconfigurationPolicy::Equal if before.resources != now.resources => {
            changed("resources", "equal")
        }
        ReconfigurationPolicy::Equal if before.attributes != now.attributes => {
            changed("attributes", "equal")
        }
        ReconfigurationPolicy::Equal if before.domain != now.domain => changed("domain", "equal"),
        ReconfigurationPolicy::Equal => Ok(()),
        ReconfigurationPolicy::Additive
            if before.domain.is_some() && before.domain != now.domain =>
        {
            changed("domain", "additive")
        }
        ReconfigurationPolicy::Additive if !grew(before, now) => changed("resources", "additive"),
        ReconfigurationPolicy::Additive => {
            let is_kept = before.attributes.iter().all(|known| now.attributes.contains(known));
            if is_kept { Ok(()) } else { changed("attributes", "additive") }
        }
    }
}

/// Whether everything that was offered before still is.
fn grew(before: &AgentInfo, now: &AgentInfo) -> bool {
    before.resources.iter().all(|old| now.resources.iter().any(|new| holds(new, old)))
}

fn holds(new: &Resource, old: &Resource) -> bool {
    let described = |resource: &Resource| Resource {
        scalar: None,
        ranges: None,
        set: None,
        ..resource.clone()
    };
    if described(new) != described(old) {
        return false;
    }
    let scalar = |resource: &Resource| resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
    let ranges = |resource: &Resource| resource.ranges.clone().unwrap_or_default().range;
    let items = |resource: &Resource| resource.set.clone().unwrap_or_default().item;
    let is_within = |inner: &protocol::v1::value::Range| {
        ranges(new).iter().any(|outer| outer.begin <= inner.begin && inner.end <= outer.end)
    };
    scalar(new) >= scalar(old)
        && ranges(old).iter().all(is_within)
        && items(old).iter().all(|item| items(new).contains(item))
}

#[cfg(test)]
mod tests {
    use ReconfigurationPolicy::{Additive, Any, Equal};

    use super::*;

    fn info(resources: &str, attributes: &str) -> AgentInfo {
        AgentInfo {
            hostname: "h".to_owned(),
            resources: resource::parse(resources, "*").expect("resources"),
            attributes: attribute::parse(attributes).expect("attributes"),
            ..Default::default()
        }
    }

    fn check(now: &AgentInfo, allowed: &[ReconfigurationPolicy]) {
        let before = info("cpus:4;ports:[10-20]", "rack:a");
        for policy in [Equal, Additive, Any] {
            let result = check_change(&before, now, policy);
            assert_eq!(result.is_ok(), allowed.contains(&policy), "{policy:?}: {result:?}");
        }
    }

    #[test]
    fn each_policy_allows_what_it_says() {
        check(&info("cpus:4;ports:[10-20]", "rack:a"), &[Equal, Additive, Any]);
        check(&info("cpus:8;ports:[5-30];mem:10", "rack:a;level:1"), &[Additive, Any]);
        check(&info("cpus:2;ports:[10-20]", "rack:a"), &[Any]);
        check(&info("cpus:4;ports:[11-20]", "rack:a"), &[Any]);
        check(&info("cpus:4;ports:[10-20]", "rack:b"), &[Any]);
        let moved =
            AgentInfo { hostname: "other".to_owned(), ..info("cpus:4;ports:[10-20]", "rack:a") };
        check(&moved, &[Any]);
        let text = r#"{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}"#;
        let domain = Some(protocol::domain::parse(text).expect("a domain"));
        let placed = AgentInfo { domain, ..info("cpus:4;ports:[10-20]", "rack:a") };
        check(&placed, &[Additive, Any]);
        let moved = check_change(&placed, &info("cpus:4;ports:[10-20]", "rack:a"), Additive);
        assert!(moved.is_err(), "it was somewhere before");
    }

    #[test]
    fn the_machine_has_memory_and_disk() {
        assert!(memory_mb().is_ok_and(|memory| memory > 0));
        assert!(disk_mb(Path::new("/")).is_ok_and(|disk| disk > 0));
    }
}
