//! `/state-summary`: agents and frameworks with how many tasks each has in which state.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use statemachine::framework::Framework;
use statemachine::{AgentId, FrameworkId, State, TaskState};

use super::agents::{Slave, registered};
use super::frameworks::Brief;
use super::list;

/// States that are counted.
const COUNTED: [(TaskState, &str); 10] = [
    (TaskState::Staging, "TASK_STAGING"),
    (TaskState::Starting, "TASK_STARTING"),
    (TaskState::Running, "TASK_RUNNING"),
    (TaskState::Killing, "TASK_KILLING"),
    (TaskState::Finished, "TASK_FINISHED"),
    (TaskState::Killed, "TASK_KILLED"),
    (TaskState::Failed, "TASK_FAILED"),
    (TaskState::Lost, "TASK_LOST"),
    (TaskState::Error, "TASK_ERROR"),
    (TaskState::Unreachable, "TASK_UNREACHABLE"),
];

/// How many tasks are in which state, and with whom they are shared.
#[derive(Default)]
struct Counts {
    states: BTreeMap<TaskState, usize>,
    agents: BTreeSet<AgentId>,
    frameworks: BTreeSet<FrameworkId>,
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (state, name) in COUNTED {
            map.serialize_entry(name, self.states.get(&state).unwrap_or(&0))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Summary<'a, S: Serialize, F: Serialize> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    slaves: S,
    frameworks: F,
}

#[derive(Serialize)]
struct SlaveRow<'a> {
    #[serde(flatten)]
    slave: Slave,
    #[serde(flatten)]
    counts: &'a Counts,
    framework_ids: Vec<String>,
}

#[derive(Serialize)]
struct FrameworkRow<'a> {
    #[serde(flatten)]
    brief: Brief,
    #[serde(flatten)]
    counts: &'a Counts,
    slave_ids: Vec<String>,
}

/// `/state-summary` of a master with this name, in a cluster with that.
pub(crate) fn summary(state: &State, hostname: &str, cluster: Option<&str>) -> Vec<u8> {
    let (by_agent, by_framework) = count(state);
    let none = Counts::default();
    let wire_id = |id: &FrameworkId| state.frameworks.get(id).map(|it| it.wire_id.to_string());
    let slaves = registered(state).map(|agent| {
        let counts = by_agent.get(&agent.id).unwrap_or(&none);
        let framework_ids = counts.frameworks.iter().filter_map(wire_id).collect();
        SlaveRow { slave: Slave::of(state, agent), counts, framework_ids }
    });
    let frameworks = state.frameworks.values().map(|framework| {
        let counts = by_framework.get(&framework.id).unwrap_or(&none);
        let slave_ids = counts.agents.iter().map(|agent| state.agent_text(*agent)).collect();
        FrameworkRow { brief: Brief::of(state, framework), counts, slave_ids }
    });
    let summary = Summary { hostname, cluster, slaves: list(slaves), frameworks: list(frameworks) };
    crate::views::json::to_vec(&summary)
}

type Counted = (BTreeMap<AgentId, Counts>, BTreeMap<FrameworkId, Counts>);

fn count(state: &State) -> Counted {
    let mut counted = Counted::default();
    let mut add = |framework: &Framework, agent: AgentId, task_state: TaskState| {
        let of_agent = counted.0.entry(agent).or_default();
        *of_agent.states.entry(task_state).or_default() += 1;
        of_agent.frameworks.insert(framework.id);
        let of_framework = counted.1.entry(framework.id).or_default();
        *of_framework.states.entry(task_state).or_default() += 1;
        of_framework.agents.insert(agent);
    };
    for framework in state.frameworks.values() {
        for task in state.tasks_of(framework.id).chain(&framework.completed) {
            add(framework, task.agent, task.state);
        }
    }
    counted
}
