//! Nothing is in two hands at once: on every agent, what is used and what is offered lie within what
//! it has, both are the sums of what tasks, executors, frameworks that are over and offers hold, and the allocator's sums
//! are what a recount gives.

use std::collections::BTreeMap;

use super::{Violation, demand};
use crate::agent::Agent;
use crate::allocator::{Book, Holding, Roster, exclusive};
use crate::id::{AgentId, FrameworkId, Role};
use crate::resources::{Quantities, Resources};
use crate::state::State;

const NAME: &str = "resources";

/// What agents and clients hold, counted from tasks, executors, offers and what lingers.
#[derive(Default)]
struct Count {
    used: BTreeMap<AgentId, Resources>,
    offered: BTreeMap<AgentId, Resources>,
    book: Book,
}

pub(super) fn check(state: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    let count = recount(state);
    for agent in state.agents.values() {
        check_agent(agent, &count, &mut violations);
    }
    check_book(&state.book, &count.book, &mut violations);
    let roster: Roster = state.frameworks.values().map(|framework| &**framework).collect();
    demand(&mut violations, NAME, state.book.roster == roster, || {
        format!("{roster:?} take offers, not {:?}", state.book.roster)
    });
    violations
}

fn recount(state: &State) -> Count {
    let mut count = Count::default();
    for task in state.tasks.values().filter(|task| task.holds()) {
        let client = (task.key.framework, &task.role);
        count.hold(task.agent, client, &task.resources, true);
    }
    for executor in state.executors.values().filter(|executor| executor.holds) {
        let client = (executor.key.framework, &executor.role);
        count.hold(executor.key.agent, client, &executor.resources, true);
    }
    for agent in state.agents.values() {
        for (framework, role, held) in agent.lingers() {
            count.hold(agent.id, (framework, role), held, true);
        }
    }
    for offer in state.offers.values() {
        count.hold(offer.agent, (offer.framework, &offer.role), &offer.resources, false);
    }
    for agent in state.agents.values().filter(|agent| agent.counts()) {
        count.book.include(agent.id, &agent.total);
        count.book.set_free(agent.id, Quantities::of(exclusive(&agent.free())));
    }
    count
}

impl Count {
    fn hold(
        &mut self,
        agent: AgentId,
        (framework, role): (FrameworkId, &Role),
        resources: &Resources,
        used: bool,
    ) {
        let pile = if used { &mut self.used } else { &mut self.offered };
        pile.entry(agent).or_default().add_all(resources);
        self.book.charge(&(framework, role.clone()), agent, resources);
    }
}

fn check_agent(agent: &Agent, count: &Count, violations: &mut Vec<Violation>) {
    let nothing = Resources::default();
    let used = count.used.get(&agent.id).unwrap_or(&nothing);
    let offered = count.offered.get(&agent.id).unwrap_or(&nothing);
    demand(violations, NAME, agent.used == *used, || {
        format!("agent {} is said to use {} but {used} is used", agent.id, agent.used)
    });
    demand(violations, NAME, agent.offered == *offered, || {
        format!("agent {} is said to offer {} but {offered} is", agent.id, agent.offered)
    });
    let mut out = Resources::default();
    exclusive(used).chain(exclusive(offered)).for_each(|resource| out.add(resource));
    demand(violations, NAME, agent.total.contains(&out), || {
        format!("agent {} has {} but {out} is in use or offered", agent.id, agent.total)
    });
    let revocable = agent.total.filtered(|resource| resource.revocable);
    demand(violations, NAME, revocable == agent.revocable(), || {
        format!("agent {} lends out {revocable}, not {}", agent.id, agent.revocable())
    });
    let mut shared = used.iter().chain(offered).filter(|resource| resource.shared);
    demand(violations, NAME, shared.all(|it| agent.total.iter().any(|held| held == it)), || {
        format!("agent {} shares a volume that it does not have", agent.id)
    });
}

fn check_book(book: &Book, count: &Book, violations: &mut Vec<Violation>) {
    demand(violations, NAME, book.total == count.total, || {
        format!("the cluster has {:?}, not {:?}", count.total, book.total)
    });
    demand(violations, NAME, book.reserved == count.reserved, || {
        format!("{:?} is reserved, not {:?}", count.reserved, book.reserved)
    });
    demand(violations, NAME, book.free == count.free, || {
        format!("free is {:?}, not {:?}", count.free, book.free)
    });
    demand(violations, NAME, book.special == count.special, || {
        format!("agents {:?} have something special, not {:?}", count.special, book.special)
    });
    demand(violations, NAME, book.copies == count.copies, || {
        format!("copies are {:?}, not {:?}", count.copies, book.copies)
    });
    let held = |book: &Book| -> BTreeMap<(FrameworkId, Role), [Quantities; 2]> {
        let held = book.held.iter().filter(|(_, held)| !held.quantities.is_empty());
        let sums = |held: &Holding| [held.quantities.clone(), held.uncounted.clone()];
        held.map(|(client, held)| (client.clone(), sums(held))).collect()
    };
    demand(violations, NAME, held(book) == held(count), || {
        format!("frameworks hold {:?}, not {:?}", held(count), held(book))
    });
    demand(violations, NAME, book.held.is_summed_up(), || {
        format!("what roles hold is not the sum of what frameworks do: {:?}", book.held)
    });
}
