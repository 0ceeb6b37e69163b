//! Ends of operations that frameworks do not acknowledge are told again, ever more rarely.

use crate::command::Decide;
use crate::draft::{Draft, Reply};
use crate::effect::FrameworkMessage;
use crate::rejection::Rejection;
use crate::time::Time;

/// The first wait for an acknowledgement; each is twice the one before.
const FIRST_WAIT_MS: u64 = 10_000;
/// The longest wait.
const LAST_WAIT_MS: u64 = 600_000;
/// How many waits are shorter than the longest: 10, 20, 40, … 320 s.
const DOUBLINGS: u64 = 6;

/// Tell what fell due since the last time. Nothing is remembered for it: when an end is told again follows from when
/// it was, so that a new leader goes on with the same moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retell {
    /// When this was done last.
    pub since: Time,
}

impl Decide for Retell {
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Reply, Rejection> {
        let now = draft.context().now;
        let followed = draft.state().operations.values();
        let due = followed.filter(|followed| {
            let told = |by: Time| followed.finished_at.map(|at| times_due(by.since_ms(at)));
            told(now) > told(self.since)
        });
        let due: Vec<_> = due.map(|it| (it.key.framework, it.status())).collect();
        for (framework, status) in due {
            draft.tell(framework, FrameworkMessage::OperationUpdated(status));
        }
        Ok(Reply::Done)
    }
}

/// How often something has been due again after so many milliseconds.
fn times_due(age_ms: u64) -> u64 {
    let doubling_ms = FIRST_WAIT_MS * ((1 << DOUBLINGS) - 1);
    match age_ms.checked_sub(doubling_ms) {
        Some(beyond_ms) => DOUBLINGS + beyond_ms / LAST_WAIT_MS,
        None => u64::from((age_ms / FIRST_WAIT_MS + 1).ilog2()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROLE, confirm, world};
    use super::super::{Acknowledge, OperationState, Request};
    use super::*;
    use crate::offer::Operation;
    use crate::testing::{reserved, resources};

    #[test]
    fn waits_double_up_to_the_longest() {
        let moments = [10, 30, 70, 150, 310, 630, 1230, 1830];
        for (number, seconds) in (1..).zip(moments) {
            assert_eq!(times_due(seconds * 1000 - 1), number - 1, "{seconds} s");
            assert_eq!(times_due(seconds * 1000), number, "{seconds} s");
        }
    }

    /// surface 6
    #[test]
    fn an_end_is_told_until_it_is_acknowledged() {
        let (mut world, framework) = world();
        let reserve = Request::Reserve(Ok(reserved(&resources("cpus:1"), ROLE)));
        world.operate(framework, vec![Operation::Convert(reserve, Some("o".into()))]);
        confirm(&mut world, u64::MAX);
        world.sent();
        let mut told_after = |ms: u64| {
            let since = world.now;
            world.pass_ms(ms);
            world.must(Retell { since });
            let told = world.told(framework);
            let told = told.into_iter().filter_map(|message| match message {
                FrameworkMessage::OperationUpdated(it) if it.state == OperationState::Finished => {
                    it.update
                }
                _ => None,
            });
            told.last()
        };
        assert_eq!(told_after(9_999), None);
        let update = told_after(1).expect("told again, and to be acknowledged");
        assert_eq!(told_after(19_999), None);
        assert_eq!(told_after(1), Some(update));
        let operation = "o".into();
        world.must(Acknowledge { framework, operation, update });
        world.must(Retell { since: Time(0) });
        assert!(world.told(framework).is_empty());
    }
}
