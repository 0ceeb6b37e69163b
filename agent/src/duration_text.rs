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

/// Reads a duration in Mesos's text form.
///
/// Refused are a missing or unknown unit, a negative or non-finite number, and lengths beyond 2^63
/// ns, each with a text that names what was given.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let split = text.find(|character: char| character.is_ascii_alphabetic()).ok_or_else(|| {
        format!("duration '{text}' has no unit (ns, us, ms, secs, mins, hrs, days, weeks)")
    })?;
    let (number, unit) = text.split_at(split);
    let length = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, length_ns) =
        length.ok_or_else(|| format!("duration '{text}' has the unknown unit '{unit}'"))?;
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("duration '{text}' does not begin with a number"))?;
    let nanoseconds = number * *length_ns as f64;
    if !(0.0..9.2e18).contains(&nanoseconds) {
        return Err(format!("duration '{text}' is negative or too long"));
    }
    Ok(Duration::from_nanos(nanoseconds.round() as u64))
}

/// Writes a duration in the largest unit that holds it whole, as Mesos does (`60 s` is `1mins`).
pub(crate) fn format(duration: Duration) -> String {
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
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "5", "secs", "5parsecs", "-1secs", "NaNsecs", "1e30weeks", "5 0secs"] {
            check(text, None);
        }
    }

    #[test]
    fn the_largest_whole_unit_is_written() {
        for text in ["5secs", "1mins", "90secs", "1weeks", "36hrs", "0ns", "1500us"] {
            assert_eq!(parse(text).map(format).as_deref(), Ok(text));
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
