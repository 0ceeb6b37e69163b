//! Tests of limits on giving agents up.

use super::*;
use crate::agent::{Cause, Disconnect, GiveUp};
use crate::settings::RemovalLimit;
use crate::testing::World;

const TIMEOUT_MS: u64 = 600_000;

/// A world with so many agents and these limits.
fn world(count: usize, removal_limit: Option<RemovalLimit>, permille: u32) -> World {
    let mut world = World::new();
    world.settings.removal_limit = removal_limit;
    world.settings.recovery_removal_permille = permille;
    for _ in 0..count {
        world.agent("cpus:4;mem:4096");
    }
    world
}

fn a_minute(count: u32) -> RemovalLimit {
    RemovalLimit { count, per_ms: 60_000 }
}

fn fall_silent(world: &mut World, agent: u32) {
    let agent = AgentId(agent);
    let session = world.state.agents[&agent].session().expect("connected");
    world.must(Disconnect { agent, session, cause: Cause::Silent });
}

fn come_back(world: &mut World, agent: u32) {
    let hello = world.hello(Some(AgentId(agent)), "cpus:4;mem:4096");
    world.must(hello);
}

/// Numbers of the agents that are unreachable.
fn lost(world: &World) -> Vec<u32> {
    let agents = world.state.agents.values();
    agents.filter(|agent| agent.unreachable_since.is_some()).map(|agent| agent.id.0).collect()
}

fn spared(world: &World, why: Spared) -> Vec<u32> {
    let agents = world.state.agents.values();
    agents.filter(|agent| agent.spared == Some(why)).map(|agent| agent.id.0).collect()
}

/// semantics 221, gaps 47
#[test]
fn agents_are_given_up_no_faster_than_allowed() {
    let mut world = world(4, Some(a_minute(1)), 1000);
    for agent in 0..3 {
        fall_silent(&mut world, agent);
    }
    assert_eq!((lost(&world), spared(&world, Spared::Rate)), (vec![0], vec![1, 2]));
    assert!(!world.state.agents[&AgentId(1)].is_active(), "it is not offered, though");
    world.pass_ms(59_999);
    assert_eq!(lost(&world), [0]);
    world.pass_ms(1);
    assert_eq!((lost(&world), spared(&world, Spared::Rate)), (vec![0, 1], vec![2]));
    world.pass_ms(60_000);
    assert_eq!((lost(&world), spared(&world, Spared::Rate)), (vec![0, 1, 2], vec![]));
}

/// semantics 221: who answers in time is not given up; gaps 47: and has used up nothing
#[test]
fn who_comes_back_in_time_leaves_its_turn_to_the_next() {
    let mut world = world(4, Some(a_minute(1)), 1000);
    for agent in 0..3 {
        fall_silent(&mut world, agent);
    }
    come_back(&mut world, 1);
    assert_eq!(spared(&world, Spared::Rate), [2]);
    world.pass_ms(60_000);
    assert_eq!(lost(&world), [0, 2]);
    world.pass_ms(120_000);
    assert!(world.state.agents[&AgentId(1)].is_active(), "no deadline is left behind");
}

/// Whether their streams ended, they fell silent or were not back after a change of leader.
#[test]
fn all_ways_to_be_away_share_one_allowance() {
    let mut world = world(4, Some(a_minute(2)), 1000);
    world.disconnect(AgentId(0));
    world.lead(2);
    come_back(&mut world, 3);
    world.pass_ms(TIMEOUT_MS - 1);
    fall_silent(&mut world, 3);
    assert_eq!(lost(&world), [3]);
    world.pass_ms(1);
    assert_eq!((lost(&world).len(), spared(&world, Spared::Rate).len()), (2, 2));
    world.pass_ms(60_000 - 1);
    assert_eq!(lost(&world).len(), 3, "a minute after the first");
    world.pass_ms(1);
    assert_eq!(lost(&world).len(), 4);
}

/// The allowance is in the books: a new leader goes on with it.
#[test]
fn an_allowance_outlives_the_leader() {
    let mut world = world(3, Some(a_minute(1)), 1000);
    fall_silent(&mut world, 0);
    world.lead(2);
    come_back(&mut world, 1);
    fall_silent(&mut world, 1);
    assert_eq!((lost(&world), spared(&world, Spared::Rate)), (vec![0], vec![1]));
    world.settings.removal_limit = None;
    world.lead(3);
    world.pass_ms(60_000);
    assert_eq!(lost(&world), [0, 1], "whatever limit the leader then has");
}

/// semantics 232, gaps 43: the master holds where Mesos's exits
#[test]
fn too_many_that_do_not_come_back_are_held() {
    let mut world = world(4, None, 500);
    world.lead(2);
    come_back(&mut world, 0);
    world.pass_ms(TIMEOUT_MS);
    assert_eq!((lost(&world), spared(&world, Spared::Recovery)), (vec![], vec![1, 2, 3]));
    assert!(!world.state.agents[&AgentId(1)].is_active());
    world.pass_ms(TIMEOUT_MS);
    assert_eq!(spared(&world, Spared::Recovery), [1, 2, 3], "for as long as nobody decides");
    come_back(&mut world, 1);
    assert_eq!(spared(&world, Spared::Recovery), [2, 3], "half of them are few enough");
    world.pass_ms(TIMEOUT_MS);
    assert_eq!((lost(&world), spared(&world, Spared::Recovery)), (vec![2, 3], vec![]));
}

/// semantics 232
#[test]
fn a_leader_with_a_higher_limit_gives_held_agents_up() {
    let mut world = world(2, None, 0);
    world.lead(2);
    world.pass_ms(TIMEOUT_MS);
    assert_eq!(spared(&world, Spared::Recovery), [0, 1]);
    world.settings.recovery_removal_permille = 1000;
    world.lead(3);
    world.pass_ms(TIMEOUT_MS);
    assert_eq!(lost(&world), [0, 1]);
}

/// semantics 232: only what a change of leader took away
#[test]
fn agents_that_went_by_themselves_are_not_held() {
    let mut world = world(2, None, 0);
    fall_silent(&mut world, 0);
    world.disconnect(AgentId(1));
    world.pass_ms(TIMEOUT_MS);
    assert_eq!(lost(&world), [0, 1]);
}

/// semantics 228: an operator may decide for each of them
#[test]
fn a_held_agent_can_be_marked_gone() {
    let mut world = world(1, None, 0);
    world.lead(2);
    world.pass_ms(TIMEOUT_MS);
    world.must(crate::agent::MarkGone { agent: AgentId(0) });
    assert!(world.state.agents.is_empty());
    world.pass_ms(TIMEOUT_MS);
}

fn give_up(agents: &[u32]) -> GiveUp {
    GiveUp { agents: agents.iter().copied().map(AgentId).collect() }
}

/// gaps 43, 47: limits hold by themselves, not against operators.
#[test]
fn an_operator_gives_up_who_is_held_back_and_nobody_else() {
    let mut world = world(6, Some(a_minute(1)), 1000);
    for agent in 0..4 {
        fall_silent(&mut world, agent);
    }
    assert_eq!((lost(&world), spared(&world, Spared::Rate)), (vec![0], vec![1, 2, 3]));
    come_back(&mut world, 1);
    world.disconnect(AgentId(4));
    world.must(give_up(&[1, 2, 2, 4, 5]));
    assert_eq!((lost(&world), spared(&world, Spared::Rate)), (vec![0, 2], vec![3]));
    world.ask(give_up(&[3, 9])).expect_err("there is no such agent");
    assert_eq!(lost(&world), [0, 2], "all or none");

    let mut world = self::world(4, None, 250);
    world.lead(2);
    come_back(&mut world, 0);
    world.pass_ms(TIMEOUT_MS);
    assert_eq!((lost(&world), spared(&world, Spared::Recovery)), (vec![], vec![1, 2, 3]));
    world.must(give_up(&[3, 1]));
    assert_eq!((lost(&world), spared(&world, Spared::Recovery)), (vec![1, 3], vec![2]));
}
