//! The core's time as people write it.

use statemachine::Time;

const SECONDS_PER_DAY: u64 = 86_400;

/// UTC in the form of RFC 3339, such as `2026-11-20T14:02:03.004Z`.
pub(crate) fn text(time: Time) -> String {
    let seconds = time.0 / 1000;
    let (year, month, day) = date(seconds / SECONDS_PER_DAY);
    let second = seconds % SECONDS_PER_DAY;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        time.0 % 1000
    )
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Years are counted from
/// March, so that the leap day is their last, and in eras of 400 years, which all have as many days.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    const MARCH_OF_YEAR_0_TO_1970: u64 = 719_468;
    let days = days + MARCH_OF_YEAR_0_TO_1970;
    let day_of_era = days % DAYS_PER_ERA;
    let leap_days = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = days / DAYS_PER_ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: u64, expected: &str) {
        assert_eq!(text(Time(seconds * 1000 + 4)), expected);
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        check(0, "1970-01-01T00:00:00.004Z");
        check(951_782_400, "2000-02-29T00:00:00.004Z");
        check(951_868_800, "2000-03-01T00:00:00.004Z");
        check(1_709_251_199, "2024-02-29T23:59:59.004Z");
        check(1_795_183_323, "2026-11-20T14:02:03.004Z");
        check(4_107_542_400, "2100-03-01T00:00:00.004Z");
    }

    #[test]
    fn the_end_of_time_has_a_text_too() {
        assert!(text(Time(u64::MAX)).ends_with('Z'));
    }
}
