//! The sizes that are promised: plain, with quotas, with filters, and with roles below others.

use statemachine::State;
use statemachine::allocator::Allocate;

use crate::cluster::{cluster, cycle, cycles, decline, run, team, team_of_org, usual};
use crate::measure::{compare, in_turn, timed};
use crate::quotas;

const ROUNDS: u64 = 11;
const VARIANTS: [&str; 4] = ["plain", "with quotas", "with filters", "with hierarchies"];

pub(crate) fn measure(agents: u32, frameworks: u32) {
    println!("{agents} agents, {frameworks} frameworks in 50 roles");
    let plain = cluster(agents, usual, frameworks, team);
    let mut limited = plain.clone();
    quotas::set(&mut limited, agents, 50, team);
    let filtered = refused(&plain);
    let nested = cluster(agents, usual, frameworks, team_of_org);
    let idle = [plain, limited, filtered, nested];
    let times = in_turn(ROUNDS, &idle, |state, seed| cycles(&mut state.clone(), seed));
    compare("all that is free: decide", &VARIANTS, &times);
    let times = in_turn(ROUNDS, &idle, |state, seed| {
        let mut state = state.clone();
        timed(|| run(&mut state, seed, Allocate::default())).1
    });
    compare("one cycle: decide and make offers", &VARIANTS, &times);
    let churned = idle.map(churned);
    let times = in_turn(ROUNDS, &churned, |state, seed| cycle(state, seed).1);
    compare("1 % churn: decide", &VARIANTS, &times);
}

/// Each agent was refused for an hour ten times.
fn refused(idle: &State) -> State {
    let mut state = idle.clone();
    for seed in 0..10 {
        cycles(&mut state, seed);
        decline(&mut state, 1, 3600.0);
    }
    state
}

/// All is offered, then the offers of one agent in a hundred are declined without a filter.
fn churned(mut state: State) -> State {
    cycles(&mut state, 1);
    decline(&mut state, 100, 0.0);
    state
}
