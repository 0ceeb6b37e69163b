//! What the pure crates must not depend on, asked of cargo itself.

use std::process::Command;

/// The packages that `package` needs to run, as cargo resolves them.
fn dependencies(package: &str) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree --package {package} failed: {errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

fn check(package: &str, forbidden: &[&str]) {
    let found = dependencies(package);
    assert!(found.contains(&package.to_owned()), "cargo tree does not speak of {package}");
    let found: Vec<_> = found.iter().filter(|name| forbidden.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{package} depends on {found:?}");
}

const OURS: [&str; 8] =
    ["statemachine", "journal", "protocol", "master", "agent", "replay", "cli", "proptests"];

/// All of ours but these.
fn ours_but(allowed: &[&str]) -> Vec<&'static str> {
    OURS.into_iter().filter(|name| !allowed.contains(name)).collect()
}

#[test]
fn the_core_does_no_io_and_has_no_clock_or_chance() {
    let outside = ["tokio", "async-std", "rand", "getrandom", "chrono", "time", "uuid", "hyper"];
    check("statemachine", &outside);
    check("statemachine", &["prost", "tonic", "redb", "openraft", "nix", "tracing"]);
    check("statemachine", &ours_but(&["statemachine"]));
}

#[test]
fn the_journal_knows_no_mesos() {
    check("journal", &["prost", "tonic", "axum", "hyper"]);
    check("journal", &ours_but(&["journal"]));
}

/// tokio is there, under tonic's generated services; nothing that decides or stores is.
#[test]
fn the_protocol_only_translates() {
    check("protocol", &["rand", "redb", "openraft", "nix", "tracing-subscriber"]);
    check("protocol", &ours_but(&["protocol"]));
}

#[test]
fn agents_know_no_cluster_state() {
    check("agent", &ours_but(&["agent", "protocol"]));
}

#[test]
fn replay_needs_no_master() {
    check("replay", &ours_but(&["replay", "statemachine", "journal", "protocol"]));
}
