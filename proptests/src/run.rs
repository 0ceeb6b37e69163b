//! One run: a plan is carried out, everything heals, and then everything must come to its end.

use statemachine::State;
use statemachine::invariants::Violation;
use statemachine::task::Task;

use crate::bug::Bug;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::World;

/// Virtual time within which all schedulers reach their goals once all faults are over.
const FINISH_MS: u64 = 240_000;
/// Virtual time within which nothing is left once all schedulers have gone.
const LEAVE_MS: u64 = 60_000;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The first invariant that broke, if one did.
    pub violation: Option<Violation>,
    /// Virtual milliseconds.
    pub simulated_ms: u64,
    /// Committed events that were checked.
    pub events: u64,
    /// Containers that were started.
    pub launches: usize,
    /// Lines of the trace.
    pub lines: u64,
    /// Fingerprint of the trace: equal for equal plans.
    pub fingerprint: u64,
    /// The trace, if it was kept.
    pub trace: Vec<String>,
}

/// Carries out `plan`, with a planted fault if there is one; `keep` the trace or only its
/// fingerprint.
pub fn run(plan: &Plan, bug: Option<Bug>, keep: bool) -> Outcome {
    let mut world = World::new(plan, bug, Trace::new(keep));
    until(&mut world, |world| world.nature.calm);
    let started = world.nature.now;
    until(&mut world, |world| is_finished(world) || world.nature.now > started + FINISH_MS);
    if !is_finished(&world) {
        let text = unfinished(&world);
        world.nature.oracle.fail("everything finishes once all faults are over", text);
    }
    for scheduler in &mut world.schedulers {
        scheduler.leaving = true;
    }
    let started = world.nature.now;
    until(&mut world, |world| is_empty(world) || world.nature.now > started + LEAVE_MS);
    if !is_empty(&world) {
        let text = left_over(&world);
        world.nature.oracle.fail("nothing is left when all frameworks are over", text);
    }
    outcome(world)
}

/// Goes on until `done` or a violation. Looks only now and then: `done` may be slow.
fn until(world: &mut World, done: impl Fn(&World) -> bool) {
    let mut look_at = 0;
    while world.nature.oracle.violation.is_none() {
        if world.nature.now >= look_at {
            if done(world) {
                return;
            }
            look_at = world.nature.now + 100;
        }
        if !world.step() {
            return;
        }
    }
}

fn is_finished(world: &World) -> bool {
    let state = world.nature.oracle.state();
    !state.tasks.values().any(|task| is_waiting(state, task))
        && world.schedulers.iter().all(crate::client::Scheduler::is_done)
}

/// Whether an update is on its way: one whose agent is gone is sent again only to a new stream.
fn is_waiting(state: &State, task: &Task) -> bool {
    task.pending.is_some() && state.agents.get(&task.agent).is_some_and(|it| it.is_active())
}

fn unfinished(world: &World) -> String {
    let missing = world.schedulers.iter().filter(|scheduler| !scheduler.is_done());
    let missing = missing.map(|it| format!("scheduler {} lacks {}", it.number, it.missing()));
    let state = world.nature.oracle.state();
    let pending = state.tasks.values().filter(|task| is_waiting(state, task));
    let pending = pending.map(|task| format!("{:?} waits for an acknowledgement", task.key));
    let leader = world.quorum.leader().map(|leader| leader.id);
    let texts: Vec<_> = missing.chain(pending).take(5).collect();
    format!("leader {leader:?}; {}", texts.join("; "))
}

fn is_empty(world: &World) -> bool {
    let state = world.nature.oracle.state();
    let quiet = |agent: &crate::client::Agent| {
        agent.tasks() == 0 && agent.containers.running() == 0 && agent.executors() == 0
    };
    state.tasks.is_empty()
        && state.executors.is_empty()
        && state.offers.is_empty()
        && state.agents.values().all(|it| !it.is_reachable() || it.lingering.is_empty())
        && world.agents.iter().all(quiet)
}

fn left_over(world: &World) -> String {
    let state = world.nature.oracle.state();
    let agents = world.agents.iter().map(|agent| {
        let (tasks, running) = (agent.tasks(), agent.containers.running());
        format!(
            "agent {}: {tasks} tasks, {running} run, {} executors",
            agent.number,
            agent.executors()
        )
    });
    let agents: Vec<_> = agents.collect();
    format!(
        "{} tasks, {} executors, {} offers; {}",
        state.tasks.len(),
        state.executors.len(),
        state.offers.len(),
        agents.join("; ")
    )
}

fn outcome(world: World) -> Outcome {
    let nature = world.nature;
    Outcome {
        simulated_ms: nature.now,
        events: nature.oracle.events,
        launches: nature.oracle.launches.count(),
        lines: nature.trace.count(),
        fingerprint: nature.trace.fingerprint(),
        violation: nature.oracle.violation,
        trace: nature.trace.into_lines(),
    }
}
