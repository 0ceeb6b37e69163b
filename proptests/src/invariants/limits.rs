//! No decision gives a role more than its limit (gaps 56). Counted from tasks, executors, offers and
//! agents, not from the sums that the allocator keeps.

use statemachine::resources::{Name, Resource, Resources};
use statemachine::{Role, State};

use super::{Violation, demand};

/// Commands that may take a role further above its limit: agents come back with what they have, and
/// operators say that they want it so.
const MAY_PASS: [&str; 3] = ["RegisterAgent", "Update", "SetQuotas"];

/// One command has been decided.
pub(super) fn decided(cause: &str, before: &State, after: &State) -> Result<(), Violation> {
    if MAY_PASS.contains(&cause) {
        return Ok(());
    }
    for (role, quota) in &after.quotas {
        for (name, limit) in &quota.limits {
            let [then, now] = [before, after].map(|state| consumed(state, role, name));
            demand(now <= limit.0.max(then), "no decision passes a limit", || {
                format!(
                    "{cause} gives role {role} {name}:{now} thousandths, and {limit} is the limit"
                )
            })?;
        }
    }
    Ok(())
}

/// What a role and those below it have, in thousandths: reservations, used or not, and what is held of
/// unreserved resources.
fn consumed(state: &State, role: &Role, name: &Name) -> i64 {
    let reserved = |it: &&Resource| it.role().is_some_and(|of| of.is_within(role));
    let unreserved = |it: &&Resource| it.reservations.is_empty() && !it.revocable;
    let agents = state.agents.values().filter(|agent| agent.unreachable_since.is_none());
    let reservations = agents.map(|agent| sum(&agent.total, name, reserved));
    let tasks = state.tasks.values().filter(|task| task.holds());
    let tasks = tasks.map(|task| (&task.role, &task.resources));
    let executors = state.executors.values().filter(|executor| executor.holds);
    let executors = executors.map(|executor| (&executor.role, &executor.resources));
    let offers = state.offers.values().map(|offer| (&offer.role, &offer.resources));
    let held = tasks.chain(executors).chain(offers).filter(|(of, _)| of.is_within(role));
    reservations.sum::<i64>() + held.map(|(_, it)| sum(it, name, unreserved)).sum::<i64>()
}

fn sum(resources: &Resources, name: &Name, counts: impl Fn(&&Resource) -> bool) -> i64 {
    let counted: Resources = resources.iter().filter(counts).cloned().collect();
    counted.scalar(name).0
}

#[cfg(test)]
mod tests {
    use statemachine::quota::Quota;
    use statemachine::resources::Scalar;
    use statemachine::testing::World;

    use super::*;

    #[test]
    fn offers_above_a_limit_are_found_and_operators_may_make_them_so() {
        let mut world = World::new();
        world.agent("cpus:4;mem:1024");
        world.framework(&["eng/web"]);
        let before = world.state.clone();
        world.allocate();
        let mut after = world.state.clone();
        let limits = [(Name::Cpus, Scalar(3_999))].into();
        after.quotas.insert("eng".into(), Quota { limits, ..Quota::default() });
        let violation = decided("Allocate", &before, &after).expect_err("above the limit");
        assert!(violation.text.contains("role eng cpus:4000"), "{violation}");
        assert_eq!(decided("SetQuotas", &before, &after), Ok(()));
        assert_eq!(decided("Allocate", &after, &after), Ok(()), "no further");
    }
}
