//! Some clusters of each size live through whatever their seed holds. More seeds, and fresh ones, run
//! with `cargo run --release -p proptests`.

use proptests::{Plan, Shape, run};

use crate::SHAPE;

fn check(masters: u8, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let plan = Plan::generate(seed, Shape { masters, ..SHAPE });
        let outcome = run(&plan, None, false);
        let again = format!("--seed {seed} --seeds 1 --masters {masters} --agents 3 --tasks 6");
        assert_eq!(outcome.violation, None, "cargo run -p proptests -- {again}");
        assert!(outcome.launches > 0, "seed {seed} launched something");
    }
}

#[test]
fn one_master() {
    check(1, 0..6);
}

#[test]
fn three_masters() {
    check(3, 0..12);
}

#[test]
fn five_masters() {
    check(5, 0..4);
}
