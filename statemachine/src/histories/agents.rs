//! What agents do.

use proptest::prelude::*;

use super::{AGENT_HAS, pick};
use crate::agent::{
    Cause, Deactivate, Disconnect, DrainAgent, ExecutorReport, GiveUp, MarkGone, Oversubscribe,
    Reactivate, TaskReport, Unregister,
};
use crate::framework::Stopped;
use crate::operation::{Acknowledge, Confirm, Operate, Request};
use crate::resources::Resources;
use crate::testing::{World, reserved, resources, revocable, volume};
use crate::{AgentId, EventNumber, Session};

#[derive(Clone, Copy, Debug)]
pub(super) enum OnAgent {
    Register,
    /// Comes back, having forgotten some tasks and missed some launches.
    Return(u8),
    Disconnect,
    /// Misses its pings.
    FallSilent,
    /// Has done as it was told; frameworks sometimes acknowledge that.
    Confirm(u8),
    /// An operator converts its resources.
    Operate(u8),
    /// Would lend out more or less.
    Oversubscribe(u8),
    /// Has nothing left of a framework that is over.
    Stop,
    Unregister,
    MarkGone,
    Deactivate,
    Reactivate,
    /// An operator gives up whoever a limit holds back.
    GiveUp,
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
        2 => any::<u8>().prop_map(OnAgent::Confirm),
        2 => any::<u8>().prop_map(OnAgent::Operate),
        2 => any::<u8>().prop_map(OnAgent::Oversubscribe),
        3 => Just(OnAgent::Stop),
        1 => Just(OnAgent::Unregister),
        1 => Just(OnAgent::MarkGone),
        1 => Just(OnAgent::Deactivate),
        2 => Just(OnAgent::Reactivate),
        1 => Just(OnAgent::GiveUp),
        2 => any::<bool>().prop_map(|mark_gone| OnAgent::Drain { mark_gone }),
    ]
}

pub(super) fn act(world: &mut World, action: OnAgent, number: u8) -> Option<()> {
    if matches!(action, OnAgent::Register) {
        let mut hello = world.hello(None, AGENT_HAS);
        hello.description.tells_stops = !number.is_multiple_of(5);
        if let Some(other) = world.state.agents.values().next().filter(|_| number.is_multiple_of(4))
        {
            hello.description.address = other.description.address.clone();
        }
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
        OnAgent::GiveUp => {
            world.must(GiveUp { agents: vec![agent] });
        }
        OnAgent::Drain { mark_gone } => {
            // refused while the machine is to be out of service
            let _ = world.ask(DrainAgent { agent, max_grace_ns: Some(1), mark_gone });
        }
        OnAgent::MarkGone => {
            world.must(MarkGone { agent });
        }
        OnAgent::Confirm(back) => confirm(world, (agent, session), u64::from(back)),
        OnAgent::Operate(what) => operate(world, agent, what),
        OnAgent::Oversubscribe(much) => {
            let estimate = estimate(u64::from(much));
            // refused unless connected
            let _ = world.ask(Oversubscribe { agent, session, estimate });
        }
        OnAgent::Stop => {
            let framework = pick(world.state.framework_ids.keys().cloned(), number)?;
            world.must(Stopped { agent, session, framework });
        }
        OnAgent::Unregister => {
            let _ = world.ask(Unregister { agent, session }); // refused unless connected
        }
    }
    Some(())
}

fn estimate(much: u64) -> Resources {
    revocable(&resources(
        ["", "cpus:2", "cpus:4;mem:64", "cpus:1;ports:[31000-31001]"][much as usize % 4],
    ))
}

fn confirm(world: &mut World, (agent, session): (AgentId, Session), back: u64) {
    let directive = EventNumber(world.state.cluster.events.0.saturating_sub(back % 8));
    let _ = world.ask(Confirm { agent, session, directive }); // refused unless connected
    if back.is_multiple_of(3)
        && let Some(followed) = world.state.operations.values().next().cloned()
    {
        let (framework, operation) = (followed.key.framework, followed.key.operation.clone());
        world.must(Acknowledge { framework, operation, update: followed.update });
    }
}

fn operate(world: &mut World, agent: AgentId, what: u8) {
    let (space, made) = (reserved(&resources("disk:64"), "a"), volume("op", "a", 64));
    let request = match what % 5 {
        0 => Request::Reserve(Ok(reserved(&resources("cpus:1"), "a"))),
        1 => Request::Reserve(Ok(space)),
        2 => Request::Create(Ok(made)),
        3 => Request::Destroy(Ok(made)),
        _ => Request::Unreserve(Ok(space)),
    };
    let _ = world.ask(Operate { agent: Some(agent), request }); // refused where it makes no sense
}

fn come_back(world: &mut World, agent: AgentId, forgets: u64) {
    let mut hello = world.hello(Some(agent), AGENT_HAS);
    hello.estimate = estimate(forgets / 2);
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
    for (framework, lingering) in &state.agents[&agent].lingering {
        if forgets % 3 != u64::from(framework.0) % 3 {
            hello.running.insert(lingering.wire_id.clone());
        }
    }
    hello.description.tells_stops = !forgets.is_multiple_of(16);
    let _ = world.ask(hello); // refused while the machine is down
}
