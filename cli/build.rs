//! Tells the program which commit it is built from, where git knows.

use std::process::Command;

fn main() {
    // what HEAD names, and when that changes; a build without git goes without
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(commit) = git(&["log", "-1", "--format=%H %ct"])
        && let Some((sha, time)) = commit.split_once(' ')
    {
        println!("cargo::rustc-env=MESOLITH_COMMIT={sha}");
        println!("cargo::rustc-env=MESOLITH_COMMIT_TIME={time}");
    }
}

/// What git says, if there is one and it knows.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
