//! Whether a directory may be an agent's: an empty one, or that of an agent before. What else lies in
//! it would be shown, filled and cleared away with what is the agent's.

use std::fs;
use std::path::Path;

use crate::run::RunError;

/// The file that makes a directory an agent's, whatever else came to lie in it.
pub(crate) const CHECKPOINT: &str = "meta/agent.redb";
/// What an agent keeps in its work directory.
const OURS: [&str; 4] = ["meta", "run", "slaves", "volumes"];
/// What file systems keep in a directory that is empty otherwise.
const IGNORED: &str = "lost+found";

/// Refuses a directory without a checkpoint that holds anything else than what an agent keeps in it.
pub(crate) fn check_own(dir: &Path) -> Result<(), RunError> {
    let failed = |source| RunError::Directory { path: dir.to_owned(), source };
    if dir.join(CHECKPOINT).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name != IGNORED && !OURS.contains(&name.as_str()) {
            return Err(RunError::Foreign { path: dir.to_owned(), name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Option<&str>) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in names {
            fs::create_dir(dir.path().join(name)).expect("made");
        }
        let refused = check_own(dir.path()).err().map(|error| error.to_string());
        let expected = expected.map(|name| {
            let dir = dir.path().display();
            format!("{dir} is not empty and holds no agent: there is {name} in it")
        });
        assert_eq!(refused, expected, "{names:?}");
    }

    #[test]
    fn only_an_agent_is_found_in_its_directory() {
        check(&[], None);
        check(&["lost+found"], None);
        check(&["meta", "run", "slaves", "volumes"], None);
        check(&["identity"], Some("identity"));
        check(&["meta", "diary"], Some("diary"));
        check(&["meta", CHECKPOINT, "diary"], None);
    }
}
