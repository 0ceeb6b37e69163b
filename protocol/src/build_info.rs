//! What this build says of itself: whoever builds a release may say more, in the environment of the
//! compiler; else the binary says which commit it is of. Nothing else is asked of the machine, so that
//! the same source and environment make the same program.

use std::sync::OnceLock;

use crate::{API_VERSION, v1};

/// What the binary knows of its commit.
static COMMIT: OnceLock<Commit> = OnceLock::new();

/// The commit that a binary was built from.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Its name.
    pub git_sha: &'static str,
    /// When it was made, in seconds since the epoch.
    pub time: u32,
}

/// Tells which commit this is; the first word counts. To be called before anything is answered: this
/// crate is not built anew for each commit, the binary is.
pub fn announce(commit: Commit) {
    // a second word says the same
    let _ = COMMIT.set(commit);
}

/// Commit that was built (`MESOLITH_GIT_SHA`, else what the binary announced).
pub fn git_sha() -> &'static str {
    let announced = || COMMIT.get().map(|commit| commit.git_sha);
    option_env!("MESOLITH_GIT_SHA").or_else(announced).unwrap_or("unknown")
}

/// Who built it (`MESOLITH_BUILD_USER`).
pub const BUILD_USER: &str = match option_env!("MESOLITH_BUILD_USER") {
    Some(user) => user,
    None => "unknown",
};

/// When it was built, in seconds since the epoch (`SOURCE_DATE_EPOCH`, as reproducible builds have it,
/// else the time of the commit); 0 if nobody said so.
pub fn build_time() -> u32 {
    let announced = || COMMIT.get().map(|commit| commit.time);
    let given = option_env!("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok());
    given.or_else(announced).unwrap_or(0)
}

/// [`build_time`] in words, as `2024-01-01 00:00:00 UTC`.
pub fn build_date() -> String {
    date(build_time())
}

/// The answer to `GET_VERSION`.
pub fn version() -> v1::VersionInfo {
    v1::VersionInfo {
        version: API_VERSION.to_owned(),
        build_date: Some(build_date()),
        build_time: Some(f64::from(build_time())),
        build_user: Some(BUILD_USER.to_owned()),
        git_sha: Some(git_sha().to_owned()),
        ..v1::VersionInfo::default()
    }
}

fn date(seconds: u32) -> String {
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u32| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u32::from(is_leap(year)) {
        days -= 365 + u32::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u32::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: u32, expected: &str) {
        assert_eq!(date(seconds), expected);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        check(0, "1970-01-01 00:00:00 UTC");
        check(1_704_067_200, "2024-01-01 00:00:00 UTC");
        check(1_709_251_199, "2024-02-29 23:59:59 UTC");
        check(1_709_251_200, "2024-03-01 00:00:00 UTC");
        check(1_735_689_599, "2024-12-31 23:59:59 UTC");
        check(4_107_542_400, "2100-03-01 00:00:00 UTC");
    }
}
