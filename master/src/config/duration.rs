//! Durations as Mesos's flags write them: `15secs`, `1.5mins`, `2weeks`.

use std::time::Duration;

/// Names of the units and their nanoseconds, the largest first.
const UNITS: [(&str, u64); 8] = [
    ("weeks", 604_800_000_000_000),
    ("days", 86_400_000_000_000),
    ("hrs", 3_600_000_000_000),
    ("mins", 60_000_000_000),
    ("secs", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a duration such as 15secs, 10mins or 1.5hrs")]
pub struct DurationError(String);

/// Reads a duration.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.to_owned());
    let digits = text.find(|it: char| !it.is_ascii_digit() && it != '.').ok_or_else(error)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| error())?;
    let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
    let seconds = number * *nanoseconds as f64 / 1e9;
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Writes a duration in the largest unit that leaves it whole.
pub fn write_duration(duration: Duration) -> String {
    let total = duration.as_nanos();
    let whole = |(_, nanoseconds): &&(&str, u64)| total.is_multiple_of(u128::from(*nanoseconds));
    match UNITS.iter().find(whole) {
        Some((unit, nanoseconds)) if total > 0 => {
            format!("{}{unit}", total / u128::from(*nanoseconds))
        }
        _ => "0ns".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, milliseconds: u64, written: &str) {
        let duration = parse_duration(text).expect("a duration");
        assert_eq!(duration, Duration::from_millis(milliseconds), "{text}");
        assert_eq!(write_duration(duration), written);
    }

    #[test]
    fn durations_are_read_and_written() {
        check("15secs", 15_000, "15secs");
        check("10mins", 600_000, "10mins");
        check("1.5hrs", 5_400_000, "90mins");
        check("2weeks", 1_209_600_000, "2weeks");
        check("100ms", 100, "100ms");
        check("0ns", 0, "0ns");
        for text in ["", "15", "secs", "1.2.3secs", "-1secs", "5 secs", "5s", "9e999secs"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
