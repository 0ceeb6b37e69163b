//! How long the allocator takes, in the scenarios by which Mesos measures its own, and at the sizes that
//! are promised: `cargo run --release -p statemachine --features testing --example allocator_bench`.
//! `docs/BENCHMARKS.md` says how to read it. A word after `--` runs only what has it in its name.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and prints"
)]

mod cluster;
mod measure;
mod quotas;
mod scenarios;
mod sizes;

fn main() {
    let word = std::env::args().nth(1).unwrap_or_default();
    let wanted = |name: &str| name.contains(&word);
    println!("milliseconds: median (fastest - slowest), rounds of all variants taking turns");
    for (agents, frameworks) in [(1_000, 100), (5_000, 1_000), (20_000, 2_000), (50_000, 6_000)] {
        if wanted(&format!("{agents}x{frameworks}")) {
            sizes::measure(agents, frameworks);
        }
    }
    for (name, measure) in scenarios::ALL {
        if wanted(name) {
            println!("{name}");
            measure();
        }
    }
}
