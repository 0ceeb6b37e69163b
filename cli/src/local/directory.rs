//! Whether a directory may be a cluster's: a new one, an empty one, or that of a cluster before.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// Somebody else's things would lie between ours.
    #[error("{dir} is not empty and holds no cluster: there is {name} in it")]
    Foreign { dir: PathBuf, name: String },
    /// It cannot be read.
    #[error("cannot read the directory {0}")]
    Read(PathBuf, #[source] io::Error),
}

/// What file systems keep in a directory that is empty otherwise.
const IGNORED: &str = "lost+found";

/// Refuses a directory that holds anything else than what a cluster keeps in it.
pub(crate) fn check_own(dir: &Path) -> Result<(), DirectoryError> {
    let failed = |error| DirectoryError::Read(dir.to_owned(), error);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !is_ours(&name) {
            return Err(DirectoryError::Foreign { dir: dir.to_owned(), name });
        }
    }
    Ok(())
}

/// Such as `master-1` and `master-1.log`.
fn is_ours(name: &str) -> bool {
    let member = name.strip_suffix(".log").unwrap_or(name);
    let number = member.strip_prefix("master-").or_else(|| member.strip_prefix("agent-"));
    name == IGNORED || number.is_some_and(|number| number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Result<(), &str>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in names {
            fs::write(dir.path().join(name), "").expect("written");
        }
        let checked = check_own(dir.path()).map_err(|error| error.to_string());
        match expected {
            Ok(()) => assert_eq!(checked, Ok(()), "{names:?}"),
            Err(expected) => assert!(checked.expect_err("refused").contains(expected)),
        }
    }

    #[test]
    fn only_a_cluster_is_found_in_its_directory() {
        check(&[], Ok(()));
        check(&["lost+found"], Ok(()));
        check(&["master-1", "master-1.log", "agent-12", "agent-12.log"], Ok(()));
        check(&["master-1", "diary"], Err("there is diary in it"));
        check(&["master-one"], Err("holds no cluster"));
        check(&["agent-1.txt"], Err("holds no cluster"));
        check_own(Path::new("/nowhere/to/be/found")).expect("it can be made");
    }
}
