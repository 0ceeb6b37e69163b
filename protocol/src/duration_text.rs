//! Durations as Mesos writes them: a number and a unit, such as `5secs`, `1.5mins` or `1weeks`.

use std::time::Duration;

/// Units from the largest to the smallest, with their length in nanoseconds.
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
#[error("duration '{text}' {problem}")]
pub struct DurationError {
    text: String,
    problem: &'static str,
}

/// Reads a duration in Mesos's text form.
///
/// # Errors
/// A missing or unknown unit, a negative or non-finite number, and lengths beyond 2^63 ns.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let refuse = |problem| DurationError { text: text.to_owned(), problem };
    let split = text
        .find(|character: char| character.is_ascii_alphabetic())
        .ok_or_else(|| refuse("has no unit (ns, us, ms, secs, mins, hrs, days, weeks)"))?;
    let (number, unit) = text.split_at(split);
    let length = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, length_ns) = length
        .ok_or_else(|| refuse("has none of the units ns, us, ms, secs, mins, hrs, days, weeks"))?;
    let number: f64 = number.trim().parse().map_err(|_| refuse("does not begin with a number"))?;
    let nanoseconds = number * *length_ns as f64;
    if !(0.0..9.2e18).contains(&nanoseconds) {
        return Err(refuse("is negative or too long"));
    }
    Ok(Duration::from_nanos(nanoseconds.round() as u64))
}

/// Writes a duration in the largest unit that holds it whole, as Mesos does (`60 s` is `1mins`).
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let whole = UNITS.iter().find(|(_, length)| {
        nanoseconds >= u128::from(*length) && nanoseconds.is_multiple_of(u128::from(*length))
    });
    match whole {
        Some((name, length)) => format!("{}{name}", nanoseconds / u128::from(*length)),
        None => "0ns".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected_ns: Option<u64>) {
        assert_eq!(parse(text).ok(), expected_ns.map(Duration::from_nanos), "{text}");
    }

    #[test]
    fn units_are_read() {
        check("5secs", Some(5_000_000_000));
        check("1mins", Some(60_000_000_000));
        check("1.5ms", Some(1_500_000));
        check("1weeks", Some(604_800_000_000_000));
        check("0ns", Some(0));
        check("2weeks", Some(1_209_600_000_000_000));
        check("1.5hrs", Some(5_400_000_000_000));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "5",
            "secs",
            "5parsecs",
            "-1secs",
            "NaNsecs",
            "1e30weeks",
            "5 0secs",
            "1.2.3secs",
            "5s",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_largest_whole_unit_is_written() {
        for text in ["5secs", "1mins", "90secs", "1weeks", "36hrs", "0ns", "1500us"] {
            assert_eq!(parse(text).map(format), Ok(text.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanoseconds in 0..1_u64 << 52) {
            let duration = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
