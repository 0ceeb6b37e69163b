//! The master's flags, by Mesos's names where Mesos has them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use protocol::tls::TlsFlags;
use protocol::v1::DomainInfo;
use protocol::{domain, duration_text};
use statemachine::Settings;
use statemachine::resources::Name;

mod history;
mod minimums;
mod quorum;
mod rates;
mod removal;
mod retention;
mod weights;

pub use history::HistoryFlags;
pub use minimums::{OfferMinimums, OfferMinimumsError};
pub use quorum::QuorumError;
pub(crate) use rates::Rate;
pub use rates::{RateLimits, RateLimitsError};
pub use removal::{RemovalRate, RemovalRateError, RemovalShare, RemovalShareError};
pub use retention::JournalFlags;
pub use weights::{Weights, WeightsError};

/// How a master is started. Every flag can come from the environment, as `MESOLITH_<FLAG>`.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "MESOLITH_IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub ip: IpAddr,
    /// Port for everything: the HTTP API, agents and the other masters.
    #[arg(long, env = "MESOLITH_PORT", default_value_t = 5050)]
    pub port: u16,
    /// Name that clients are shown, and sent to; the address by default.
    #[arg(long, env = "MESOLITH_HOSTNAME")]
    pub hostname: Option<String>,
    /// Address that others reach this master at, when it is not the one it listens on.
    #[arg(long, alias = "advertise_ip", env = "MESOLITH_ADVERTISE_IP")]
    pub advertise_ip: Option<IpAddr>,
    /// Port that others reach this master at, when it is not the one it listens on.
    #[arg(long, alias = "advertise_port", env = "MESOLITH_ADVERTISE_PORT")]
    pub advertise_port: Option<u16>,
    /// Directory of this master's journal: empty at first, and this master's alone.
    #[arg(long, alias = "work_dir", env = "MESOLITH_WORK_DIR")]
    pub work_dir: PathBuf,
    /// File that this master's log goes to, if something writes one: it is shown as `/master/log` by `/files/read`
    /// and `READ_FILE`.
    #[arg(long, alias = "external_log_file", env = "MESOLITH_EXTERNAL_LOG_FILE")]
    pub external_log_file: Option<PathBuf>,
    /// All founding masters, this one among them, as host:port,host:port,…; alone by default.
    #[arg(long, env = "MESOLITH_MASTERS", value_delimiter = ',')]
    pub masters: Vec<String>,
    /// Wait to be added to a quorum that exists already (`mesolith quorum add`); --masters is then
    /// only asked for this master's own name.
    #[arg(long, env = "MESOLITH_JOIN")]
    pub join: bool,
    /// Name of the cluster, for people.
    #[arg(long, env = "MESOLITH_CLUSTER")]
    pub cluster: Option<String>,
    /// How often an agent is pinged.
    #[arg(long, alias = "agent_ping_timeout", env = "MESOLITH_AGENT_PING_TIMEOUT",
          default_value = "15secs", value_parser = duration_text::parse)]
    pub agent_ping_timeout: Duration,
    /// Pings that an agent may miss before its stream is closed.
    #[arg(long, alias = "max_agent_ping_timeouts", env = "MESOLITH_MAX_AGENT_PING_TIMEOUTS",
          default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_agent_ping_timeouts: u32,
    /// How long an agent may be away before it counts as unreachable.
    #[arg(long, alias = "agent_reregister_timeout", env = "MESOLITH_AGENT_REREGISTER_TIMEOUT",
          default_value = "10mins", value_parser = duration_text::parse)]
    pub agent_reregister_timeout: Duration,
    /// How often all that is free is offered anew.
    #[arg(long, alias = "allocation_interval", env = "MESOLITH_ALLOCATION_INTERVAL",
          default_value = "1secs", value_parser = parse_interval)]
    pub allocation_interval: Duration,
    /// Offers are rescinded after this long; never by default.
    #[arg(long, alias = "offer_timeout", env = "MESOLITH_OFFER_TIMEOUT",
          value_parser = duration_text::parse)]
    pub offer_timeout: Option<Duration>,
    /// What an offer has at least: any one of these quantities; empty for anything.
    #[arg(
        long,
        alias = "min_allocatable_resources",
        env = "MESOLITH_MIN_ALLOCATABLE_RESOURCES",
        default_value = "cpus:0.01|mem:32"
    )]
    pub min_allocatable_resources: OfferMinimums,
    /// Whether agents with GPUs are offered only to frameworks that take GPUs.
    #[arg(long, alias = "filter_gpu_resources", env = "MESOLITH_FILTER_GPU_RESOURCES",
          default_value_t = true, action = clap::ArgAction::Set)]
    pub filter_gpu_resources: bool,
    /// Resources that count for nobody's share, such as gpus: names, separated by commas.
    #[arg(
        long,
        alias = "fair_sharing_excluded_resource_names",
        env = "MESOLITH_FAIR_SHARING_EXCLUDED_RESOURCE_NAMES",
        value_delimiter = ','
    )]
    pub fair_sharing_excluded_resource_names: Vec<String>,
    /// Where this master is, the same region for all masters:
    /// {"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}
    #[arg(long, env = "MESOLITH_DOMAIN", value_name = "JSON", value_parser = domain::parse)]
    pub domain: Option<DomainInfo>,
    /// Whether agents must say where they are.
    #[arg(long, alias = "require_agent_domain", env = "MESOLITH_REQUIRE_AGENT_DOMAIN",
          default_value_t = false, action = clap::ArgAction::Set)]
    pub require_agent_domain: bool,
    /// Weights of roles, as role=weight,role=weight.
    #[arg(long, env = "MESOLITH_WEIGHTS")]
    pub weights: Option<Weights>,
    /// Whether frameworks whose user is root may subscribe. Commands may name a user of their own all the same.
    #[arg(long, alias = "root_submissions", env = "MESOLITH_ROOT_SUBMISSIONS",
          default_value_t = true, action = clap::ArgAction::Set)]
    pub root_submissions: bool,
    /// How long an agent that is unreachable or was marked gone is remembered.
    #[arg(long, alias = "registry_max_agent_age", env = "MESOLITH_REGISTRY_MAX_AGENT_AGE",
          default_value = "2weeks", value_parser = duration_text::parse)]
    pub registry_max_agent_age: Duration,
    /// How many unreachable agents are remembered, and how many that were marked gone.
    #[arg(
        long,
        alias = "registry_max_agent_count",
        env = "MESOLITH_REGISTRY_MAX_AGENT_COUNT",
        default_value_t = 102_400
    )]
    pub registry_max_agent_count: u32,
    /// How many agents that are away are given up in how much time at most, such as 1/10mins; by
    /// default all at once.
    #[arg(
        long,
        alias = "agent_removal_rate_limit",
        env = "MESOLITH_AGENT_REMOVAL_RATE_LIMIT",
        value_name = "COUNT/TIME"
    )]
    pub agent_removal_rate_limit: Option<RemovalRate>,
    /// How many of all agents may be given up because they did not come back to a new leader; of more
    /// none is.
    #[arg(
        long,
        alias = "recovery_agent_removal_limit",
        env = "MESOLITH_RECOVERY_AGENT_REMOVAL_LIMIT",
        value_name = "PERCENT",
        default_value = "100%"
    )]
    pub recovery_agent_removal_limit: RemovalShare,
    /// How many calls the schedulers of each principal may make in a second, and how many of more may
    /// wait: {"limits":[{"principal":"batch","qps":50,"capacity":100}]}
    #[arg(long, alias = "rate_limits", env = "MESOLITH_RATE_LIMITS", value_name = "JSON")]
    pub rate_limits: Option<RateLimits>,
    /// How many operators may listen to events; of more the oldest is dropped.
    #[arg(
        long,
        alias = "max_operator_event_stream_subscribers",
        env = "MESOLITH_MAX_OPERATOR_EVENT_STREAM_SUBSCRIBERS",
        default_value_t = 1000
    )]
    pub max_operator_event_stream_subscribers: u32,
    /// Whether metrics tell of each framework.
    #[arg(long, alias = "publish_per_framework_metrics",
          env = "MESOLITH_PUBLISH_PER_FRAMEWORK_METRICS",
          default_value_t = true, action = clap::ArgAction::Set)]
    pub publish_per_framework_metrics: bool,
    /// About what is over.
    #[command(flatten)]
    pub history: HistoryFlags,
    /// About TLS on the port.
    #[command(flatten)]
    pub tls: TlsFlags,
    /// About the journal's files.
    #[command(flatten)]
    pub journal: JournalFlags,
}

impl Config {
    /// What decisions depend on.
    pub fn settings(&self) -> Settings {
        Settings {
            agent_reregister_timeout_ms: milliseconds(self.agent_reregister_timeout),
            offer_timeout_ms: self.offer_timeout.map(milliseconds),
            allocation_interval_ms: milliseconds(self.allocation_interval),
            root_submissions: self.root_submissions,
            offer_minimums: self.min_allocatable_resources.0.clone(),
            filter_gpu_resources: self.filter_gpu_resources,
            unshared: self.unshared(),
            region: self.region().map(Into::into),
            weights: self.weights.as_ref().map(Weights::thousandths).unwrap_or_default(),
            agent_memory_ms: milliseconds(self.registry_max_agent_age),
            agents_remembered: self.registry_max_agent_count,
            removal_limit: self.agent_removal_rate_limit.map(RemovalRate::limit),
            recovery_removal_permille: self.recovery_agent_removal_limit.0,
            retention: self.history.retention(),
            ..Settings::default()
        }
    }

    fn unshared(&self) -> Vec<Name> {
        self.fair_sharing_excluded_resource_names.iter().map(|name| name.as_str().into()).collect()
    }

    fn region(&self) -> Option<&str> {
        let domain = self.domain.as_ref()?.fault_domain.as_ref()?;
        Some(&domain.region.name)
    }

    /// Without a sign of life for this long an agent's stream is closed (semantics 221).
    pub fn ping_timeout(&self) -> Duration {
        self.agent_ping_timeout * self.max_agent_ping_timeouts
    }

    /// Host and port that others reach this master at.
    pub(crate) fn advertised(&self) -> (String, u16) {
        let ip = self.advertise_ip.unwrap_or(self.ip);
        let ip = if ip.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { ip };
        (ip.to_string(), self.advertise_port.unwrap_or(self.port))
    }

    /// The name that clients are shown.
    pub(crate) fn public_hostname(&self) -> String {
        self.hostname.clone().unwrap_or_else(|| self.advertised().0)
    }

    /// This master's name in the quorum, as host:port: as the list of founders has it, if it does.
    pub fn address(&self) -> String {
        let mine = self.names();
        let listed = self.masters.iter().find(|address| mine.contains(address));
        listed.cloned().unwrap_or_else(|| {
            let (host, port) = self.advertised();
            let host = self.hostname.clone().unwrap_or(host);
            format!("{host}:{port}")
        })
    }

    /// Whether this master may be the one that others reach at `address`. It was perhaps added by a name
    /// or an address of its machine that it does not know of.
    pub(crate) fn is_at(&self, address: &str) -> bool {
        let (_, own_port) = self.advertised();
        let Some((host, port)) = address.rsplit_once(':') else { return false };
        let is_unknown = self.ip.is_unspecified() || host.parse::<IpAddr>().is_err();
        self.names().iter().any(|name| name == address)
            || (is_unknown && port.parse() == Ok(own_port))
    }

    /// The names under which the list of founders may have this master.
    pub(crate) fn names(&self) -> Vec<String> {
        let (host, port) = self.advertised();
        let mut hosts = vec![host];
        hosts.extend(self.hostname.clone());
        if self.ip.is_unspecified() || self.ip.is_loopback() {
            hosts.push("localhost".to_owned());
        }
        hosts.into_iter().map(|host| format!("{host}:{port}")).collect()
    }

    /// Flags with their values as text, by Mesos's names, as `/flags` and `GET_FLAGS` show them.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let mut flags = vec![
            ("agent_ping_timeout", duration_text::format(self.agent_ping_timeout)),
            ("agent_reregister_timeout", duration_text::format(self.agent_reregister_timeout)),
            ("allocation_interval", duration_text::format(self.allocation_interval)),
            ("filter_gpu_resources", self.filter_gpu_resources.to_string()),
            ("ip", self.ip.to_string()),
            ("join", self.join.to_string()),
            ("masters", self.masters.join(",")),
            ("max_agent_ping_timeouts", self.max_agent_ping_timeouts.to_string()),
            (
                "max_operator_event_stream_subscribers",
                self.max_operator_event_stream_subscribers.to_string(),
            ),
            ("min_allocatable_resources", self.min_allocatable_resources.to_string()),
            ("port", self.port.to_string()),
            ("publish_per_framework_metrics", self.publish_per_framework_metrics.to_string()),
            ("recovery_agent_removal_limit", self.recovery_agent_removal_limit.to_string()),
            ("registry_max_agent_age", duration_text::format(self.registry_max_agent_age)),
            ("registry_max_agent_count", self.registry_max_agent_count.to_string()),
            ("require_agent_domain", self.require_agent_domain.to_string()),
            ("root_submissions", self.root_submissions.to_string()),
            ("work_dir", self.work_dir.display().to_string()),
        ];
        let unshared = self.fair_sharing_excluded_resource_names.join(",");
        let domain =
            |it: &DomainInfo| String::from_utf8_lossy(&protocol::json::to_vec(it)).into_owned();
        let optional = [
            ("domain", self.domain.as_ref().map(domain)),
            (
                "fair_sharing_excluded_resource_names",
                Some(unshared).filter(|names| !names.is_empty()),
            ),
            (
                "agent_removal_rate_limit",
                self.agent_removal_rate_limit.map(|rate| rate.to_string()),
            ),
            ("cluster", self.cluster.clone()),
            (
                "external_log_file",
                self.external_log_file.as_ref().map(|file| file.display().to_string()),
            ),
            ("hostname", self.hostname.clone()),
            ("advertise_ip", self.advertise_ip.map(|ip| ip.to_string())),
            ("advertise_port", self.advertise_port.map(|port| port.to_string())),
            ("offer_timeout", self.offer_timeout.map(duration_text::format)),
            ("rate_limits", self.rate_limits.as_ref().map(ToString::to_string)),
            ("weights", self.weights.as_ref().map(ToString::to_string)),
        ];
        flags.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        flags.extend(self.history.flags());
        flags.extend(self.tls.shown());
        flags.extend(self.journal.flags());
        flags.sort_unstable();
        flags
    }
}

/// How often something is done: not without a pause.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = duration_text::parse(text).map_err(|error| error.to_string())?;
    if interval < Duration::from_millis(1) {
        return Err("an interval has at least 1ms".to_owned());
    }
    Ok(interval)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    pub(crate) fn parse(arguments: &[&str]) -> Result<Config, String> {
        let arguments = ["master", "--work-dir", "d"].iter().chain(arguments);
        Cli::try_parse_from(arguments).map(|cli| cli.config).map_err(|error| error.to_string())
    }

    fn check_address(arguments: &[&str], expected: &str) {
        assert_eq!(parse(arguments).expect("flags").address(), expected, "{arguments:?}");
    }

    #[test]
    fn a_master_is_known_by_its_name_in_the_list() {
        check_address(&[], "127.0.0.1:5050");
        check_address(&["--ip", "10.0.0.1", "--port", "1"], "10.0.0.1:1");
        check_address(&["--hostname", "h"], "h:5050");
        check_address(
            &["--ip", "127.0.0.1", "--masters", "a:5050,localhost:5050"],
            "localhost:5050",
        );
        check_address(&["--advertise-ip", "10.0.0.2", "--advertise-port", "7"], "10.0.0.2:7");
    }

    #[test]
    fn mesos_spellings_are_understood() {
        let config = parse(&[
            "--agent_ping_timeout=1secs",
            "--max-agent-ping-timeouts=3",
            "--root_submissions=false",
            "--offer_timeout=2mins",
        ])
        .expect("flags");
        assert_eq!(config.ping_timeout(), Duration::from_secs(3));
        assert!(!config.settings().root_submissions);
        assert_eq!(config.settings().offer_timeout_ms, Some(120_000));
        assert!(parse(&["--allocation-interval=soon"]).unwrap_err().contains("soon"));
        for none in ["0secs", "999us"] {
            let error = parse(&["--allocation-interval", none]).unwrap_err();
            assert!(error.contains("at least 1ms"), "{error}");
        }
    }
}
