//! How long an allocation cycle takes: `cargo run --release -p statemachine --features testing
//! --example allocator_bench`.
//!
//! A full cycle offers every agent of an idle cluster; a cycle after 1 % churn offers those few whose
//! offers were declined. "decide" is finding out what to offer, "fold" is making the offers.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures, and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use statemachine::allocator::{Allocate, allocate};
use statemachine::offer::Decline;
use statemachine::quota::{Before, Quota, SetQuotas};
use statemachine::resources::{Name, Scalar};
use statemachine::testing::World;
use statemachine::{Command, Context, FrameworkId, Settings, State, Time, decide};

const ROUNDS: u64 = 15;

fn main() {
    println!("milliseconds: median (fastest - slowest) of {ROUNDS}");
    println!("agents frameworks  full: decide            with fold               1 %: decide");
    for agents in [1_000, 5_000, 20_000] {
        for frameworks in [1, 100, 2_000] {
            measure(agents, frameworks);
        }
    }
    println!("agents quotas  without a quota       guarantees and limits");
    for (agents, roles) in [(1_000, 30), (1_000, 300), (1_000, 3_000), (20_000, 300)] {
        measure_quotas(agents, roles);
    }
}

/// As in Mesos's benchmark of large and small quotas: each framework in a role of its own, each role
/// with a quota; every tenth is guaranteed ten times as much as the others, half of all there is in all.
fn measure_quotas(agents: u32, roles: u32) {
    let plain = cluster_of(agents, roles, |number| format!("role{number}"));
    let unit = f64::from(agents) * 16.0 / 2.0 / (f64::from(roles) * 1.9);
    let quotas = (0..roles).map(|number| {
        let guaranteed = if number % 10 == 0 { 10.0 * unit } else { unit };
        let amount = |value: f64| [(Name::Cpus, Scalar::from_f64(value))].into();
        let quota = Quota { guarantees: amount(guaranteed), limits: amount(3.0 * guaranteed) };
        (format!("role{number}").as_str().into(), quota)
    });
    let mut limited = plain.clone();
    let quotas = quotas.collect();
    run(&mut limited, 0, SetQuotas { quotas, force: false, before: Before::None });
    let [without, with] = [plain, limited].map(|state| {
        times(|seed| {
            let start = Instant::now();
            let offers = allocate(&state, &context(seed), None, &mut ());
            assert!(!offers.is_empty());
            start.elapsed()
        })
    });
    println!("{agents:6} {roles:6}  {without:22} {with:22}");
}

fn measure(agents: u32, frameworks: u32) {
    let idle = cluster(agents, frameworks);
    let full = times(|seed| {
        let start = Instant::now();
        let offers = allocate(&idle, &context(seed), None, &mut ());
        assert_eq!(offers.len(), agents as usize);
        start.elapsed()
    });
    let folded = times(|seed| {
        let mut state = idle.clone();
        let start = Instant::now();
        run(&mut state, seed, Allocate::default());
        start.elapsed()
    });
    let churned = churned(&idle, agents);
    let churn = times(|seed| {
        let start = Instant::now();
        let offers = allocate(&churned, &context(seed), None, &mut ());
        assert_eq!(offers.len(), agents as usize / 100);
        start.elapsed()
    });
    println!("{agents:6} {frameworks:10}  {full:22}  {folded:22}  {churn:22}");
}

/// Each framework in one of 50 roles on two levels.
fn cluster(agents: u32, frameworks: u32) -> State {
    cluster_of(agents, frameworks, |number| format!("org{}/team{}", number % 10, number % 50))
}

/// Each framework in the role that it is given; each agent with four resources.
fn cluster_of(agents: u32, frameworks: u32, role: impl Fn(u32) -> String) -> State {
    let mut world = World::new();
    let mut state = world.state.clone();
    for number in 0..agents {
        let ports = 31_000 + number % 7;
        let hello =
            world.hello(None, &format!("cpus:16;mem:65536;disk:500000;ports:[{ports}-32000]"));
        run(&mut state, 0, hello);
    }
    for number in 0..frameworks {
        let subscribe = world.subscription(None, &[&role(number)]);
        run(&mut state, 0, subscribe);
    }
    state
}

/// All is offered, then the offers of one agent in a hundred are declined without a filter.
fn churned(idle: &State, agents: u32) -> State {
    let mut state = idle.clone();
    run(&mut state, 1, Allocate::default());
    let declined: Vec<_> = state.offers.values().step_by(100).cloned().collect();
    assert_eq!(declined.len(), agents as usize / 100);
    for offer in declined {
        let framework: FrameworkId = offer.framework;
        let offers = vec![offer.id];
        run(&mut state, 1, Decline { framework, offers, refuse_seconds: Some(0.0) });
    }
    state
}

fn run(state: &mut State, seed: u64, command: impl Into<Command>) {
    decide(state, &context(seed), &command.into()).expect("not refused");
}

fn context(seed: u64) -> Context {
    let settings = Arc::new(Settings::default());
    Context { now: Time(1_000_000), seed, principal: None, settings }
}

fn times(mut round: impl FnMut(u64) -> Duration) -> String {
    round(0); // warms the caches
    let mut times: Vec<_> = (1..=ROUNDS).map(|seed| round(seed).as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    format!("{median:.2} ({:.2} - {:.2})", times[0], times[times.len() - 1])
}
