//! Abstract actions made concrete: who is meant is chosen among those that are there.

use crate::client::Habit;
use crate::cluster::Node;
use crate::happening::{Happening, Place};
use crate::plan::Action;
use crate::world::World;

/// How long a crashing scheduler stays away.
const AWAY_MS: u64 = 1_500;

/// Takes one step of the plan, and plans the next; after the last, everything heals.
pub fn step(world: &mut World, number: usize) {
    if let Some(step) = number.checked_sub(1).and_then(|at| world.plan.steps.get(at)).copied() {
        world.nature.note(format_args!("{:?}", step.action));
        act(world, step.action);
    }
    match world.plan.steps.get(number) {
        Some(next) => world.nature.after(next.after_ms, Happening::Act(number + 1)),
        None => world.nature.after(2_000, Happening::Calm),
    }
}

/// What a scheduler does of itself.
pub fn habit(world: &mut World, number: u8) {
    let crashing = world.schedulers[usize::from(number)].habit == Habit::Crashing;
    if crashing && !world.nature.calm && world.nature.dice.chance(60) {
        crash_scheduler(world, number, AWAY_MS);
    }
}

fn act(world: &mut World, action: Action) {
    match action {
        Action::CrashLeader { .. }
        | Action::CrashMaster { .. }
        | Action::CrashMasters { .. }
        | Action::PauseMaster { .. }
        | Action::SetClock { .. } => to_master(world, action),
        Action::IsolateLeader { .. }
        | Action::CutOneWay { .. }
        | Action::Isolate { .. }
        | Action::BreakStream { .. } => to_network(world, action),
        Action::CrashAgent { .. }
        | Action::RebootAgent { .. }
        | Action::RetireAgent { .. }
        | Action::CrashExecutor { .. } => to_agent(world, action),
        Action::CrashScheduler { pick, down_ms } => {
            let number = pick % world.plan.shape.schedulers;
            crash_scheduler(world, number, down_ms);
        }
        Action::TakeOver { .. }
        | Action::Teardown { .. }
        | Action::Kill { .. }
        | Action::ShutdownExecutor { .. }
        | Action::Reconcile { .. }
        | Action::Suppress { .. } => to_scheduler(world, action),
        Action::DrainAgent { .. }
        | Action::DeactivateAgent { .. }
        | Action::MarkAgentGone { .. }
        | Action::MaintainMachine { .. }
        | Action::SetQuota { .. }
        | Action::WeighRole { .. } => {
            let leader = world.quorum.leader().map(|leader| leader.id);
            world.operator.act(action, leader, &mut world.nature);
        }
    }
}

fn to_master(world: &mut World, action: Action) {
    let count = world.plan.shape.masters;
    match action {
        Action::CrashLeader { down_ms } => {
            if let Some(id) = world.quorum.leader().map(|leader| leader.id) {
                crash_master(world, id, down_ms);
            }
        }
        Action::CrashMaster { pick, down_ms } => crash_master(world, pick % count, down_ms),
        Action::CrashMasters { down_ms } => {
            for id in 0..count {
                crash_master(world, id, down_ms);
            }
        }
        Action::PauseMaster { pick, for_ms } => {
            let until = world.nature.now + for_ms;
            world.quorum.masters[usize::from(pick % count)].paused_until = until;
        }
        Action::SetClock { pick, ahead_ms } => {
            world.quorum.masters[usize::from(pick % count)].ahead_ms = ahead_ms;
        }
        _ => {}
    }
}

fn to_network(world: &mut World, action: Action) {
    let all = places(world);
    match action {
        Action::IsolateLeader { for_ms } => {
            let Some(id) = world.quorum.leader().map(|leader| leader.id) else { return };
            let others = (0..world.plan.shape.masters).filter(|other| *other != id);
            let others = others.map(Place::Master).collect();
            cut(world, (vec![Place::Master(id)], others), true, for_ms);
        }
        Action::CutOneWay { from, to, for_ms } => {
            let from = all[usize::from(from) % all.len()];
            let to = all[usize::from(to) % all.len()];
            cut(world, (vec![from], vec![to]), false, for_ms);
        }
        Action::Isolate { pick, for_ms } => {
            let place = all[usize::from(pick) % all.len()];
            let others = all.into_iter().filter(|other| *other != place).collect();
            cut(world, (vec![place], others), true, for_ms);
        }
        Action::BreakStream { pick } => {
            let sessions = world.nature.network.whole(|_| true);
            let session = sessions.get(usize::from(pick) % sessions.len().max(1)).copied();
            if let Some(session) = session {
                world.nature.break_stream(session);
            }
        }
        _ => {}
    }
}

fn to_agent(world: &mut World, action: Action) {
    let (Action::CrashAgent { pick, .. }
    | Action::RebootAgent { pick, .. }
    | Action::RetireAgent { pick }
    | Action::CrashExecutor { pick }) = action
    else {
        return;
    };
    let number = pick % world.plan.shape.agents;
    let agent = &mut world.agents[usize::from(number)];
    if !agent.up {
        return;
    }
    let nature = &mut world.nature;
    let down_ms = match action {
        Action::CrashAgent { down_ms, .. } => {
            agent.crash(nature);
            down_ms
        }
        Action::RebootAgent { down_ms, .. } => {
            agent.reboot(nature);
            down_ms
        }
        Action::RetireAgent { .. } => {
            agent.retire(nature);
            1_000
        }
        _ => return agent.crash_executor(nature),
    };
    nature.after(down_ms, Happening::Start(Place::Agent(number)));
}

fn to_scheduler(world: &mut World, action: Action) {
    let (Action::TakeOver { pick }
    | Action::Teardown { pick }
    | Action::Kill { pick }
    | Action::ShutdownExecutor { pick }
    | Action::Reconcile { pick }
    | Action::Suppress { pick, .. }) = action
    else {
        return;
    };
    let number = pick % world.plan.shape.schedulers;
    let scheduler = &mut world.schedulers[usize::from(number)];
    if !scheduler.up {
        return;
    }
    let nature = &mut world.nature;
    match action {
        Action::TakeOver { .. } => scheduler.take_over(nature),
        Action::Teardown { .. } => scheduler.teardown(nature),
        Action::Kill { .. } => scheduler.kill(nature),
        Action::ShutdownExecutor { .. } => scheduler.shutdown_executor(nature),
        Action::Reconcile { .. } => scheduler.reconcile(nature),
        Action::Suppress { for_ms, .. } => {
            scheduler.suppress(nature);
            nature.after(for_ms, Happening::Revive(number));
        }
        _ => {}
    }
}

fn crash_master(world: &mut World, id: Node, down_ms: u64) {
    let master = &mut world.quorum.masters[usize::from(id)];
    if master.up {
        master.crash(&mut world.nature);
        world.nature.after(down_ms, Happening::Start(Place::Master(id)));
    }
}

fn crash_scheduler(world: &mut World, number: u8, down_ms: u64) {
    let scheduler = &mut world.schedulers[usize::from(number)];
    if scheduler.up {
        scheduler.crash(&mut world.nature);
        world.nature.after(down_ms, Happening::Start(Place::Scheduler(number)));
    }
}

fn cut(world: &mut World, (from, to): (Vec<Place>, Vec<Place>), both_ways: bool, for_ms: u64) {
    let cut = world.nature.network.cut(from, to, both_ways);
    world.nature.after(for_ms, Happening::Mend(cut));
    world.nature.break_streams(|network, client, master| {
        network.blocks(client, master) || network.blocks(master, client)
    });
}

fn places(world: &World) -> Vec<Place> {
    let shape = world.plan.shape;
    let masters = (0..shape.masters).map(Place::Master);
    let agents = (0..shape.agents).map(Place::Agent);
    masters.chain(agents).chain((0..shape.schedulers).map(Place::Scheduler)).collect()
}
