//! Properties of allocation on random clusters.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::filters::blocks;
use super::turns::{ASKED_MAX, About, ClientKey, subjects};
use super::{Question, Step, Verdict, allocate, explain};
use crate::offer::{Decline, Operation};
use crate::quota::Amounts;
use crate::resources::Resources;
use crate::testing::{World, command_task};
use crate::{AgentId, Context, FrameworkId};

const ROLES: [&str; 5] = ["*", "a", "a/b", "a/c", "d"];

/// Agents with cpus 1 to 8 and some reservation; frameworks with one or two roles.
fn any_world() -> impl Strategy<Value = World> {
    let agents = prop::collection::vec((1u8..9, 0usize..5), 1..6);
    let frameworks = prop::collection::vec((0usize..5, 0usize..5), 1..6);
    (agents, frameworks).prop_map(|(agents, frameworks)| {
        let mut world = World::new();
        for (cpus, role) in agents {
            let reserved = match role {
                0 => String::new(),
                role => format!(";cpus({}):1;mem({}):64", ROLES[role], ROLES[role]),
            };
            world.agent(&format!("cpus:{cpus};mem:4096;ports:[1-100]{reserved}"));
        }
        for (first, second) in frameworks {
            let roles: BTreeSet<_> = [ROLES[first], ROLES[second]].into();
            world.framework(&roles.into_iter().collect::<Vec<_>>());
        }
        world
    })
}

/// What frameworks do with offers: launch a task, then refuse the rest for some seconds.
fn answer(world: &mut World, answers: &[(bool, u8)]) {
    let offers: Vec<_> = world.state.offers.values().cloned().collect();
    for (offer, (launches, seconds)) in offers.into_iter().zip(answers.iter().cycle()) {
        if *launches {
            let task = command_task(&offer.id.to_string(), offer.agent, "cpus:0.5;mem:32");
            let operations = vec![Operation::Launch(vec![task])];
            world.accept(offer.framework, &[offer.id], operations);
        } else {
            let (framework, offers) = (offer.framework, vec![offer.id]);
            let refuse_seconds = Some(f64::from(*seconds));
            world.must(Decline { framework, offers, refuse_seconds });
        }
    }
}

fn context(world: &World, seed: u64) -> Context {
    let settings = world.settings.clone().into();
    Context { now: world.now, seed, principal: None, settings }
}

/// However often all offers are refused, somebody else's turn comes.
fn everybody_is_offered_something(world: &mut World) {
    let mut offered: BTreeSet<FrameworkId> = BTreeSet::new();
    // each cycle at least one offer goes to the client that has had fewest
    let clients: usize = world.state.frameworks.values().map(|it| it.description.roles.len()).sum();
    for _ in 0..clients * ROLES.len() {
        world.allocate();
        offered.extend(world.state.offers.values().map(|offer| offer.framework));
        answer(world, &[(false, 0)]);
    }
    assert_eq!(offered.len(), world.state.frameworks.len(), "{offered:?}");
}

/// How often an agent was offered while somebody who could have had it was not asked: about all that
/// is free, or about what is reserved for a role.
#[derive(Default)]
struct Waits(BTreeMap<(Matter, ClientKey), usize>);

type Matter = (AgentId, About);

impl Waits {
    /// One cycle, in which everybody must be within its bound.
    fn cycle(&mut self, world: &mut World) {
        let refused = world.state.book.filters.clone();
        let before: BTreeSet<_> = world.state.offers.keys().copied().collect();
        world.allocate();
        let mut clients: Vec<ClientKey> = Vec::new();
        for framework in world.state.frameworks.values() {
            let roles = framework.description.roles.iter();
            clients.extend(roles.map(|role| (framework.id, role.clone())));
        }
        let mut asked: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for offer in world.state.offers.values().filter(|it| !before.contains(&it.id)) {
            for about in subjects(&offer.resources) {
                let client = (offer.framework, offer.role.clone());
                asked.entry((offer.agent, about)).or_default().insert(client);
            }
        }
        for ((agent, about), asked) in asked {
            let refused = refused.of(agent);
            for client in &clients {
                let could = match &about {
                    About::Reserved(role) => client.1.is_within(role),
                    About::Free | About::Revocable => true,
                };
                let is_free = refused.is_none_or(|refused| refused.of(client).is_none());
                let waits = self.0.entry(((agent, about.clone()), client.clone())).or_default();
                let waits_on = could && is_free && !asked.contains(client);
                *waits = if waits_on { *waits + 1 } else { 0 };
                assert!(*waits <= 2 * clients.len(), "{client:?} waits for {agent}, {about:?}");
            }
        }
    }

    /// What frameworks do with offers; who takes some of an agent begins a new round of it.
    fn answer(&mut self, world: &mut World, answers: &[(bool, u8)]) {
        let used = |world: &World| -> BTreeMap<AgentId, Resources> {
            world.state.agents.iter().map(|(id, agent)| (*id, agent.used.clone())).collect()
        };
        let before = used(world);
        answer(world, answers);
        let after = used(world);
        self.0.retain(|((agent, _), _), _| before[agent] == after[agent]);
    }
}

/// With more frameworks than are remembered, the last of them is asked all the same.
#[test]
fn many_who_refuse_are_asked_one_after_another() {
    let mut world = World::new();
    let agent = world.agent("cpus:8;mem:4096");
    let rich = world.framework(&["a"]);
    world.launch(rich, "t", "cpus:4;mem:64");
    let count = ASKED_MAX + 10;
    (0..count).for_each(|_| {
        world.framework(&["b"]);
    });
    for number in 0..3 {
        let mut asked = 0;
        while world.offers(rich).is_empty() {
            asked += 1;
            assert!(asked <= ASKED_MAX + count, "the last is never asked");
            answer(&mut world, &[(false, 0)]);
            world.allocate();
        }
        assert!(asked > ASKED_MAX, "shares come first");
        let offer = world.offers(rich)[0];
        let task = command_task(&format!("t{number}"), agent, "cpus:0.1;mem:1");
        world.accept(rich, &[offer], vec![Operation::Launch(vec![task])]);
        world.allocate();
        assert!(world.offers(rich).is_empty(), "somebody took something: shares decide again");
    }
}

/// The one who comes last in a role was never offered anything while the role got nothing but what
/// was reserved for it.
#[test]
fn offers_of_reservations_count_within_their_role() {
    let mut world = World::new();
    for cpus in [1, 1, 2] {
        world.agent(&format!("cpus:{cpus};mem:4096;ports:[1-100];cpus(a):1;mem(a):64"));
    }
    for roles in [["*", "a/c"].as_slice(), &["*", "d"], &["a", "a/b"], &["a"]] {
        world.framework(roles);
    }
    everybody_is_offered_something(&mut world);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    // each step of the world checks that nothing is in two hands
    #[test]
    fn refusals_are_respected(
        mut world in any_world(),
        answers in prop::collection::vec((any::<bool>(), 0u8..20), 1..8),
        rounds in 1usize..8,
    ) {
        for _ in 0..rounds {
            let refused = world.state.book.filters.clone();
            let before: BTreeSet<_> = world.state.offers.keys().copied().collect();
            world.allocate();
            for offer in world.state.offers.values().filter(|it| !before.contains(&it.id)) {
                let client = (offer.framework, offer.role.clone());
                let refusals = refused.of(offer.agent).cloned().unwrap_or_default();
                prop_assert!(!blocks(&refusals, &client, &offer.resources, world.now));
            }
            answer(&mut world, &answers);
            world.pass_ms(3_000);
        }
    }

    /// Decision 0021: whatever others refuse, everybody who could take some of an agent is asked.
    #[test]
    fn everybody_is_asked_in_turn(
        mut world in any_world(),
        first in prop::collection::vec((any::<bool>(), 0u8..5), 1..8),
        then in prop::collection::vec((Just(false), 0u8..3), 1..8),
        rounds in 1usize..60,
    ) {
        let mut waits = Waits::default();
        waits.cycle(&mut world);
        waits.answer(&mut world, &first);
        for round in 0..rounds {
            waits.cycle(&mut world);
            waits.answer(&mut world, if round % 20 == 19 { &first } else { &then });
            world.pass_ms(1_000);
        }
    }

    /// gaps 32
    #[test]
    fn the_seed_alone_decides(mut world in any_world(), seed in any::<u64>(), offered in any::<bool>()) {
        if offered {
            world.allocate();
            answer(&mut world, &[(true, 0), (false, 5), (false, 0)]);
        }
        let (mut first, mut second) = (Vec::<Step>::new(), Vec::<Step>::new());
        let offers = allocate(&world.state, &context(&world, seed), None, &mut first);
        let replica = allocate(&world.replica, &context(&world, seed), None, &mut second);
        prop_assert_eq!(offers, replica);
        prop_assert_eq!(first, second);
    }

    /// gaps 31
    #[test]
    fn what_is_explained_is_what_happens(
        mut world in any_world(),
        answers in prop::collection::vec((any::<bool>(), 0u8..20), 1..8),
        rounds in 0usize..4,
        seed in any::<u64>(),
    ) {
        for _ in 0..rounds {
            world.allocate();
            answer(&mut world, &answers);
            world.pass_ms(3_000);
        }
        let context = context(&world, seed);
        let made = allocate(&world.state, &context, None, &mut ());
        for framework in world.state.frameworks.keys() {
            let question =
                Question { framework: *framework, role: None, agent: None, needs: Amounts::new() };
            for answer in explain(&world.state, &context, &question) {
                for (agent, verdict) in &answer.agents {
                    let is_made = made.iter().any(|offer| {
                        (offer.framework, &offer.role, offer.agent) == (*framework, &answer.role, *agent)
                    });
                    let is_had = matches!(verdict, Verdict::Offered(_));
                    prop_assert!(is_had || (*verdict == Verdict::Next) == is_made, "{verdict:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_that_somebody_can_take_stays_behind(mut world in any_world()) {
        world.allocate();
        let held = world.state.offers.len();
        world.allocate();
        prop_assert_eq!(world.state.offers.len(), held);
        // every framework takes unreserved resources, and every agent has some
        for agent in world.state.agents.values() {
            prop_assert!(agent.free().iter().all(|resource| !resource.reservations.is_empty()));
        }
    }

    /// gaps 58
    #[test]
    fn nobody_starves(mut world in any_world()) {
        everybody_is_offered_something(&mut world);
    }

    #[test]
    fn divisible_demand_is_shared_within_one_task(frameworks in 1u32..7, cpus in 1u32..30) {
        let mut world = World::new();
        let agent = world.agent(&format!("cpus:{cpus};mem:100000"));
        let mut launched: BTreeMap<_, u32> =
            (0..frameworks).map(|_| (world.framework(&["a"]), 0)).collect();
        for task in 0..cpus {
            world.allocate();
            let offer = world.state.offers.values().next().expect("an offer").clone();
            let task = command_task(&task.to_string(), agent, "cpus:1;mem:10");
            world.accept(offer.framework, &[offer.id], vec![Operation::Launch(vec![task])]);
            *launched.entry(offer.framework).or_default() += 1;
        }
        let most = launched.values().max().expect("one");
        let least = launched.values().min().expect("one");
        prop_assert!(most - least <= 1, "{launched:?}");
    }
}
