//! Clusters to allocate.

use std::sync::Arc;

use statemachine::allocator::{Allocate, OFFERS_PER_CYCLE_MAX, allocate};
use statemachine::offer::{Decline, OfferSpec};
use statemachine::resources::Resources;
use statemachine::testing::{World, resources};
use statemachine::{AgentId, Command, Context, FrameworkId, Reply, Settings, State, Time, decide};

use crate::measure::timed;

/// A role for each framework of 50 teams.
pub(crate) fn team(number: u32) -> String {
    format!("team{}", number % 50)
}

/// The same below 10 others.
pub(crate) fn team_of_org(number: u32) -> String {
    format!("org{}/team{}", number % 10, number % 50)
}

/// What each agent has: four resources.
pub(crate) fn usual(number: u32) -> Resources {
    resources(&format!("cpus:16;mem:65536;disk:500000;ports:[{}-32000]", 31_000 + number % 7))
}

/// Agents, and frameworks that are in one role each.
pub(crate) fn cluster(
    agents: u32,
    has: impl Fn(u32) -> Resources,
    frameworks: u32,
    role: impl Fn(u32) -> String,
) -> State {
    let mut world = World::new();
    let mut state = world.state.clone();
    for number in 0..agents {
        let mut hello = world.hello(None, "");
        hello.description.resources = has(number);
        run(&mut state, 0, hello);
    }
    for number in 0..frameworks {
        let subscribe = world.subscription(None, &[&role(number)]);
        run(&mut state, 0, subscribe);
    }
    state
}

pub(crate) fn run(state: &mut State, seed: u64, command: impl Into<Command>) -> Reply {
    decide(state, &context(seed), &command.into()).expect("not refused").reply
}

fn context(seed: u64) -> Context {
    let settings = Arc::new(Settings::default());
    Context { now: Time(1_000_000), seed, principal: None, settings }
}

/// What one cycle offers, and how long it takes to find that out.
pub(crate) fn cycle(state: &State, seed: u64) -> (Vec<OfferSpec>, f64) {
    cycle_of(state, seed, None)
}

/// The same for some agents only.
pub(crate) fn cycle_of(
    state: &State,
    seed: u64,
    agents: Option<&[AgentId]>,
) -> (Vec<OfferSpec>, f64) {
    let context = context(seed);
    timed(|| allocate(state, &context, agents, &mut ()))
}

/// Offers all that can be offered, in as many cycles as that takes; how long it takes to find out what,
/// without making the offers.
pub(crate) fn cycles(state: &mut State, seed: u64) -> f64 {
    let mut sum = 0.0;
    loop {
        let (offers, time) = cycle(state, seed);
        sum += time;
        run(state, seed, Allocate::default());
        if offers.len() < OFFERS_PER_CYCLE_MAX {
            return sum;
        }
    }
}

/// Declines one in `step` of the offers.
pub(crate) fn decline(state: &mut State, step: usize, refuse_seconds: f64) {
    let offers: Vec<_> = state.offers.values().step_by(step).cloned().collect();
    for offer in offers {
        let framework: FrameworkId = offer.framework;
        let offers = vec![offer.id];
        run(state, 0, Decline { framework, offers, refuse_seconds: Some(refuse_seconds) });
    }
}
