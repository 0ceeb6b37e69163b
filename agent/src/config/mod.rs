//! The agent's flags, named as Mesos names them.

pub(crate) mod isolation;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::tls::TlsFlags;
use protocol::v1::DomainInfo;
use protocol::{domain, duration_text};

use crate::oversubscribe::OversubscriptionFlags;
use isolation::IsolationFlags;

/// The flags of an agent.
///
/// Each can also come from the environment, as `MESOLITH_` and its name in capitals. Names may be
/// written with underscores, as Mesos writes them, once the command line went through
/// [`accept_underscores`].
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Config {
    /// Masters to register with: host:port, separated by commas; any of them leads to the leader
    #[arg(long, env = "MESOLITH_MASTER", value_parser = parse_masters)]
    pub master: Masters,

    /// Address to listen on
    #[arg(long, env = "MESOLITH_IP", default_value = "0.0.0.0")]
    pub ip: IpAddr,

    /// Port to listen on; 0 takes any free one
    #[arg(long, env = "MESOLITH_PORT", default_value_t = 5051)]
    pub port: u16,

    /// Name under which others reach this agent; by default the machine's own
    #[arg(long, env = "MESOLITH_HOSTNAME")]
    pub hostname: Option<String>,

    /// Address told to others instead of the one listened on
    #[arg(long, env = "MESOLITH_ADVERTISE_IP")]
    pub advertise_ip: Option<IpAddr>,

    /// Port told to others instead of the one listened on
    #[arg(long, env = "MESOLITH_ADVERTISE_PORT")]
    pub advertise_port: Option<u16>,

    /// Directory of the agent's checkpoint, sandboxes and volumes; the same one after a restart
    /// keeps agent and tasks
    #[arg(long, env = "MESOLITH_WORK_DIR")]
    pub work_dir: PathBuf,

    /// Directory through which the agent and its containers' shims talk; by default `run` below the
    /// work directory
    #[arg(long, env = "MESOLITH_RUNTIME_DIR")]
    pub runtime_dir: Option<PathBuf>,

    /// What the agent offers, such as `cpus:8;mem:16384;ports:[31000-32000]`, or JSON; unnamed
    /// kinds are detected
    #[arg(long, env = "MESOLITH_RESOURCES", default_value = "")]
    pub resources: String,

    /// Free-form labels of the agent, such as `rack:abc;level:10`
    #[arg(long, env = "MESOLITH_ATTRIBUTES", default_value = "")]
    pub attributes: String,

    /// Where the agent is: `{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}`. The
    /// masters must have one too
    #[arg(long, env = "MESOLITH_DOMAIN", value_name = "JSON", value_parser = domain::parse)]
    pub domain: Option<DomainInfo>,

    /// Role of resources that name none
    #[arg(long, env = "MESOLITH_DEFAULT_ROLE", default_value = "*")]
    pub default_role: String,

    /// How long an executor may take from its start to its subscription
    #[arg(
        long,
        env = "MESOLITH_EXECUTOR_REGISTRATION_TIMEOUT",
        default_value = "1mins",
        value_parser = duration_text::parse
    )]
    pub executor_registration_timeout: Duration,

    /// How long an executor may take to subscribe again after the agent restarted (at most 15secs)
    #[arg(
        long,
        env = "MESOLITH_EXECUTOR_REREGISTRATION_TIMEOUT",
        default_value = "15secs",
        value_parser = parse_reregistration
    )]
    pub executor_reregistration_timeout: Duration,

    /// How long an executor may take to end by itself when told to shut down
    #[arg(
        long,
        env = "MESOLITH_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
        default_value = "5secs",
        value_parser = duration_text::parse
    )]
    pub executor_shutdown_grace_period: Duration,

    /// How long an executor waits for a restarting agent before it gives up
    #[arg(
        long,
        env = "MESOLITH_RECOVERY_TIMEOUT",
        default_value = "15mins",
        value_parser = duration_text::parse
    )]
    pub recovery_timeout: Duration,

    /// Whether tasks run as their own user (needs root) or as the agent's
    #[arg(
        long,
        env = "MESOLITH_SWITCH_USER",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub switch_user: bool,

    /// Which changes of resources, attributes and address a restarted agent accepts
    #[arg(long, env = "MESOLITH_RECONFIGURATION_POLICY", default_value = "equal")]
    pub reconfiguration_policy: ReconfigurationPolicy,

    /// File that this agent's log goes to, if something writes one: it is shown as `/slave/log` by `/files/read` and
    /// `READ_FILE`
    #[arg(long, env = "MESOLITH_EXTERNAL_LOG_FILE")]
    pub external_log_file: Option<PathBuf>,

    /// How long the sandboxes of ended containers are kept at most; less when the disk fills
    #[arg(
        long,
        env = "MESOLITH_GC_DELAY",
        default_value = "1weeks",
        value_parser = duration_text::parse
    )]
    pub gc_delay: Duration,

    /// Share of the disk that is to stay free
    #[arg(
        long,
        env = "MESOLITH_GC_DISK_HEADROOM",
        default_value_t = 0.1,
        value_parser = parse_share
    )]
    pub gc_disk_headroom: f64,

    /// How often the disk is looked at for old sandboxes
    #[arg(
        long,
        env = "MESOLITH_DISK_WATCH_INTERVAL",
        default_value = "1mins",
        value_parser = duration_text::parse
    )]
    pub disk_watch_interval: Duration,

    /// How long a download may stand still
    #[arg(
        long,
        env = "MESOLITH_FETCHER_STALL_TIMEOUT",
        default_value = "1mins",
        value_parser = duration_text::parse
    )]
    pub fetcher_stall_timeout: Duration,

    /// Greatest pause before another try to reach a master
    #[arg(
        long,
        env = "MESOLITH_REGISTRATION_BACKOFF_FACTOR",
        default_value = "1secs",
        value_parser = duration_text::parse
    )]
    pub registration_backoff_factor: Duration,

    /// About what containers are held to
    #[command(flatten)]
    pub isolation: IsolationFlags,
    /// About what the agent lends out
    #[command(flatten)]
    pub oversubscription: OversubscriptionFlags,
    /// About TLS on the port, and on the way to masters.
    #[command(flatten)]
    pub tls: TlsFlags,

    /// Program that runs as the shim above each container; by default this one
    #[arg(long, env = "MESOLITH_LAUNCHER_EXE", hide = true)]
    pub launcher_exe: Option<PathBuf>,
}

/// Which changes against its checkpoint an agent accepts when it restarts (semantics 272).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReconfigurationPolicy {
    /// None.
    Equal,
    /// More resources and attributes, none taken away.
    Additive,
    /// Any.
    Any,
}

/// Addresses (host:port) of the masters, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masters(pub Vec<String>);

fn parse_masters(text: &str) -> Result<Masters, String> {
    if text.starts_with("zk://") {
        return Err(
            "ZooKeeper is not used: name the masters themselves, as host:port,host:port".to_owned()
        );
    }
    let addresses: Vec<String> = text.split(',').map(|address| address.trim().to_owned()).collect();
    for address in &addresses {
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
            return Err(format!("'{address}' is not host:port"));
        }
    }
    Ok(Masters(addresses))
}

fn parse_reregistration(text: &str) -> Result<Duration, String> {
    let duration = duration_text::parse(text).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(15) {
        return Err("at most 15secs: tasks stay unmanaged meanwhile".to_owned());
    }
    Ok(duration)
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a share between 0 and 1".to_owned()),
    }
}

/// Rewrites flags written with underscores, as Mesos writes them (`--work_dir`), to dashes. Values,
/// and everything after a bare `--`, stay as they are.
pub fn accept_underscores(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut is_flags = true;
    let rewrite = |argument: OsString| {
        is_flags &= argument != "--";
        match argument.to_str() {
            Some(text) if is_flags && text.starts_with("--") => {
                let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
                OsString::from(format!("{}{value}", name.replace('_', "-")))
            }
            _ => argument,
        }
    };
    arguments.into_iter().map(rewrite).collect()
}

impl Config {
    /// Directory in which each container has its runtime directory.
    pub(crate) fn runtime_dir(&self) -> PathBuf {
        self.runtime_dir.clone().unwrap_or_else(|| self.work_dir.join("run"))
    }

    /// The flags as Mesos's `/flags` shows them: names with underscores, values as text.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let mut flags = vec![
            ("attributes", self.attributes.clone()),
            ("default_role", self.default_role.clone()),
            ("disk_watch_interval", duration_text::format(self.disk_watch_interval)),
            (
                "executor_registration_timeout",
                duration_text::format(self.executor_registration_timeout),
            ),
            (
                "executor_reregistration_timeout",
                duration_text::format(self.executor_reregistration_timeout),
            ),
            (
                "executor_shutdown_grace_period",
                duration_text::format(self.executor_shutdown_grace_period),
            ),
            ("fetcher_stall_timeout", duration_text::format(self.fetcher_stall_timeout)),
            ("gc_delay", duration_text::format(self.gc_delay)),
            ("gc_disk_headroom", self.gc_disk_headroom.to_string()),
            ("ip", self.ip.to_string()),
            ("master", self.master.0.join(",")),
            ("port", self.port.to_string()),
            ("reconfiguration_policy", format!("{:?}", self.reconfiguration_policy).to_lowercase()),
            ("recovery_timeout", duration_text::format(self.recovery_timeout)),
            (
                "registration_backoff_factor",
                duration_text::format(self.registration_backoff_factor),
            ),
            ("resources", self.resources.clone()),
            ("runtime_dir", path(&self.runtime_dir())),
            ("switch_user", self.switch_user.to_string()),
            ("work_dir", path(&self.work_dir)),
        ];
        let written = |domain: &DomainInfo| {
            String::from_utf8_lossy(&protocol::json::to_vec(domain)).into_owned()
        };
        let optional = [
            ("domain", self.domain.as_ref().map(written)),
            ("hostname", self.hostname.clone()),
            ("advertise_ip", self.advertise_ip.map(|ip| ip.to_string())),
            ("advertise_port", self.advertise_port.map(|port| port.to_string())),
            ("external_log_file", self.external_log_file.as_ref().map(path)),
            ("launcher_exe", self.launcher_exe.as_ref().map(path)),
        ];
        flags.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        flags.extend(self.isolation.shown());
        flags.extend(self.oversubscription.flags());
        flags.extend(self.tls.shown());
        flags.sort_unstable();
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    fn parse(flags: &str) -> Result<Config, String> {
        let arguments = format!("agent {flags}");
        let arguments = accept_underscores(arguments.split(' ').map(OsString::from));
        let command = Command::try_parse_from(arguments).map_err(|error| error.to_string())?;
        Ok(command.config)
    }

    #[test]
    fn flags_are_read_with_underscores_or_dashes() {
        let config = parse(
            "--master a:1,b:2 --work_dir /w --gc-delay=2days --executor_registration_timeout 5secs",
        )
        .expect("valid flags");
        assert_eq!(config.master, Masters(vec!["a:1".to_owned(), "b:2".to_owned()]));
        assert_eq!(config.gc_delay, Duration::from_secs(2 * 86_400));
        assert_eq!(config.executor_registration_timeout, Duration::from_secs(5));
        assert!(config.flags().contains(&("work_dir", "/w".to_owned())));
    }

    #[test]
    fn every_flag_is_shown() {
        use clap::CommandFactory;
        let config = parse(
            "--master a:1 --work_dir /w --hostname h --advertise_ip 1.2.3.4 --advertise_port 5 \
             --launcher_exe /l --external_log_file /e --oversubscribed_resources cpus:1 --load_threshold_5min 1 \
             --load_threshold_15min 1 --ssl_cert_file /c --ssl_key_file /k --ssl_ca_file /a \
             --ssl_support_downgrade --isolation cgroups/cpu --launcher posix \
             --domain {\"fault_domain\":{\"region\":{\"name\":\"eu\"},\"zone\":{\"name\":\"z\"}}}",
        );
        let config = config.expect("valid flags");
        let shown: Vec<&str> = config.flags().into_iter().map(|(name, _)| name).collect();
        let command = Command::command();
        let mut known: Vec<&str> =
            command.get_arguments().map(|flag| flag.get_id().as_str()).collect();
        known.sort_unstable();
        assert_eq!(shown, known);
    }

    #[test]
    fn values_and_commands_keep_their_underscores() {
        let rewritten = accept_underscores(["--a_b=c_d", "--", "--e_f"].map(OsString::from));
        assert_eq!(rewritten, ["--a-b=c_d", "--", "--e_f"].map(OsString::from));
    }

    /// gaps 53
    #[test]
    fn executors_have_as_long_to_come_back_as_they_may() {
        let config = parse("--master a:1 --work_dir /w").expect("valid flags");
        assert_eq!(parse_reregistration("15secs"), Ok(config.executor_reregistration_timeout));
        assert!(parse_reregistration("15001ms").is_err(), "there is no more");
    }

    #[test]
    fn wrong_flags_are_named() {
        for (flags, text) in [
            ("--master zk://a:1/mesos --work_dir /w", "ZooKeeper"),
            ("--master a --work_dir /w", "'a' is not host:port"),
            ("--master a:1 --work_dir /w --gc_delay 5", "has no unit"),
            (
                "--master a:1 --work_dir /w --executor_reregistration_timeout 16secs",
                "at most 15secs",
            ),
            ("--master a:1 --work_dir /w --gc_disk_headroom 2", "between 0 and 1"),
            ("--work_dir /w", "--master"),
        ] {
            let error = parse(flags).expect_err(flags);
            assert!(error.contains(text), "{flags}: {error}");
        }
    }
}
