//! The answers of the operator API (semantics 309 to 315).

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::v1;
use protocol::v1::master::response::{
    GetAgents, GetExecutors, GetFrameworks, GetOperations, GetState, GetTasks, get_agents,
    get_executors, get_frameworks,
};
use statemachine::framework::Framework;
use statemachine::operation::Followed;
use statemachine::resources::Resources;
use statemachine::task::Task;
use statemachine::{Connection, Role, State};

use super::{
    active_tasks, is_active, offered, unreachable_tasks, used_by_framework, used_on_agent,
};
use crate::convert::{
    agent, constraints, framework, maintenance, offer, operation, resources, task, time_info,
};

/// Everything that `GET_STATE` shows.
pub(crate) fn state(state: &State) -> GetState {
    GetState {
        get_tasks: Some(tasks(state)),
        get_executors: Some(executors(state)),
        get_frameworks: Some(frameworks(state)),
        get_agents: Some(agents(state)),
    }
}

/// Tasks; pending and orphan ones do not exist.
pub(crate) fn tasks(state: &State) -> GetTasks {
    let mut answer = GetTasks::default();
    for framework in state.frameworks.values() {
        let write = |it: &Arc<Task>| task::write(state, framework, it);
        answer.tasks.extend(active_tasks(state, framework).map(write));
        answer.unreachable_tasks.extend(unreachable_tasks(state, framework).map(write));
        answer.completed_tasks.extend(framework.completed.iter().map(write));
    }
    for completed in &state.completed_frameworks {
        let framework = &completed.framework;
        let ended = framework.completed.iter().map(|it| task::write(state, framework, it));
        answer.completed_tasks.extend(ended);
    }
    answer
}

/// Operations that frameworks gave an id and have not acknowledged the end of.
pub(crate) fn operations(state: &State) -> GetOperations {
    let write = |followed: &Arc<Followed>| operation::write(state, followed);
    GetOperations { operations: state.operations.values().map(write).collect() }
}

/// Custom executors.
pub(crate) fn executors(state: &State) -> GetExecutors {
    let write = |executor: &Arc<statemachine::task::Executor>| get_executors::Executor {
        executor_info: task::write_executor(executor),
        agent_id: state.agent_text(executor.key.agent).into(),
    };
    GetExecutors {
        executors: state.executors.values().map(write).collect(),
        ..GetExecutors::default()
    }
}

/// Frameworks, with those that are over.
pub(crate) fn frameworks(state: &State) -> GetFrameworks {
    let over =
        |completed: &Arc<statemachine::framework::CompletedFramework>| get_frameworks::Framework {
            active: false,
            connected: false,
            unregistered_time: Some(time_info(completed.ended_at)),
            offer_constraints: Some(constraints::write(&completed.framework.constraints)),
            ..framework_alone(&completed.framework)
        };
    GetFrameworks {
        frameworks: state.frameworks.values().map(|it| framework(state, it)).collect(),
        completed_frameworks: state.completed_frameworks.iter().map(over).collect(),
        ..GetFrameworks::default()
    }
}

/// One framework with all it holds.
pub(crate) fn framework(state: &State, it: &Framework) -> get_frameworks::Framework {
    let capabilities = it.description.capabilities;
    let offers = it.offers.iter().filter_map(|id| state.offers.get(id));
    get_frameworks::Framework {
        inverse_offers: state
            .inverse_offers(it.id)
            .iter()
            .filter_map(|it| maintenance::inverse_offer(state, it))
            .collect(),
        offers: offers.filter_map(|it| offer::write(state, it, capabilities)).collect(),
        allocated_resources: by_role(&used_by_framework(state, it)),
        offered_resources: by_role(&offered(state, &it.offers)),
        offer_constraints: Some(constraints::write(&it.constraints)),
        ..framework_alone(it)
    }
}

/// One framework by itself, as events show it (semantics 299).
pub(crate) fn framework_alone(it: &Framework) -> get_frameworks::Framework {
    let reregistered = it.reregistered_at.unwrap_or(it.registered_at);
    get_frameworks::Framework {
        framework_info: framework::write(it),
        active: is_active(it),
        connected: it.connection.is_connected(),
        recovered: matches!(it.connection, Connection::Awaited { .. }),
        registered_time: Some(time_info(it.registered_at)),
        reregistered_time: Some(time_info(reregistered)),
        ..get_frameworks::Framework::default()
    }
}

/// Agents that can be reached, and those that were connected to the last leader (semantics 312).
pub(crate) fn agents(state: &State) -> GetAgents {
    let mut answer = GetAgents::default();
    for agent in state.agents.values().filter(|agent| agent.unreachable_since.is_none()) {
        if let Connection::Awaited { .. } = agent.connection {
            answer.recovered_agents.push(agent_info(state, agent));
        } else {
            answer.agents.push(self::agent(state, agent));
        }
    }
    answer
}

/// Every agent of ours keeps a checkpoint, and masters alone say so.
fn agent_info(state: &State, agent: &statemachine::agent::Agent) -> v1::AgentInfo {
    v1::AgentInfo { checkpoint: Some(true), ..agent::write(state, agent) }
}

/// One agent with all it has.
pub(crate) fn agent(state: &State, it: &statemachine::agent::Agent) -> get_agents::Agent {
    get_agents::Agent {
        agent_info: agent_info(state, it),
        active: it.is_active(),
        deactivated: Some(it.deactivated),
        drain_info: agent::drain_info(it),
        estimated_drain_start_time: it.drain.as_ref().map(|drain| time_info(drain.started_at)),
        version: protocol::API_VERSION.to_owned(),
        pid: Some(agent::pid(it)),
        registered_time: Some(time_info(it.registered_at)),
        reregistered_time: it.reregistered_at.map(time_info),
        total_resources: resources::write_for_endpoint(&it.total, None),
        allocated_resources: by_role(&used_on_agent(state, it)),
        offered_resources: by_role(&offered(state, &it.offers)),
        capabilities: agent::capabilities(it),
        ..get_agents::Agent::default()
    }
}

fn by_role(resources: &BTreeMap<Role, Resources>) -> Vec<v1::Resource> {
    let write = |(role, held): (&Role, &Resources)| resources::write_for_endpoint(held, Some(role));
    resources.iter().flat_map(write).collect()
}
