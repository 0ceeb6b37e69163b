//! The scenarios by which Mesos measures its allocator, under its names.

use bytes::Bytes;
use statemachine::allocator::Allocate;
use statemachine::framework::Suppress;
use statemachine::offer::{Accept, OfferReference, Operation};
use statemachine::resources::{Reservation, Resource, Resources};
use statemachine::testing::{World, command_task, plus, reserved, resources, volume};
use statemachine::{FrameworkId, State};

use crate::cluster::{cluster, cycle, cycle_of, cycles, decline, run, team, usual};
use crate::measure::{Times, compare, in_turn, timed};
use crate::quotas;

const ROUNDS: u64 = 11;
/// The size of those scenarios that do not say their own.
const AGENTS: u32 = 1_000;
const FRAMEWORKS: u32 = 200;

pub(crate) const ALL: [(&str, fn()); 8] = [
    ("AddAndUpdateSlave", add_and_update),
    ("DeclineOffers", decline_offers),
    ("SuppressOffers", suppress_offers),
    ("ResourceLabels", resource_labels),
    ("PersistentVolumes", persistent_volumes),
    ("MultiFrameworkAllocations", multi_framework),
    ("LargeAndSmallQuota", large_and_small_quota),
    ("Reservations", reservations),
];

fn print(what: &str, times: &Times) {
    println!("  {what:61} {times}");
}

/// Agents come one by one, and each is offered at once; then each comes again with more.
fn add_and_update() {
    let none = cluster(0, usual, FRAMEWORKS, team);
    let (mut added, mut updated) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let mut world = World::new();
        let mut state = none.clone();
        let mut pass = |state: &mut State, agent, cpus: u32| {
            let hello = world.hello(agent, &format!("cpus:{cpus};mem:65536;disk:500000"));
            run(state, round, hello);
        };
        let all = |state: &mut State, pass: &mut dyn FnMut(&mut State, usize)| {
            timed(|| {
                for number in 0..AGENTS as usize {
                    pass(state, number);
                    let agents = state.agents.keys().nth(number).into_iter().copied().collect();
                    run(state, round, Allocate { agents: Some(agents) });
                }
            })
            .1
        };
        added.push(all(&mut state, &mut |state, _| pass(state, None, 16)));
        let ids: Vec<_> = state.agents.keys().copied().collect();
        updated.push(all(&mut state, &mut |state, number| pass(state, Some(ids[number]), 17)));
    }
    print(&format!("{AGENTS} agents are added, {FRAMEWORKS} frameworks"), &Times::new(added));
    print("and come again with more", &Times::new(updated));
}

/// All offers are declined, again and again.
fn decline_offers() {
    for (how, seconds, rounds) in
        [("for an hour", 3600.0, [1, 10, 50]), ("without a filter", 0.0, [1, 10, 50])]
    {
        let mut state = cluster(AGENTS, usual, FRAMEWORKS, team);
        for round in 1..=50 {
            run(&mut state, round, Allocate::default());
            decline(&mut state, 1, seconds);
            if rounds.contains(&round) {
                let times = in_turn(ROUNDS, &[&state], |state, seed| cycle(state, seed).1);
                print(&format!("{AGENTS} agents, declined {round} times {how}"), &times[0]);
            }
        }
    }
}

/// More and more frameworks want nothing.
fn suppress_offers() {
    let mut state = cluster(AGENTS, usual, FRAMEWORKS, team);
    for percent in [0, 50, 99] {
        let count = FRAMEWORKS * percent / 100;
        for number in 0..count {
            let (framework, roles) = (FrameworkId(number), Vec::new());
            run(&mut state, 0, Suppress { framework, roles });
        }
        let times = in_turn(ROUNDS, &[&state], |state, seed| cycle(state, seed).1);
        print(
            &format!("{AGENTS} agents, {count} of {FRAMEWORKS} frameworks suppressed"),
            &times[0],
        );
    }
}

fn beside_plain(what: &str, has: impl Fn(u32) -> Resources) {
    let plain = cluster(AGENTS, usual, FRAMEWORKS, team);
    let other = cluster(AGENTS, has, FRAMEWORKS, team);
    let times = in_turn(ROUNDS, &[plain, other], |state, seed| cycle(state, seed).1);
    compare(&format!("{AGENTS} agents"), &["plain", what], &times);
}

/// Each agent has resources that are reserved under labels which no other has.
fn resource_labels() {
    beside_plain("with labels", |number| {
        let some = reserved(&resources("cpus:4;mem:4096"), &team(number));
        let label = |resource: &Resource| {
            let labels = Bytes::from(format!("key=value{number}"));
            let labelled = resource.reservations.iter().cloned();
            let labelled = labelled.map(|it| Reservation { labels: labels.clone(), ..it });
            Resource { reservations: labelled.collect(), ..resource.clone() }
        };
        plus(&usual(number), &some.iter().map(label).collect())
    });
}

/// Each agent has volumes of several roles.
fn persistent_volumes() {
    beside_plain("with 16 volumes each", |number| {
        let volume = |of: u32| volume(&format!("v{number}.{of}"), &team(number + of % 4), 100);
        (0..16).map(volume).fold(usual(number), |sum, volume| plus(&sum, &volume))
    });
}

/// 80 agents, 13 frameworks that launch 1,500 tasks each.
fn multi_framework() {
    const TASKS: usize = 1_500;
    let idle = cluster(80, |_| resources("cpus:256;mem:262144;disk:500000"), 13, team);
    let (mut each, mut all, mut cycles) = (Vec::new(), Vec::new(), 0);
    for seed in 0..5 {
        let mut state = idle.clone();
        let (launched, total) = timed(|| {
            let mut launched = [0; 13];
            while launched.iter().sum::<usize>() < 13 * TASKS {
                each.push(cycle(&state, seed).1);
                run(&mut state, seed, Allocate::default());
                take_all(&mut state, &mut launched, TASKS);
                cycles += 1;
                assert!(cycles < 1_000_000, "it goes on");
            }
            launched
        });
        assert_eq!(state.tasks.len(), launched.iter().sum(), "80 agents, 19,500 tasks");
        all.push(total);
    }
    print(&format!("80 agents, 19500 tasks, {} cycles: each cycle", cycles / 5), &Times::new(each));
    print("all, with offers and launches made", &Times::new(all));
}

/// Every framework launches up to ten tasks with each offer that it has, and refuses what is left.
fn take_all(state: &mut State, launched: &mut [usize; 13], most: usize) {
    let offers: Vec<_> = state.offers.values().cloned().collect();
    for offer in offers {
        let framework = offer.framework;
        let mine = &mut launched[framework.0 as usize];
        let cpus = offer.resources.scalar(&statemachine::resources::Name::Cpus).0 / 1000;
        let count = (most - *mine).min(10).min(cpus.max(0) as usize);
        let task = |number: usize| {
            command_task(&format!("t{}", *mine + number), offer.agent, "cpus:1;mem:1000")
        };
        let operations = vec![Operation::Launch((0..count).map(task).collect())];
        *mine += count;
        let refuse_seconds = Some(if *mine == most { 3600.0 } else { 0.0 });
        let offers = vec![OfferReference { id: Some(offer.id), text: "".into() }];
        run(state, 0, Accept { framework, offers, operations, refuse_seconds });
    }
}

/// Each framework in a role of its own with a quota. As many offers are made without quotas as there
/// are agents; limits cut agents up, so that the number of offers is printed as well.
fn large_and_small_quota() {
    for roles in [30, 300, 3_000] {
        let role = |number: u32| format!("role{number}");
        let plain = cluster(AGENTS, usual, roles, role);
        let mut limited = plain.clone();
        quotas::set(&mut limited, AGENTS, roles, role);
        let states = [plain, limited];
        let counts = states.each_ref().map(|state| cycle(state, 1).0.len());
        let times = in_turn(ROUNDS, &states, |state, seed| cycle(state, seed).1);
        let names = counts.map(|count| format!("{count} offers"));
        let names = [format!("plain, {}", names[0]), format!("quotas, {}", names[1])];
        compare(&format!("{AGENTS} agents, {roles} roles"), &[&names[0], &names[1]], &times);
        let churned = states.map(|mut state| {
            cycles(&mut state, 1);
            decline(&mut state, 100, 0.0);
            state
        });
        let times = in_turn(ROUNDS, &churned, |state, seed| cycle(state, seed).1);
        compare("  1 % churn", &["plain", "quotas"], &times);
    }
}

/// One agent with reservations for 200 roles, each of which has a framework.
fn reservations() {
    let has = |_| {
        let set =
            |number: u32| reserved(&resources("cpus:1;mem:64;disk:64"), &format!("role{number}"));
        (0..200).map(set).fold(resources("cpus:1;mem:64"), |sum, set| plus(&sum, &set))
    };
    let state = cluster(1, has, 200, |number| format!("role{number}"));
    let agents: Vec<_> = state.agents.keys().copied().collect();
    let count = cycle(&state, 1).0.len();
    let times = in_turn(ROUNDS, &[&state], |state, seed| cycle_of(state, seed, Some(&agents)).1);
    print(&format!("one agent with 200 sets of reservations, {count} offers"), &times[0]);
}
