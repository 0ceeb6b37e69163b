//! Sets up what is logged, once per process: lines on stderr.

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Level;

/// How much is logged, by the names that Mesos has for it and those of Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoggingLevel(Level);

impl LoggingLevel {
    pub(crate) const INFO: Self = Self(Level::INFO);
    pub(crate) const WARNING: Self = Self(Level::WARN);
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
    tracing_subscriber::fmt()
        .with_max_level(level.0)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
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
}
