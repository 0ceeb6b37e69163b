//! Sets up what is logged, once per process: lines on stderr.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Crates below ours that tell their whole life at `info`.
const TALKATIVE: [&str; 4] = ["h2", "hyper", "hyper_util", "tower"];

/// How much is logged, by the names that Mesos has for it and those of Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoggingLevel(Level);

impl LoggingLevel {
    pub(crate) const INFO: Self = Self(Level::INFO);
    pub(crate) const WARNING: Self = Self(Level::WARN);

    /// Others' lines below a warning are shown only to those who ask for debugging, and openraft's
    /// below an error: it warns of a peer that is down at every heartbeat, where the journal says so
    /// once.
    fn targets(self) -> Targets {
        let theirs = |most| if self.0 > Level::INFO { self.0 } else { self.0.min(most) };
        Targets::new()
            .with_default(self.0)
            .with_targets(TALKATIVE.map(|name| (name, theirs(Level::WARN))))
            .with_target("openraft", theirs(Level::ERROR))
    }
}

impl FromStr for LoggingLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text.to_ascii_lowercase().as_str() {
            "trace" => Level::TRACE,
            "debug" => Level::DEBUG,
            "info" => Level::INFO,
            "warning" | "warn" => Level::WARN,
            "error" => Level::ERROR,
            _ => return Err(format!("'{text}' is none of trace, debug, info, warning, error")),
        }))
    }
}

/// To be called once, before anything is logged.
pub(crate) fn start(level: LoggingLevel) {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(lines.with_filter(level.targets())).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_the_names_of_mesos_too() {
        assert_eq!("WARNING".parse(), Ok(LoggingLevel(Level::WARN)));
        assert_eq!("info".parse(), Ok(LoggingLevel(Level::INFO)));
        assert!("loud".parse::<LoggingLevel>().is_err());
    }

    #[test]
    fn others_talk_less_than_we_do() {
        let info = LoggingLevel::INFO.targets();
        assert!(info.would_enable("master", &Level::INFO));
        assert!(!info.would_enable("h2::codec", &Level::INFO));
        assert!(info.would_enable("h2::codec", &Level::WARN));
        assert!(!info.would_enable("openraft::core", &Level::WARN));
        assert!(info.would_enable("openraft::core", &Level::ERROR));
        let error = LoggingLevel(Level::ERROR).targets();
        assert!(!error.would_enable("h2::codec", &Level::WARN));
        let debug = LoggingLevel(Level::DEBUG).targets();
        assert!(debug.would_enable("openraft::core", &Level::DEBUG));
    }
}
