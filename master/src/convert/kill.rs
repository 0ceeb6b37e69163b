//! How long a task may take to end.

use protocol::v1::{DurationInfo, KillPolicy, TaskInfo};
use statemachine::task::Task;

use super::decode_own;

/// The policy that an agent is given with a kill; none for the task's own. While the agent is drained no
/// task gets longer than `max_grace_ns`, and one that says nothing gets just that (semantics 237).
pub(crate) fn kill_policy(
    task: Option<&Task>,
    given: &[u8],
    max_grace_ns: Option<u64>,
) -> Option<KillPolicy> {
    let given: Option<KillPolicy> = (!given.is_empty()).then(|| decode_own(given));
    let Some(max) = max_grace_ns else { return given };
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let own = || decode_own::<TaskInfo>(&task?.payload).kill_policy;
    let policy = given.or_else(own);
    let grace = policy.and_then(|policy| policy.grace_period).map(|grace| grace.nanoseconds);
    let nanoseconds = grace.map_or(max, |grace| grace.min(max));
    Some(KillPolicy { grace_period: Some(DurationInfo { nanoseconds }) })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn policy(nanoseconds: i64) -> KillPolicy {
        KillPolicy { grace_period: Some(DurationInfo { nanoseconds }) }
    }

    fn check(given: Option<i64>, max: Option<u64>, expected: Option<i64>) {
        let bytes = given.map(|it| policy(it).encode_to_vec()).unwrap_or_default();
        assert_eq!(kill_policy(None, &bytes, max), expected.map(policy), "{given:?} {max:?}");
    }

    /// semantics 237
    #[test]
    fn the_shorter_grace_period_counts() {
        check(None, None, None);
        check(Some(5), None, Some(5));
        check(Some(5), Some(9), Some(5));
        check(Some(9), Some(5), Some(5));
        check(None, Some(5), Some(5));
        check(None, Some(u64::MAX), Some(i64::MAX));
    }
}
