//! What the kernel tells in the files of cgroups.

use std::fs;
use std::io;
use std::path::Path;

/// The number that a file holds; the largest there is for `max`.
pub(crate) fn number(directory: &Path, file: &str) -> Option<u64> {
    let text = fs::read_to_string(directory.join(file)).ok()?;
    match text.trim() {
        "max" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// A file of lines that each hold a name and a number.
#[derive(Debug, Default)]
pub(crate) struct Numbers(String);

impl Numbers {
    pub(crate) fn read(directory: &Path, file: &str) -> Option<Self> {
        fs::read_to_string(directory.join(file)).ok().map(Self)
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.0.lines().find_map(|line| {
            let (known, number) = line.split_once(' ')?;
            (known == name).then(|| number.trim().parse().ok()).flatten()
        })
    }
}

/// Pids of the processes in a directory, without those in directories below.
pub(crate) fn processes(directory: &Path) -> io::Result<Vec<i32>> {
    match fs::read_to_string(directory.join("cgroup.procs")) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.trim().parse().ok()).collect()),
        // removed meanwhile, before the file was opened or after
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether an error means that the directory is not there any more.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("cpu.stat"), "nr_periods 5\nnr_throttled 3\nx\n")
            .expect("written");
        let numbers = Numbers::read(directory.path(), "cpu.stat").expect("read");
        assert_eq!(numbers.get("nr_throttled"), Some(3));
        assert_eq!((numbers.get("nr"), numbers.get("x")), (None, None));
    }

    #[test]
    fn no_limit_is_the_largest_number() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (text, expected) in [("max\n", Some(u64::MAX)), ("7\n", Some(7)), ("-1\n", None)] {
            fs::write(directory.path().join("f"), text).expect("written");
            assert_eq!(number(directory.path(), "f"), expected);
        }
        assert_eq!(number(directory.path(), "missing"), None);
    }
}
