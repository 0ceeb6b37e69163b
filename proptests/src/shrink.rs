//! A failing plan made smaller, as long as it fails in the same way.

use crate::bug::Bug;
use crate::plan::Plan;
use crate::run::run;

/// The smallest plan found within `runs` runs that breaks the same invariant as `plan` does: steps
/// are left out, half of them at first and single ones at last.
pub fn shrink(plan: &Plan, bug: Option<Bug>, runs: usize) -> Plan {
    let Some(broken) = run(plan, bug, false).violation else { return plan.clone() };
    let mut smallest = plan.clone();
    let mut left = runs;
    let mut size = smallest.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < smallest.steps.len() && left > 0 {
            left -= 1;
            let smaller = without(&smallest, at, size);
            let still = run(&smaller, bug, false).violation;
            if still.is_some_and(|it| it.invariant == broken.invariant) {
                smallest = smaller;
            } else {
                at += size;
            }
        }
        size = if size == 1 || left == 0 { 0 } else { size.div_ceil(2) };
    }
    smallest
}

/// The plan without some steps; the others keep their time.
fn without(plan: &Plan, at: usize, count: usize) -> Plan {
    let mut smaller = plan.clone();
    let end = (at + count).min(smaller.steps.len());
    let gone: u64 = smaller.steps.drain(at..end).map(|step| step.after_ms).sum();
    if let Some(next) = smaller.steps.get_mut(at) {
        next.after_ms += gone;
    }
    smaller
}
