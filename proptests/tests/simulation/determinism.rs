//! A plan is the whole run: the same plan gives the same trace, byte for byte.

use proptests::{Plan, run};

use crate::SHAPE;

#[test]
fn a_seed_gives_the_same_trace_every_time() {
    let plan = Plan::generate(11, SHAPE);
    let [first, second] = [run(&plan, None, true), run(&plan, None, true)];
    assert!(first.trace.len() > 1000, "something happened: {} lines", first.trace.len());
    assert_eq!(first.trace, second.trace);
    assert_eq!(first.fingerprint, second.fingerprint);
}

#[test]
fn another_seed_gives_another_trace() {
    let one = run(&Plan::generate(11, SHAPE), None, false);
    let other = run(&Plan::generate(12, SHAPE), None, false);
    assert_ne!(one.fingerprint, other.fingerprint);
}
