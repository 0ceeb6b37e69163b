//! Random calls of several frameworks, agents and operators to the real core and to a reference model
//! of plain maps ([`model::Model`]). After each call both must have refused or done the same, said the
//! same to everybody, and know the same of every agent, framework, offer, task, executor, reservation,
//! volume, limit, weight and machine.
//!
//! `MODEL_CASES=5000 cargo test -p statemachine --test model` looks longer, and `MODEL_SEED=…` again at
//! what failed. The calls that a failure prints belong into `fixed.rs`.

mod agents;
mod call;
mod clients;
mod compare;
mod drive;
mod fixed;
mod frameworks;
mod model;
mod offers;
mod operators;
mod others;
mod pile;
mod said;
mod tasks;

use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::call::Call;
use crate::drive::Pair;

/// Histories that an ordinary run looks at.
const CASES: u32 = 150;
/// The longest history.
const CALLS_MAX: usize = 150;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("reading {name}={text}: {error}")))
}

/// Every history begins with two agents and two frameworks.
fn check(calls: &[Call]) {
    let mut pair = Pair::new();
    for size in [7, 3] {
        pair.act(&Call::Register { size });
    }
    for (roles, is_aware) in [(3, true), (5, false)] {
        pair.act(&Call::Subscribe { roles, is_aware, timeout: 0 });
    }
    for call in calls {
        pair.act(call);
    }
}

#[test]
fn the_core_does_as_the_model_does() {
    let seed = number("MODEL_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let cases = number("MODEL_CASES").map_or(CASES, |cases| cases as u32);
    let bytes: Vec<u8> = seed.to_be_bytes().repeat(4);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let calls = proptest::collection::vec(call::call(), 1..CALLS_MAX);
    let outcome = runner.run(&calls, |calls| {
        check(&calls);
        Ok::<(), TestCaseError>(())
    });
    if let Err(TestError::Fail(why, calls)) = &outcome {
        panic!("MODEL_SEED={seed}: {why}\nafter {calls:#?}");
    }
    assert!(outcome.is_ok(), "MODEL_SEED={seed}: {outcome:?}");
}

#[test]
fn cases_that_once_failed_hold() {
    for (what, calls) in fixed::cases() {
        let held = std::panic::catch_unwind(|| check(&calls));
        assert!(held.is_ok(), "{what}");
    }
}
