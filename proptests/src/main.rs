//! Runs seeds, one after another, and says how many clusters lived through them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use proptests::{Outcome, Plan, PlanError, Shape, run, shrink::shrink};

/// Whole clusters under one seed: crash them, part them, heal them, and check that nothing is lost.
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed; from the clock if none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Masters of each cluster: 1, 3 or 5.
    #[arg(long, default_value_t = 3, value_parser = masters)]
    masters: u8,
    /// Agents of each cluster.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=50))]
    agents: u8,
    /// Schedulers of each cluster.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=50))]
    schedulers: u8,
    /// Tasks that each scheduler wants finished.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    tasks: u32,
    /// Run this plan and no seeds.
    #[arg(long, conflicts_with_all = ["seeds", "seed"])]
    plan: Option<PathBuf>,
    /// Write the plan of the first seed to this file, to be changed by hand, and run nothing.
    #[arg(long, requires = "seed")]
    write: Option<PathBuf>,
    /// How many runs to spend on making a failing plan smaller.
    #[arg(long, default_value_t = 100)]
    shrink: usize,
    /// Print every line of the trace.
    #[arg(long)]
    trace: bool,
}

fn masters(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(count @ (1 | 3 | 5)) => Ok(count),
        _ => Err("a quorum has 1, 3 or 5 masters".into()),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.plan {
        Some(path) => one(path, &options),
        None => many(&options),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(source) = std::error::Error::source(&error) {
                eprintln!("  because: {source}");
            }
            ExitCode::from(2)
        }
    }
}

/// Runs a plan from a file; how many violations there were.
fn one(path: &Path, options: &Options) -> Result<u64, PlanError> {
    let plan = Plan::read(path)?;
    let mut sum = Sum::default();
    let outcome = run(&plan, None, options.trace);
    outcome.trace.iter().for_each(|line| println!("{line}"));
    report(&plan, &outcome);
    sum.add(&outcome);
    sum.print();
    Ok(sum.violations)
}

/// Runs seeds; how many violations there were. The plan of each is left as a file, shrunk.
fn many(options: &Options) -> Result<u64, PlanError> {
    let first = options.seed.unwrap_or_else(fresh);
    let shape = Shape {
        masters: options.masters,
        agents: options.agents,
        schedulers: options.schedulers,
        tasks: options.tasks,
    };
    if let Some(path) = &options.write {
        return Plan::generate(first, shape).write(path).map(|()| 0);
    }
    println!("seeds {first} to {}, {shape:?}", first.saturating_add(options.seeds - 1));
    let mut sum = Sum::default();
    for seed in (0..options.seeds).map(|more| first.wrapping_add(more)) {
        let plan = Plan::generate(seed, shape);
        let outcome = run(&plan, None, options.trace);
        outcome.trace.iter().for_each(|line| println!("{line}"));
        report(&plan, &outcome);
        sum.add(&outcome);
        if outcome.violation.is_some() {
            let path = PathBuf::from(format!("failure-{seed}.json"));
            shrink(&plan, None, options.shrink).write(&path)?;
            println!(
                "shrunk: cargo run --release -p proptests -- --trace --plan {}",
                path.display()
            );
        }
    }
    sum.print();
    Ok(sum.violations)
}

fn report(plan: &Plan, outcome: &Outcome) {
    if let Some(violation) = &outcome.violation {
        println!("seed {}: {violation}", plan.seed);
    }
}

fn fresh() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |elapsed| elapsed.as_nanos() as u64 >> 10 << 10)
}

/// All runs together.
#[derive(Debug)]
struct Sum {
    started: Instant,
    runs: u64,
    violations: u64,
    events: u64,
    launches: usize,
    simulated_ms: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            runs: 0,
            violations: 0,
            events: 0,
            launches: 0,
            simulated_ms: 0,
        }
    }
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.violations += u64::from(outcome.violation.is_some());
        self.events += outcome.events;
        self.launches += outcome.launches;
        self.simulated_ms += outcome.simulated_ms;
    }

    fn print(&self) {
        let spent = self.started.elapsed().as_secs_f64();
        let simulated = self.simulated_ms as f64 / 1000.0;
        println!(
            "{} runs, {} events, {} launches, {simulated:.0} simulated s in {spent:.1} s ({:.0} per s), \
             {} violations",
            self.runs,
            self.events,
            self.launches,
            simulated / spent.max(0.001),
            self.violations
        );
    }
}
