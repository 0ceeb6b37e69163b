//! `--agent-removal-rate-limit` and `--recovery-agent-removal-limit`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use protocol::duration_text;
use statemachine::RemovalLimit;

use super::milliseconds;

/// Most removals that one period may have.
const COUNT_MAX: u32 = 10_000;

/// So many agents in so much time, such as `1/10mins`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalRate {
    count: u32,
    per: Duration,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemovalRateError {
    /// There are not two parts.
    #[error("'{0}' is not count/duration, such as 1/10mins")]
    Form(String),
    /// None, or too many at a time.
    #[error("'{0}' is not a count from 1 to {COUNT_MAX}")]
    Count(String),
    /// No time at all.
    #[error("at least 1ms")]
    Short,
    /// The time cannot be read.
    #[error(transparent)]
    Duration(#[from] duration_text::DurationError),
}

impl FromStr for RemovalRate {
    type Err = RemovalRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || RemovalRateError::Form(text.to_owned());
        let (count, per) = text.split_once('/').ok_or_else(form)?;
        let valid = count.trim().parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
        let valid = valid.ok_or_else(|| RemovalRateError::Count(count.to_owned()))?;
        let per = duration_text::parse(per.trim())?;
        if per < Duration::from_millis(1) {
            return Err(RemovalRateError::Short);
        }
        Ok(Self { count: valid, per })
    }
}

impl fmt::Display for RemovalRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, duration_text::format(self.per))
    }
}

impl RemovalRate {
    /// As decisions know it.
    pub(super) fn limit(self) -> RemovalLimit {
        RemovalLimit { count: self.count, per_ms: milliseconds(self.per) }
    }
}

/// A share of all agents, such as `100%`, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalShare(pub(super) u32);

/// A text that is no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a share from 0% to 100%")]
pub struct RemovalShareError(String);

impl FromStr for RemovalShare {
    type Err = RemovalShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        let percent = percent.ok_or_else(|| RemovalShareError(text.to_owned()))?;
        Ok(Self((percent * 10.0).floor() as u32))
    }
}

impl fmt::Display for RemovalShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_mesos_writes_them() {
        for (text, count, per_ms) in [("1/10mins", 1, 600_000), ("2/3hrs", 2, 10_800_000)] {
            let rate: RemovalRate = text.parse().expect(text);
            assert_eq!(rate.limit(), RemovalLimit { count, per_ms });
            assert_eq!(rate.to_string(), text);
        }
        for (text, part) in [
            ("1", "not count/duration"),
            ("0/1mins", "not a count"),
            ("10001/1mins", "not a count"),
            ("-1/1mins", "not a count"),
            ("1/soon", "has none of the units"),
            ("1/10", "has no unit"),
            ("1/1us", "at least 1ms"),
        ] {
            let error = text.parse::<RemovalRate>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn shares_have_a_percent_sign() {
        for (text, permille) in [("100%", 1000), ("0%", 0), ("12.5%", 125)] {
            let share: RemovalShare = text.parse().expect(text);
            assert_eq!((share, share.to_string().as_str()), (RemovalShare(permille), text));
        }
        for text in ["50", "101%", "-1%", "all%", ""] {
            text.parse::<RemovalShare>().expect_err(text);
        }
    }
}
