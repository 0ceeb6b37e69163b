//! What the state tells of the cluster as a whole.

use protocol::v1::task_status;
use statemachine::agent::Spared;
use statemachine::resources::{Name, Resources};
use statemachine::{Source, State, TaskState};

use super::name::Metrics;
use crate::views::is_active;

/// Adds resources, agents, frameworks and tasks.
pub(super) fn add(metrics: &mut Metrics, state: &State) {
    metrics.gauge("master/outstanding_offers", state.offers.len() as f64);
    add_resources(metrics, state);
    add_agents(metrics, state);
    add_frameworks(metrics, state);
    add_tasks(metrics, state);
}

fn add_resources(metrics: &mut Metrics, state: &State) {
    let mut total = Resources::default();
    let mut used = Resources::default();
    let mut held = Resources::default();
    for agent in state.agents.values().filter(|agent| agent.unreachable_since.is_none()) {
        total.add_all(&agent.total);
        // a shared volume is there once, however many use it or are offered it
        used.add_all(&agent.used.distinct());
        let mut both = agent.used.clone();
        both.add_all(&agent.offered);
        held.add_all(&both.distinct());
    }
    for name in [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus] {
        for (kind, is_revocable) in [("", false), ("_revocable", true)] {
            let sum = |of: &Resources| {
                of.filtered(|it| it.revocable == is_revocable).scalar(&name).to_f64()
            };
            let (all, in_use) = (sum(&total), sum(&used));
            let percent = if all > 0.0 { in_use / all } else { 0.0 };
            metrics.gauge(format!("master/{name}{kind}_total"), all);
            metrics.gauge(format!("master/{name}{kind}_used"), in_use);
            metrics.gauge(format!("master/{name}{kind}_percent"), percent);
        }
        let all = total.scalar(&name).to_f64();
        let held = held.scalar(&name).to_f64();
        metrics.gauge(format!("allocator/mesos/resources/{name}/total"), all);
        metrics.gauge(format!("allocator/mesos/resources/{name}/offered_or_allocated"), held);
    }
}

fn add_agents(metrics: &mut Metrics, state: &State) {
    let reachable = || state.agents.values().filter(|agent| agent.unreachable_since.is_none());
    let connected = reachable().filter(|agent| agent.connection.is_connected()).count();
    let mut gauge = |name: &str, number: usize| {
        metrics.gauge(format!("master/slaves_{name}"), number as f64);
    };
    gauge("active", reachable().filter(|agent| agent.is_active()).count());
    gauge("inactive", reachable().filter(|agent| !agent.is_active()).count());
    gauge("connected", connected);
    gauge("disconnected", reachable().count() - connected);
    gauge("unreachable", state.agents.len() - reachable().count());
    let held = |why| reachable().filter(|agent| agent.spared == Some(why)).count();
    gauge("held_by_recovery_limit", held(Spared::Recovery));
    gauge("held_by_rate_limit", held(Spared::Rate));
    let counts = &state.agent_counts;
    let counters = [
        ("slave_registrations", counts.registered),
        ("slave_reregistrations", counts.reregistered),
        ("slave_removals", counts.removed()),
        ("slave_removals/reason_gone", counts.gone),
        ("slave_removals/reason_unhealthy", counts.unreachable),
        ("slave_removals/reason_unregistered", counts.unregistered),
        ("slave_removals/reason_registered", counts.replaced),
        ("recovery_slave_removals", counts.unrecovered),
        ("slave_unreachable_scheduled", counts.scheduled),
        ("slave_unreachable_completed", counts.unreachable),
        ("slave_unreachable_canceled", counts.canceled),
    ];
    for (name, count) in counters {
        metrics.counter(format!("master/{name}"), count as f64);
    }
}

fn add_frameworks(metrics: &mut Metrics, state: &State) {
    let frameworks = || state.frameworks.values();
    let active = frameworks().filter(|it| is_active(it)).count();
    let connected = frameworks().filter(|it| it.connection.is_connected()).count();
    let all = state.frameworks.len();
    let gauges = [
        ("active", active),
        ("inactive", all - active),
        ("connected", connected),
        ("disconnected", all - connected),
    ];
    for (name, number) in gauges {
        metrics.gauge(format!("master/frameworks_{name}"), number as f64);
    }
}

fn add_tasks(metrics: &mut Metrics, state: &State) {
    let sum = |of: TaskState| -> f64 {
        let ended = state.ended.iter().filter(|((ended, ..), _)| *ended == of);
        let count = if of.is_terminal() {
            ended.map(|(_, count)| *count).sum::<u64>()
        } else {
            state.tasks.values().filter(|task| task.state == of).count() as u64
        };
        count as f64
    };
    for of in TaskState::ALL {
        let name = format!("master/tasks_{}", short(of));
        if of.is_terminal() {
            metrics.counter(name, sum(of));
        } else {
            metrics.gauge(name, sum(of));
        }
    }
    for ((of, source, reason), count) in &state.ended {
        let source = match source {
            Source::Master => "master",
            Source::Agent => "slave",
            Source::Executor => "executor",
        };
        let mut name = format!("master/task_{}/source_{source}", short(*of));
        if let Some(reason) = reason.and_then(|it| task_status::Reason::try_from(it.0).ok()) {
            name.push('/');
            name.push_str(&reason.as_str_name().to_lowercase().replace("_agent_", "_slave_"));
        }
        metrics.counter(name, *count as f64);
    }
}

/// `TASK_RUNNING` as `running`.
pub(super) fn short(state: TaskState) -> &'static str {
    match state {
        TaskState::Starting => "starting",
        TaskState::Running => "running",
        TaskState::Finished => "finished",
        TaskState::Failed => "failed",
        TaskState::Killed => "killed",
        TaskState::Lost => "lost",
        TaskState::Staging => "staging",
        TaskState::Error => "error",
        TaskState::Killing => "killing",
        TaskState::Dropped => "dropped",
        TaskState::Unreachable => "unreachable",
        TaskState::Gone => "gone",
        TaskState::GoneByOperator => "gone_by_operator",
        TaskState::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use statemachine::agent::MarkGone;
    use statemachine::testing::World;

    fn values(world: &World) -> BTreeMap<String, f64> {
        let mut metrics = Metrics::default();
        add(&mut metrics, &world.state);
        metrics.values().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn check(world: &World, expected: &[(&str, f64)]) {
        let values = values(world);
        for (name, value) in expected {
            assert_eq!(values.get(*name), Some(value), "{name}");
        }
    }

    #[test]
    fn ends_are_counted_and_go_on_with_another_leader() {
        let mut world = World::new();
        let agents = [world.agent("cpus:4;mem:4096"), world.agent("cpus:4;mem:4096")];
        let framework = world.framework(&["*"]);
        let agent = world.launch(framework, "t", "cpus:1;mem:64");
        world.update(framework, "t", TaskState::Running, 1).expect("taken");
        check(&world, &[("master/tasks_running", 1.0), ("master/cpus_percent", 0.125)]);
        world.must(MarkGone { agent });
        let gone = [
            ("master/tasks_running", 0.0),
            ("master/tasks_gone_by_operator", 1.0),
            ("master/task_gone_by_operator/source_master/reason_slave_removed_by_operator", 1.0),
            ("master/slave_registrations", 2.0),
            ("master/slave_removals", 1.0),
            ("master/slaves_active", 1.0),
        ];
        check(&world, &gone);
        world.lead(2);
        check(&world, &gone[1..5]);
        assert_eq!(agents.len(), 2);
    }
}
