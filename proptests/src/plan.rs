//! What is done to a cluster in one run: its shape, and a list of abstract actions. A plan is a
//! small file; with its seed it is the whole run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// Actions in a plan at most.
pub const STEPS_MAX: usize = 10_000;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Seed of everything that the plan does not say: delays, habits, losses.
    pub seed: u64,
    /// How many of each.
    pub shape: Shape,
    /// What is done to them.
    pub steps: Vec<Step>,
}

/// How big the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Masters: 1, 3 or 5.
    pub masters: u8,
    /// Agents.
    pub agents: u8,
    /// Schedulers, of habits in turn.
    pub schedulers: u8,
    /// Tasks that each scheduler wants finished.
    pub tasks: u32,
}

/// One action, some time after the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How long after.
    pub after_ms: u64,
    /// What.
    pub action: Action,
}

/// Something done to a cluster. Abstract: `pick` chooses among those that are there when it happens,
/// and everything heals by itself, so that any part of a plan is a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The leader's process dies.
    CrashLeader {
        /// Until it starts again.
        down_ms: u64,
    },
    /// A master's process dies.
    CrashMaster {
        /// Which.
        pick: u8,
        /// Until it starts again.
        down_ms: u64,
    },
    /// Every master dies at once.
    CrashMasters {
        /// Until they start again.
        down_ms: u64,
    },
    /// A master stops for a while, as under SIGSTOP.
    PauseMaster {
        /// Which.
        pick: u8,
        /// For how long.
        for_ms: u64,
    },
    /// A master's clock is set.
    SetClock {
        /// Which.
        pick: u8,
        /// How far ahead of the others it goes from now on.
        ahead_ms: u64,
    },
    /// The leader is cut off from the other masters, but not from its clients.
    IsolateLeader {
        /// For how long.
        for_ms: u64,
    },
    /// Messages from one node to another are lost, in this direction only.
    CutOneWay {
        /// From whom.
        from: u8,
        /// To whom.
        to: u8,
        /// For how long.
        for_ms: u64,
    },
    /// A node is cut off from everyone.
    Isolate {
        /// Which.
        pick: u8,
        /// For how long.
        for_ms: u64,
    },
    /// An agent's process dies; its containers run on.
    CrashAgent {
        /// Which.
        pick: u8,
        /// Until it starts again.
        down_ms: u64,
    },
    /// An agent's machine restarts; its disk stays.
    RebootAgent {
        /// Which.
        pick: u8,
        /// Until it starts again.
        down_ms: u64,
    },
    /// An agent leaves for good, and comes back as a new one.
    RetireAgent {
        /// Which.
        pick: u8,
    },
    /// A custom executor dies.
    CrashExecutor {
        /// On which agent.
        pick: u8,
    },
    /// A stream of a scheduler or agent breaks.
    BreakStream {
        /// Whose.
        pick: u8,
    },
    /// A scheduler's process dies; its ledger stays.
    CrashScheduler {
        /// Which.
        pick: u8,
        /// Until it starts again.
        down_ms: u64,
    },
    /// Another instance of a scheduler subscribes while the first is connected.
    TakeOver {
        /// Of which.
        pick: u8,
    },
    /// A scheduler ends its framework, and starts another.
    Teardown {
        /// Which.
        pick: u8,
    },
    /// A scheduler kills one of its tasks.
    Kill {
        /// Which scheduler.
        pick: u8,
    },
    /// A scheduler shuts one of its executors down.
    ShutdownExecutor {
        /// Which scheduler.
        pick: u8,
    },
    /// A scheduler asks about all its tasks.
    Reconcile {
        /// Which scheduler.
        pick: u8,
    },
    /// An operator empties an agent, and lets it be used again after a while, empty or not.
    DrainAgent {
        /// Which.
        pick: u8,
        /// Whether it is marked gone once it is empty.
        mark_gone: bool,
        /// For how long.
        for_ms: u64,
    },
    /// An operator wants nothing of an agent offered for a while.
    DeactivateAgent {
        /// Which.
        pick: u8,
        /// For how long.
        for_ms: u64,
    },
    /// An operator declares an agent lost for good; it comes back as a new one.
    MarkAgentGone {
        /// Which.
        pick: u8,
    },
    /// A machine is scheduled to go out of service, goes down, and is up again.
    MaintainMachine {
        /// Whose.
        pick: u8,
        /// Until it goes down.
        notice_ms: u64,
        /// Until it is up again.
        for_ms: u64,
    },
    /// An operator gives a role a quota for a while.
    SetQuota {
        /// Which role.
        pick: u8,
        /// CPUs that it is guaranteed; none for 0.
        guaranteed: u8,
        /// CPUs that it may have at most.
        limited: Option<u8>,
        /// Whether what it has already does not matter.
        force: bool,
        /// For how long.
        for_ms: u64,
    },
    /// An operator says how much a role counts.
    WeighRole {
        /// Which role.
        pick: u8,
        /// How much, as a multiple of what others do.
        weight: u8,
    },
    /// A scheduler wants no offers for a while.
    Suppress {
        /// Which scheduler.
        pick: u8,
        /// For how long.
        for_ms: u64,
    },
}

/// A file that is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It cannot be read or written.
    #[error("cannot access plan {0}")]
    Access(PathBuf, #[source] io::Error),
    /// It is not what it should be.
    #[error("{0} is not a plan")]
    Malformed(PathBuf, #[source] serde_json::Error),
    /// It asks for something that cannot be simulated.
    #[error("plan {0} has {1}")]
    Refused(PathBuf, &'static str),
}

impl Action {
    /// Whether an operator does it, or else a fault or a client.
    pub fn is_of_operator(self) -> bool {
        matches!(
            self,
            Self::DrainAgent { .. }
                | Self::DeactivateAgent { .. }
                | Self::MarkAgentGone { .. }
                | Self::MaintainMachine { .. }
                | Self::SetQuota { .. }
                | Self::WeighRole { .. }
        )
    }
}

impl Plan {
    /// The plan that belongs to `seed`.
    pub fn generate(seed: u64, shape: Shape) -> Self {
        // another stream than the run's own, so that both can be changed without the other
        let mut dice = Dice::new(seed ^ 0x005e_ed0f_ac71_0115);
        let count = dice.between(4, 24);
        let mut steps: Vec<_> = (0..count).map(|_| step(&mut dice)).collect();
        // after the faults, which stay the same whatever operators do
        for _ in 0..dice.below(count / 2 + 1) {
            let (at, after_ms) = (dice.below(steps.len() as u64 + 1), dice.below(3_000));
            let pick = dice.below(256) as u8;
            steps.insert(at as usize, Step { after_ms, action: of_operator(pick, &mut dice) });
        }
        Self { seed, shape, steps }
    }

    /// Reads a plan.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let bytes = fs::read(path).map_err(|error| PlanError::Access(path.into(), error))?;
        let plan: Self = serde_json::from_slice(&bytes)
            .map_err(|error| PlanError::Malformed(path.into(), error))?;
        match plan.fault() {
            None => Ok(plan),
            Some(fault) => Err(PlanError::Refused(path.into(), fault)),
        }
    }

    /// Writes it where [`Plan::read`] finds it.
    pub fn write(&self, path: &Path) -> Result<(), PlanError> {
        let access = |error| PlanError::Access(path.into(), error);
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from).map_err(access)?;
        fs::write(path, text + "\n").map_err(access)
    }

    fn fault(&self) -> Option<&'static str> {
        match self.shape {
            Shape { masters: 1 | 3 | 5, agents: 1..=50, schedulers: 1..=50, tasks: 0..=1000 } => {
                (self.steps.len() > STEPS_MAX).then_some("too many steps")
            }
            Shape { masters: 1 | 3 | 5, .. } => Some("no agents or schedulers, or too many"),
            Shape { .. } => Some("another number of masters than 1, 3 or 5"),
        }
    }
}

fn step(dice: &mut Dice) -> Step {
    let after_ms = if dice.chance(300) { dice.below(100) } else { dice.between(100, 6_000) };
    Step { after_ms, action: action(dice) }
}

/// A while: mostly short, sometimes past every time-out.
fn while_ms(dice: &mut Dice) -> u64 {
    match dice.below(10) {
        0..6 => dice.between(50, 3_000),
        6..9 => dice.between(3_000, 20_000),
        _ => dice.between(20_000, 90_000),
    }
}

fn action(dice: &mut Dice) -> Action {
    let pick = dice.below(256) as u8;
    match dice.below(26) {
        0..4 => Action::CrashLeader { down_ms: while_ms(dice) },
        4 => Action::CrashMaster { pick, down_ms: while_ms(dice) },
        5 => Action::CrashMasters { down_ms: while_ms(dice) },
        6 => Action::PauseMaster { pick, for_ms: while_ms(dice) },
        7 => Action::SetClock { pick, ahead_ms: dice.below(3_000) },
        8 | 9 => Action::IsolateLeader { for_ms: while_ms(dice) },
        10 => Action::CutOneWay { from: pick, to: dice.below(256) as u8, for_ms: while_ms(dice) },
        11 => Action::Isolate { pick, for_ms: while_ms(dice) },
        12 | 13 => Action::CrashAgent { pick, down_ms: while_ms(dice) },
        14 => Action::RebootAgent { pick, down_ms: while_ms(dice) },
        15 => Action::RetireAgent { pick },
        16 => Action::CrashExecutor { pick },
        17 => Action::BreakStream { pick },
        18 | 19 => Action::CrashScheduler { pick, down_ms: while_ms(dice) },
        20 => Action::TakeOver { pick },
        21 => Action::Teardown { pick },
        22 => Action::Kill { pick },
        23 => Action::ShutdownExecutor { pick },
        24 => Action::Reconcile { pick },
        _ => Action::Suppress { pick, for_ms: while_ms(dice) },
    }
}

/// What an operator does.
fn of_operator(pick: u8, dice: &mut Dice) -> Action {
    match dice.below(8) {
        0 | 1 => Action::DrainAgent { pick, mark_gone: dice.chance(300), for_ms: while_ms(dice) },
        2 => Action::DeactivateAgent { pick, for_ms: while_ms(dice) },
        3 => Action::MarkAgentGone { pick },
        4 => Action::MaintainMachine { pick, notice_ms: while_ms(dice), for_ms: while_ms(dice) },
        5 | 6 => Action::SetQuota {
            pick,
            guaranteed: dice.below(3) as u8 * 2,
            limited: dice.chance(700).then(|| dice.below(8) as u8),
            force: dice.chance(500),
            for_ms: while_ms(dice),
        },
        _ => Action::WeighRole { pick, weight: dice.between(1, 5) as u8 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { masters: 3, agents: 3, schedulers: 3, tasks: 5 };

    #[test]
    fn a_plan_is_written_and_read_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("plan.json");
        let plan = Plan::generate(7, SHAPE);
        plan.write(&path).expect("written");
        assert_eq!(Plan::read(&path).expect("read"), plan);
    }

    fn refused(text: &str, want: &str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("plan.json");
        fs::write(&path, text).expect("written");
        let error = Plan::read(&path).expect_err("no plan");
        assert!(error.to_string().contains(want), "{error}");
    }

    #[test]
    fn what_is_no_plan_is_named() {
        refused("{", "is not a plan");
        let mut plan = Plan::generate(1, Shape { masters: 2, ..SHAPE });
        refused(&serde_json::to_string(&plan).expect("json"), "number of masters");
        plan.shape = Shape { agents: 0, ..SHAPE };
        refused(&serde_json::to_string(&plan).expect("json"), "no agents");
        let missing = Plan::read(Path::new("/nonexistent/plan")).expect_err("missing");
        assert!(missing.to_string().contains("/nonexistent/plan"), "{missing}");
    }
}
