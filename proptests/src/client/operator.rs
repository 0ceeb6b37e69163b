//! An operator: wants something for a while, and takes it back when that is over. What it sees of the
//! cluster is what is committed; what it asks of a leader may be lost, and is asked again.

use std::collections::BTreeMap;

use statemachine::agent::{Deactivate, DrainAgent, MarkGone, Reactivate};
use statemachine::cluster::Weigh;
use statemachine::maintenance::{
    Machine, Mode, StartMaintenance, StopMaintenance, Unavailability, UpdateSchedule, Window,
};
use statemachine::quota::{Before, Quota, SetQuotas};
use statemachine::resources::{Name, Scalar};
use statemachine::{AgentId, Command, Role, State};

use crate::cluster::Node;
use crate::happening::{Happening, OPERATOR, Request};
use crate::nature::Nature;
use crate::plan::Action;

/// Between two looks at the cluster.
const BEAT_MS: u64 = 500;
/// Roles that have quotas and weights: some of the schedulers', and one above those.
const ROLES: [&str; 5] = ["*", "eng", "eng/web", "eng/batch", "ops"];

/// The operator. What it does not remember is to be undone at once.
#[derive(Debug, Default)]
pub struct Operator {
    agents: BTreeMap<AgentId, u64>,
    roles: BTreeMap<Role, u64>,
    /// When machines go down and when they are up again.
    machines: BTreeMap<Machine, (u64, u64)>,
}

impl Operator {
    /// Does what the plan says, to one of the agents or roles that there are.
    pub fn act(&mut self, action: Action, leader: Option<Node>, nature: &mut Nature) {
        let command = match action {
            Action::SetQuota { pick, guaranteed, limited, force, for_ms } => {
                let role = Role::from(ROLES[usize::from(pick) % ROLES.len()]);
                self.roles.insert(role.clone(), nature.now + for_ms);
                let cpus = |count: u8| (Name::Cpus, Scalar(i64::from(count) * 1000));
                let guarantees = (guaranteed > 0).then(|| cpus(guaranteed));
                let quota = Quota {
                    guarantees: guarantees.into_iter().collect(),
                    limits: limited.map(cpus).into_iter().collect(),
                };
                let quotas = vec![(role, quota)];
                Some(SetQuotas { quotas, force, before: Before::Any }.into())
            }
            Action::WeighRole { pick, weight } => {
                let role = Role::from(ROLES[usize::from(pick) % ROLES.len()]);
                Some(Weigh { weights: vec![(role, u64::from(weight) * 1000)] }.into())
            }
            _ => self.about_agent(action, nature),
        };
        if let Some(command) = command {
            ask(command, leader, nature);
        }
    }

    fn about_agent(&mut self, action: Action, nature: &Nature) -> Option<Command> {
        let (Action::DrainAgent { pick, .. }
        | Action::DeactivateAgent { pick, .. }
        | Action::MarkAgentGone { pick }
        | Action::MaintainMachine { pick, .. }) = action
        else {
            return None;
        };
        let state = nature.oracle.state();
        let agents: Vec<_> = state.agents.values().collect();
        let agent = agents.get(usize::from(pick) % agents.len().max(1))?;
        let (id, now) = (agent.id, nature.now);
        Some(match action {
            Action::DrainAgent { mark_gone, for_ms, .. } => {
                self.agents.insert(id, now + for_ms);
                DrainAgent { agent: id, max_grace_ns: None, mark_gone }.into()
            }
            Action::DeactivateAgent { for_ms, .. } => {
                self.agents.insert(id, now + for_ms);
                Deactivate { agent: id }.into()
            }
            Action::MaintainMachine { notice_ms, for_ms, .. } => {
                let down = now + notice_ms;
                self.machines.insert(agent.machine(), (down, down + for_ms));
                schedule(state, Some(agent.machine()), None)
            }
            _ => MarkGone { agent: id }.into(),
        })
    }

    /// Looks at the cluster: brings machines down when their time has come, and takes back what it has
    /// wanted for long enough; all of it once everything is to come to its end.
    pub fn beat(&mut self, leader: Option<Node>, nature: &mut Nature) {
        nature.after(BEAT_MS, Happening::Operate);
        let now = nature.now;
        let is_over = |until: Option<&u64>| nature.calm || until.is_none_or(|until| *until <= now);
        let state = nature.oracle.state();
        let mut commands: Vec<Command> = Vec::new();
        for agent in state.agents.values().filter(|agent| agent.deactivated) {
            if is_over(self.agents.get(&agent.id)) {
                commands.push(Reactivate { agent: agent.id }.into());
            }
        }
        for role in state.quotas.keys().filter(|role| is_over(self.roles.get(*role))) {
            let quotas = vec![(role.clone(), Quota::default())];
            commands.push(SetQuotas { quotas, force: true, before: Before::Any }.into());
        }
        for (machine, (mode, _)) in &state.maintenance.machines {
            let times = self.machines.get(machine);
            let machines = vec![machine.clone()];
            match mode {
                Mode::Down if is_over(times.map(|times| &times.1)) => {
                    commands.push(StopMaintenance { machines }.into());
                }
                Mode::Draining if is_over(times.map(|times| &times.1)) => {
                    commands.push(schedule(state, None, Some(machine)));
                }
                Mode::Draining if is_over(times.map(|times| &times.0)) => {
                    commands.push(StartMaintenance { machines }.into());
                }
                Mode::Down | Mode::Draining => {}
            }
        }
        for command in commands {
            ask(command, leader, nature);
        }
    }
}

/// The schedule with one more machine, or with one less.
fn schedule(state: &State, more: Option<Machine>, less: Option<&Machine>) -> Command {
    let kept = state.maintenance.machines.keys().filter(|machine| Some(*machine) != less);
    let machines: std::collections::BTreeSet<Machine> = kept.cloned().chain(more).collect();
    let window = |machine: Machine| Window {
        machines: vec![machine],
        unavailability: Unavailability { start_ns: 0, duration_ns: None },
    };
    UpdateSchedule { windows: machines.into_iter().map(window).collect() }.into()
}

/// Asks the leader, if there is one, over a connection that nothing else depends on.
fn ask(command: Command, leader: Option<Node>, nature: &mut Nature) {
    let Some(master) = leader else { return };
    nature.note(format_args!("the operator asks master {master}: {}", command.name()));
    if nature.calm || !nature.dice.chance(100) {
        let delay_ms = nature.delay_ms();
        let request = Request { session: OPERATOR, command, call: None };
        nature.after(delay_ms, Happening::Ask { master, request: Box::new(request) });
    }
}
