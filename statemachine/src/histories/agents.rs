//! What agents do.

use proptest::prelude::*;

use super::{AGENT_HAS, pick};
use crate::agent::{
    Cause, Deactivate, Disconnect, DrainAgent, ExecutorReport, MarkGone, Reactivate, TaskReport,
    Unregister,
};
use crate::testing::World;
use crate::{AgentId, EventNumber};

#[derive(Clone, Copy, Debug)]
pub(super) enum OnAgent {
    Register,
    /// Comes back, having forgotten some tasks and missed some launches.
    Return(u8),
    Disconnect,
    /// Misses its pings.
    FallSilent,
    Unregister,
    MarkGone,
    Deactivate,
    Reactivate,
    Drain {
        mark_gone: bool,
    },
}

pub(super) fn strategy() -> impl Strategy<Value = OnAgent> {
    prop_oneof![
        2 => Just(OnAgent::Register),
        5 => any::<u8>().prop_map(OnAgent::Return),
        3 => Just(OnAgent::Disconnect),
        1 => Just(OnAgent::FallSilent),
        1 => Just(OnAgent::Unregister),
        1 => Just(OnAgent::MarkGone),
        1 => Just(OnAgent::Deactivate),
        2 => Just(OnAgent::Reactivate),
        2 => any::<bool>().prop_map(|mark_gone| OnAgent::Drain { mark_gone }),
    ]
}

pub(super) fn act(world: &mut World, action: OnAgent, number: u8) -> Option<()> {
    if matches!(action, OnAgent::Register) {
        let hello = world.hello(None, AGENT_HAS);
        let _ = world.ask(hello); // refused while the machine is down
        return Some(());
    }
    let agent = pick(world.state.agents.keys().copied(), number)?;
    let session = world.state.agents[&agent].session().unwrap_or_default();
    match action {
        OnAgent::Register => {}
        OnAgent::Return(forgets) => come_back(world, agent, u64::from(forgets)),
        OnAgent::Disconnect => {
            world.must(Disconnect { agent, session, cause: Cause::Closed });
        }
        OnAgent::FallSilent => {
            world.must(Disconnect { agent, session, cause: Cause::Silent });
        }
        OnAgent::Deactivate => {
            world.must(Deactivate { agent });
        }
        OnAgent::Reactivate => {
            let _ = world.ask(Reactivate { agent }); // refused unless deactivated
        }
        OnAgent::Drain { mark_gone } => {
            // refused while the machine is to be out of service
            let _ = world.ask(DrainAgent { agent, max_grace_ns: Some(1), mark_gone });
        }
        OnAgent::MarkGone => {
            world.must(MarkGone { agent });
        }
        OnAgent::Unregister => {
            let _ = world.ask(Unregister { agent, session }); // refused unless connected
        }
    }
    Some(())
}

fn come_back(world: &mut World, agent: AgentId, forgets: u64) {
    let mut hello = world.hello(Some(agent), AGENT_HAS);
    hello.last_launch = EventNumber(world.state.cluster.events.0.saturating_sub(forgets % 8));
    let state = &world.state;
    for task in state.tasks.values().filter(|task| task.agent == agent) {
        if forgets % 5 != task.launched.0 % 5 && task.launched <= hello.last_launch {
            hello.tasks.push(TaskReport {
                framework: state.frameworks[&task.key.framework].wire_id.clone(),
                task: task.key.task.clone(),
                state: task.state,
            });
        }
    }
    for executor in state.executors_on(agent) {
        hello.executors.push(ExecutorReport {
            framework: state.frameworks[&executor.key.framework].wire_id.clone(),
            executor: executor.key.executor.clone(),
        });
    }
    let _ = world.ask(hello); // refused while the machine is down
}
