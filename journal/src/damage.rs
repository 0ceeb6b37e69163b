//! redb trusts the structure of its files: a flipped bit in it makes redb panic. Here that becomes
//! an error like any other damage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::OpenError;

/// Runs `read`, which reads the file at `path` and keeps nothing when it panics.
pub(crate) fn guard<T, E: From<OpenError>>(
    path: &Path,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let what =
            format!("its pages contradict each other: {}", text.unwrap_or("no reason given"));
        Err(OpenError::damaged(path, what).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_damage_of_the_file() {
        let check = |read: fn() -> Result<u8, OpenError>, expected: Result<u8, &str>| {
            let found = guard(Path::new("the/file"), read).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(ToString::to_string));
        };
        check(|| Ok(1), Ok(1));
        let panics = || panic!("page 7");
        check(panics, Err("the/file is damaged: its pages contradict each other: page 7"));
    }
}
