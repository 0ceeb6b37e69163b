//! The flags of oversubscription.

use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::duration_text;

/// How much an agent lends out revocably, and when it takes that back.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct OversubscriptionFlags {
    /// Who says how much the agent lends out beyond what it has, to frameworks that take revocable
    /// resources: nobody, or a flag
    #[arg(long, env = "MESOLITH_RESOURCE_ESTIMATOR", default_value = "noop")]
    pub resource_estimator: EstimatorKind,

    /// What the fixed estimator lends out in all, such as `cpus:4;mem:1024`
    #[arg(long, env = "MESOLITH_OVERSUBSCRIBED_RESOURCES", value_name = "RESOURCES")]
    pub oversubscribed_resources: Option<String>,

    /// How often the estimator is asked
    #[arg(
        long,
        env = "MESOLITH_OVERSUBSCRIBED_RESOURCES_INTERVAL",
        default_value = "15secs",
        value_parser = parse_pause
    )]
    pub oversubscribed_resources_interval: Duration,

    /// Who says when containers with revocable resources have to go: nobody, or the machine's load
    #[arg(long, env = "MESOLITH_QOS_CONTROLLER", default_value = "noop")]
    pub qos_controller: ControllerKind,

    /// Load of the last 5 minutes from which on they have to go
    #[arg(long, env = "MESOLITH_LOAD_THRESHOLD_5MIN", value_name = "LOAD",
          value_parser = parse_threshold)]
    pub load_threshold_5min: Option<f64>,

    /// Load of the last 15 minutes from which on they have to go
    #[arg(long, env = "MESOLITH_LOAD_THRESHOLD_15MIN", value_name = "LOAD",
          value_parser = parse_threshold)]
    pub load_threshold_15min: Option<f64>,

    /// Least pause between two looks at the load; never less than a second
    #[arg(
        long,
        env = "MESOLITH_QOS_CORRECTION_INTERVAL_MIN",
        default_value = "0secs",
        value_parser = duration_text::parse
    )]
    pub qos_correction_interval_min: Duration,
}

/// Who says how much is lent out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EstimatorKind {
    /// Nothing is lent out.
    Noop,
    /// Always what `--oversubscribed-resources` says.
    Fixed,
}

/// Who says that too much is lent out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ControllerKind {
    /// Nobody.
    Noop,
    /// The machine's load, once it reaches a threshold.
    Load,
}

fn parse_pause(text: &str) -> Result<Duration, String> {
    let pause = duration_text::parse(text).map_err(|error| error.to_string())?;
    if pause < Duration::from_millis(1) {
        return Err("at least 1ms".to_owned());
    }
    Ok(pause)
}

fn parse_threshold(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(load) if load >= 0.0 && load.is_finite() => Ok(load),
        _ => Err("not a load, such as 7.5".to_owned()),
    }
}

impl OversubscriptionFlags {
    /// The flags as Mesos's `/flags` shows them.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let mut flags = vec![
            (
                "oversubscribed_resources_interval",
                duration_text::format(self.oversubscribed_resources_interval),
            ),
            ("qos_controller", format!("{:?}", self.qos_controller).to_lowercase()),
            (
                "qos_correction_interval_min",
                duration_text::format(self.qos_correction_interval_min),
            ),
            ("resource_estimator", format!("{:?}", self.resource_estimator).to_lowercase()),
        ];
        let optional = [
            ("load_threshold_15min", self.load_threshold_15min.map(|load| load.to_string())),
            ("load_threshold_5min", self.load_threshold_5min.map(|load| load.to_string())),
            ("oversubscribed_resources", self.oversubscribed_resources.clone()),
        ];
        flags.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        flags
    }
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        flags: OversubscriptionFlags,
    }

    /// These flags, the others as they are by default.
    pub(crate) fn flags(text: &str) -> OversubscriptionFlags {
        parse(text).expect("flags")
    }

    fn parse(text: &str) -> Result<OversubscriptionFlags, String> {
        let arguments = ["agent"].into_iter().chain(text.split_whitespace());
        let command = Command::try_parse_from(arguments).map_err(|error| error.to_string())?;
        Ok(command.flags)
    }

    #[test]
    fn wrong_flags_are_named() {
        for (text, part) in [
            ("--load-threshold-5min=-1", "not a load"),
            ("--load-threshold-15min=high", "not a load"),
            ("--oversubscribed-resources-interval=0secs", "at least 1ms"),
            ("--qos-controller=all", "possible values: noop, load"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
