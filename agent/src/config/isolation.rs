//! Flags about what containers are held to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::duration_text;

/// How containers are kept apart and within their limits.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct IsolationFlags {
    /// Isolators, separated by commas, such as `cgroups/cpu,cgroups/mem`; by default all that this
    /// machine can have
    #[arg(long, env = "MESOLITH_ISOLATION", value_parser = parse)]
    pub isolation: Option<Isolators>,

    /// What keeps the processes of a container together: `linux` by cgroups, `posix` by parentage
    /// alone; by default `linux` where that can be had
    #[arg(long, env = "MESOLITH_LAUNCHER")]
    pub launcher: Option<LauncherKind>,

    /// Directory at which cgroups are mounted
    #[arg(long, env = "MESOLITH_CGROUPS_HIERARCHY", default_value = "/sys/fs/cgroup")]
    pub cgroups_hierarchy: PathBuf,

    /// Cgroup below which those of this agent are
    #[arg(
        long,
        env = "MESOLITH_CGROUPS_ROOT",
        default_value = "mesos",
        value_parser = parse_root
    )]
    pub cgroups_root: String,

    /// Whether containers get no more processors than they asked for, even if some are idle
    #[arg(long, env = "MESOLITH_CGROUPS_ENABLE_CFS")]
    pub cgroups_enable_cfs: bool,

    /// Whether swap counts as memory
    #[arg(long, env = "MESOLITH_CGROUPS_LIMIT_SWAP")]
    pub cgroups_limit_swap: bool,

    /// Processes and threads that a container may have at once, unless it has a resource `pids`
    #[arg(long, env = "MESOLITH_CGROUPS_PIDS_MAX", default_value_t = 4096)]
    pub cgroups_pids_max: u32,

    /// How often `disk/du` looks at what containers have on the disk
    #[arg(
        long,
        env = "MESOLITH_CONTAINER_DISK_WATCH_INTERVAL",
        default_value = "15secs",
        value_parser = duration_text::parse
    )]
    pub container_disk_watch_interval: Duration,

    /// Whether containers are ended that have more on the disk than they asked for
    #[arg(long, env = "MESOLITH_ENFORCE_CONTAINER_DISK_QUOTA")]
    pub enforce_container_disk_quota: bool,
}

/// Isolators as an operator named them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isolators {
    text: String,
    optional: Vec<Optional>,
}

/// An isolator that needs something of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optional {
    Cpu,
    Memory,
    Pids,
    Disk,
    OwnPids,
}

/// What keeps the processes of a container together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LauncherKind {
    /// A cgroup.
    Linux,
    /// A process above them.
    Posix,
}

/// Names of isolators that are always on.
const ALWAYS: [&str; 6] = [
    "environment_secret",
    "filesystem/posix",
    "posix/cpu",
    "posix/mem",
    "posix/rlimits",
    "volume/sandbox_path",
];
/// Name of all that the machine's cgroups can do.
const ALL_CGROUPS: &str = "cgroups/all";

/// Mesos's older name of `disk/du`.
const OLD_DISK: &str = "posix/disk";

impl Optional {
    const CGROUPS: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pids];
    const ALL: [Self; 5] = [Self::Cpu, Self::Memory, Self::Pids, Self::Disk, Self::OwnPids];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cgroups/cpu",
            Self::Memory => "cgroups/mem",
            Self::Pids => "cgroups/pids",
            Self::Disk => "disk/du",
            Self::OwnPids => "namespaces/pid",
        }
    }
}

impl fmt::Display for Optional {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl IsolationFlags {
    /// The isolators that are to be tried, in the order in which they act.
    pub(crate) fn wanted(&self) -> Vec<Optional> {
        match &self.isolation {
            // Looking at disks takes time, and who has other process ids than the machine's is
            // confused: either is done for those who want it.
            None => Optional::CGROUPS.to_vec(),
            Some(_) => Optional::ALL.into_iter().filter(|kind| self.is_named(*kind)).collect(),
        }
    }

    /// Whether the operator wants this one, rather than what can be had.
    pub(crate) fn is_named(&self, kind: Optional) -> bool {
        self.isolation.as_ref().is_some_and(|named| named.optional.contains(&kind))
    }

    /// The flags as Mesos's `/flags` shows them.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let mut flags = vec![
            ("cgroups_enable_cfs", self.cgroups_enable_cfs.to_string()),
            ("cgroups_hierarchy", self.cgroups_hierarchy.display().to_string()),
            ("cgroups_limit_swap", self.cgroups_limit_swap.to_string()),
            ("cgroups_pids_max", self.cgroups_pids_max.to_string()),
            ("cgroups_root", self.cgroups_root.clone()),
            (
                "container_disk_watch_interval",
                duration_text::format(self.container_disk_watch_interval),
            ),
            ("enforce_container_disk_quota", self.enforce_container_disk_quota.to_string()),
        ];
        let launcher = self.launcher.and_then(|launcher| launcher.to_possible_value());
        let optional = [
            ("isolation", self.isolation.as_ref().map(|isolation| isolation.text.clone())),
            ("launcher", launcher.map(|launcher| launcher.get_name().to_owned())),
        ];
        flags.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        flags
    }
}

fn parse(text: &str) -> Result<Isolators, String> {
    let mut optional = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let kind = Optional::ALL.into_iter().find(|kind| kind.name() == name);
        match kind {
            Some(kind) => optional.push(kind),
            None if name == ALL_CGROUPS => optional.extend(Optional::CGROUPS),
            None if name == OLD_DISK => optional.push(Optional::Disk),
            None if ALWAYS.contains(&name) => {}
            None => {
                let known = Optional::ALL.map(Optional::name).into_iter();
                let known: Vec<&str> = known.chain([ALL_CGROUPS]).chain(ALWAYS).collect();
                return Err(format!(
                    "there is no isolator '{name}' (there are {})",
                    known.join(", ")
                ));
            }
        }
    }
    Ok(Isolators { text: text.to_owned(), optional })
}

/// A path below the hierarchy.
fn parse_root(text: &str) -> Result<String, String> {
    let name = text.trim_matches('/');
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if name.split('/').all(is_plain) {
        Ok(name.to_owned())
    } else {
        Err("not the name of a cgroup".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Optional]) {
        let flags = parse(text).expect(text);
        assert_eq!(flags.optional, expected);
    }

    #[test]
    fn isolators_have_the_names_that_mesos_gives_them() {
        check("cgroups/cpu,cgroups/mem", &[Optional::Cpu, Optional::Memory]);
        check("posix/cpu, posix/mem", &[]);
        check("", &[]);
        check("cgroups/all", &Optional::CGROUPS);
        check("disk/du", &[Optional::Disk]);
        check("posix/disk,namespaces/pid", &[Optional::Disk, Optional::OwnPids]);
        let error = parse("cgroups/cpu,cgroups/moon").expect_err("unknown");
        assert!(error.contains("cgroups/moon") && error.contains("cgroups/pids"), "{error}");
    }

    #[test]
    fn a_root_is_a_path_below() {
        assert_eq!(parse_root("/mesos/"), Ok("mesos".to_owned()));
        assert_eq!(parse_root("a/b"), Ok("a/b".to_owned()));
        for text in ["", "/", "..", "a//b", "a/../.."] {
            assert!(parse_root(text).is_err(), "{text}");
        }
    }
}
