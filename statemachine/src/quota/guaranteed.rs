//! Property: what is guaranteed is given, if the cluster has it.

use proptest::prelude::*;

use super::laws::set;
use crate::offer::Operation;
use crate::resources::{Name, Scalar};
use crate::testing::{World, command_task};

/// Each with a framework of its own; those of the last two are also c's.
const ROLES: [&str; 5] = ["greedy", "a", "b", "c/d", "c/e"];

/// Guarantees in tenths of what there would be for each if all were given out evenly: CPUs and memory.
type Parts = [(u32, u32); 5];

fn guarantee(world: &mut World, parts: &Parts, cpus: u32, mem: u32) {
    for (role, (cpu_part, mem_part)) in ["a", "b", "c/d", "c/e", "c"].into_iter().zip(parts) {
        // a quarter for each of four roles, and half for c
        let share = if role == "c" { 20 } else { 40 };
        // in steps of 64 MB: nobody is offered less than 32 MB alone
        let mem = mem * mem_part / share / 64 * 64;
        let guarantees = format!("cpus:{};mem:{mem}", cpus * cpu_part / share);
        world.must(set(role, &guarantees, "", false));
    }
}

/// Everybody launches on whatever is offered, and takes all of it or all but the memory.
fn take_what_is_offered(world: &mut World, round: usize, takes: &[bool]) {
    world.allocate();
    let offers: Vec<_> = world.state.offers.values().cloned().collect();
    for (offer, takes_all) in offers.into_iter().zip(takes.iter().cycle()) {
        let mut task = command_task(&format!("{round}-{}", offer.id), offer.agent, "");
        task.resources = offer.resources.filtered(|it| *takes_all || it.name == Name::Cpus);
        if !task.resources.is_empty() {
            world.accept(offer.framework, &[offer.id], vec![Operation::Launch(vec![task])]);
        }
    }
}

fn lacks(world: &World) -> Vec<String> {
    let consumption = world.state.consumption();
    let mut lacks = Vec::new();
    for (role, quota) in &world.state.quotas {
        for (name, guarantee) in &quota.guarantees {
            let has = consumption.get(&**role).map_or(Scalar(0), |consumed| consumed.get(name));
            if has < *guarantee {
                lacks.push(format!("{role} has {name}:{has} of {guarantee}"));
            }
        }
    }
    lacks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// semantics 180, 181: whoever came first and took what, who is guaranteed something gets it as soon as he asks,
    /// without a wait for anybody's tasks to end.
    #[test]
    fn guarantees_are_met_where_the_cluster_has_enough(
        agents in prop::collection::vec((1u32..9, 1u32..9), 1..8),
        parts in any::<[(u8, u8); 5]>(),
        order in Just([0usize, 1, 2, 3, 4]).prop_shuffle(),
        takes in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let mut world = World::new();
        for (cpus, gigabytes) in &agents {
            world.agent(&format!("cpus:{cpus};mem:{}", gigabytes * 1024));
        }
        let parts: Parts = parts.map(|(cpus, mem)| (u32::from(cpus) % 11, u32::from(mem) % 11));
        let cpus = agents.iter().map(|it| it.0).sum();
        let mem = agents.iter().map(|it| it.1 * 1024).sum();
        guarantee(&mut world, &parts, cpus, mem);
        for (round, role) in order.into_iter().enumerate() {
            world.framework(&[ROLES[role]]);
            take_what_is_offered(&mut world, round, &takes);
        }
        // by now everybody is there; the last takes all, that what is guaranteed is taken
        for round in 5..10 {
            take_what_is_offered(&mut world, round, &[true]);
        }
        prop_assert_eq!(lacks(&world), Vec::<String>::new());
    }
}
